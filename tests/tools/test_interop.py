"""Which QEMUs and kernels `make interop` runs."""
import pathlib

import pytest

from interop.cells import NoCell, cells_of, chosen
from interop.releases import Release, releases


def release(qemu, kernel):
    made = Release("made up", pathlib.Path("/nowhere"))
    made.__dict__.update(qemu_version=qemu, kernel_version=kernel)  # as if they had been asked
    return made


RELEASES = (release("7.2", "6.1"), release("10.0", "6.12"), release("11.1", "7.2"))


def names(only, kind=None):
    return [cell.name for cell in chosen(cells_of(RELEASES, kind), only)]


def test_without_a_choice_each_qemu_meets_each_kernel():
    assert len(names(None)) == 9
    assert {(cell.qemu.qemu_version, cell.kind) for cell in cells_of(RELEASES)} == {
        ("7.2", "legacy"), ("10.0", "legacy"), ("11.1", "whole")}


def test_cells_are_named_by_versions_and_either_may_be_left_out():
    assert names("10.0/7.2") == ["10.0/7.2"]
    assert names("11.1/") == ["11.1/6.1", "11.1/6.12", "11.1/7.2"]
    assert names("/6.1,7.2/6.12") == ["7.2/6.1", "7.2/6.12", "10.0/6.1", "11.1/6.1"]


@pytest.mark.parametrize("only", ["8.2/", "7.2/6.1,/5.15", "6.1"])
def test_a_choice_that_is_nothing_is_refused(only):
    with pytest.raises(NoCell, match="there are 7.2/6.1"):
        names(only)


def test_a_kind_of_device_leaves_out_who_lacks_it():
    assert names(None, "windowless") == ["11.1/6.1", "11.1/6.12", "11.1/7.2"]
    assert len(names(None, "legacy")) == 9
    with pytest.raises(NoCell):
        names("7.2/", "windowless")


def test_the_versions_are_those_of_the_programs():
    newest = releases()[-1]
    assert float(newest.qemu_version.split(".")[0]) >= 11
    assert int(newest.kernel_version.split(".")[0]) >= 6
