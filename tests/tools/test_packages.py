import pathlib

import pytest

from bootstrap import archive, packages


def read(tmp_path, text):
    file = tmp_path / "list"
    file.write_text(text, encoding="utf-8")
    return packages.read_list(file)


def test_a_list_is_names_minimum_versions_and_comments(tmp_path):
    listed = read(tmp_path, "# all\n\ng++   # why\nqemu >= 1:11.1, system # why\n")
    assert listed == [packages.Package("g++"), packages.Package("qemu", "1:11.1", True)]


def test_a_package_can_be_for_conformance_only(tmp_path):
    [package] = read(tmp_path, "mesa, conformance\n")
    assert package.for_conformance and not package.decides_for_system


def test_a_line_that_is_no_package_is_refused_by_number(tmp_path):
    with pytest.raises(ValueError, match=":2: not a package: 'two words'"):
        read(tmp_path, "one\ntwo words\n")


@pytest.mark.parametrize("version, accepted", [
    ("1:11.1.2+ds-3", True), ("1:11.1", True), ("1:10.2", False), ("12.0", False), (None, False)])
def test_versions_compare_as_debian_does(version, accepted):
    assert packages.Package("qemu", "1:11.1").accepts(version) == accepted


def test_without_a_minimum_any_version_will_do():
    assert packages.Package("busybox").accepts("0.1")
    assert not packages.Package("busybox").accepts(None)


def test_only_installed_packages_have_a_version():
    versions = packages.installed_versions(["dpkg", "no-such-package-anywhere"])
    assert list(versions) == ["dpkg"]


def test_the_version_in_a_file_name_has_its_epoch():
    file = archive.PackageFile(pathlib.Path("llama.cpp-tools_1%3a0.7.0+dfsg-2_amd64.deb"))
    assert (file.name, file.version) == ("llama.cpp-tools", "1:0.7.0+dfsg-2")
