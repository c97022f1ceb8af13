"""QEMU and kernel of older Debian releases, unpacked into .interop/ and started from there. Nothing is installed."""
import dataclasses
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bootstrap import archive  # noqa: E402
from bootstrap.progress import Progress  # noqa: E402
from guest.libraries import TRIPLET  # noqa: E402
from harness import places  # noqa: E402

FOLDER = places.REPOSITORY / ".interop"
PACKAGES = ("qemu-system-x86", "linux-image-amd64")
STAMP = "packages.txt"  # written last: a folder that has it is complete
# A program outside its own root folder needs that folder's loader, libraries, modules and firmware.
LAUNCHER = """\
#!/bin/sh
root={root}
libraries=$root/usr/lib/{triplet}
export QEMU_MODULE_DIR="$libraries/qemu"
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/pulseaudio" \\
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
"""


@dataclasses.dataclass(frozen=True)
class Release:
    suite: str
    qemu_version: str
    kernel_version: str

    @property
    def root(self):
        return FOLDER / self.suite

    @property
    def qemu(self):
        """A program to put into $QEMU; None: the sysroot's."""
        return self.root / "qemu"

    @property
    def kernel(self):
        """A folder to put into $GUEST_KERNEL; None: the sysroot's."""
        return self.root

    def fetch(self):
        """Does nothing when it has been fetched."""
        FOLDER.mkdir(exist_ok=True)
        with archive.lock(FOLDER / f"{self.suite}.lock"):
            if not (self.root / STAMP).exists():
                self._make()

    def _make(self):
        work = FOLDER / f"{self.suite}.work"
        shutil.rmtree(work / "root", ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)
        debian = archive.Archive(work / "apt", suite=self.suite)
        print(f"QEMU {self.qemu_version} and Linux {self.kernel_version} of Debian {self.suite}", flush=True)
        debian.update(Progress("  package lists"))
        files = debian.download(PACKAGES, Progress("  packages"))
        archive.unpack(files, work / "root", Progress("  unpacking"))
        (work / "root/qemu").write_text(LAUNCHER.format(root=self.root, triplet=TRIPLET), encoding="utf-8")
        os.chmod(work / "root/qemu", 0o755)
        (work / "root" / STAMP).write_text("".join(f"{file.name}={file.version}\n" for file in files), encoding="ascii")
        (work / "root").rename(self.root)
        shutil.rmtree(work)


class Sysroot(Release):
    """The release that the sysroot is made of."""
    root = property(lambda self: places.root())
    qemu = kernel = None

    def fetch(self):
        pass


RELEASES = (Release("bookworm", "7.2", "6.1"), Release("trixie", "10.0", "6.12"), Sysroot("forky", "11.1", "7.x"))
