"""The cells of the table: a QEMU with a kind of device, and a guest kernel."""
import dataclasses

from harness import qemu as machine
from interop.releases import Release


class NoCell(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Cell:
    qemu: Release
    kernel: Release
    kind: str  # of the device

    @property
    def name(self):
        """As ONLY names it."""
        return f"{self.qemu.qemu_version}/{self.kernel.kernel_version}"

    def is_named(self, text):
        """By QEMU/KERNEL, of which either may be left out."""
        qemu, _, kernel = text.partition("/")
        return qemu in ("", self.qemu.qemu_version) and kernel in ("", self.kernel.kernel_version)


def cells_of(releases, kind=None):
    """Each QEMU with each kernel; with that kind of device, for those QEMUs that have it, or with the best of each."""
    for qemu in releases:
        kinds = machine.kinds_of_version(qemu.qemu_version)
        if kind and kind not in kinds:
            continue
        for kernel in releases:
            yield Cell(qemu, kernel, kind or kinds[0])


def chosen(cells, only):
    """Those that `only` names, separated by commas; all without it."""
    cells = list(cells)
    if not only:
        return cells
    texts = only.split(",")
    for text in texts:
        if not any(cell.is_named(text) for cell in cells):
            raise NoCell(f"there is no {text}; there are {', '.join(cell.name for cell in cells)}")
    return [cell for cell in cells if any(map(cell.is_named, texts))]
