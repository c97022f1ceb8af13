import io
import lzma

import pytest

from guest import kernel, newc


def test_an_archive_is_what_the_kernel_documents():
    file = io.BytesIO()
    archive = newc.Archive(file)
    archive.add_file("a/b", b"hello", executable=True)
    archive.close()
    folder, rest = file.getvalue()[:112], file.getvalue()[112:]
    assert folder[:6] == b"070701" and folder[14:22] == b"000041ed" and folder[110:] == b"a\0"
    assert rest[14:22] == b"000081ed" and rest[54:62] == b"00000005" and rest[110:114] == b"a/b\0"
    assert rest[116:124] == b"hello\0\0\0"
    assert b"TRAILER!!!\0" in rest and len(file.getvalue()) % 4 == 0


def test_a_folder_is_added_once():
    file = io.BytesIO()
    archive = newc.Archive(file)
    archive.add_file("lib/x", b"")
    archive.add_file("lib/y", b"")
    assert file.getvalue().count(b"lib\0") == 1


@pytest.fixture
def root(tmp_path):
    for version in ("6.9.1", "6.12.3"):
        folder = tmp_path / "usr/lib/modules" / version
        (folder / "kernel/drivers").mkdir(parents=True)
        (folder / "vmlinuz").write_bytes(b"")
        (folder / "modules.builtin").write_text("kernel/lib/built-in.ko\n", encoding="ascii")
    modules = {"top-driver": "middle,built_in", "middle": "base_one", "base-one": ""}
    for name, depends in modules.items():
        content = b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0"
        (folder / f"kernel/drivers/{name}.ko.xz").write_bytes(lzma.compress(content))
    return tmp_path


def test_the_newest_kernel_is_taken(root):
    assert kernel.Kernel(root).version == "6.12.3"


def test_modules_come_after_what_they_depend_on(root):
    modules = kernel.Kernel(root).modules_for(["top-driver"])
    assert [name for name, _ in modules] == ["base_one", "middle", "top_driver"]


def test_a_missing_module_is_named(root):
    with pytest.raises(kernel.KernelError, match="no module gone"):
        kernel.Kernel(root).modules_for(["gone"])
