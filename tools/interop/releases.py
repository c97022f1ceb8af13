"""QEMU and kernel of Debian releases: those of the sysroot, and older ones, which are unpacked into .interop/ and started from
there. Nothing is installed."""
import dataclasses
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bootstrap import archive  # noqa: E402
from bootstrap.progress import Progress  # noqa: E402
from guest.kernel import Kernel  # noqa: E402
from harness import places, qemu  # noqa: E402

FOLDER = places.REPOSITORY / ".interop"
PACKAGES = ("qemu-system-x86", "linux-image-amd64")
STAMP = "packages.txt"  # written last: a folder that has it is complete
LAUNCHER = """\
#!/bin/sh
exec {run_in_root} {root} {program} "$@"
"""
NUMBER = re.compile(r"\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class Release:
    suite: str
    root: pathlib.Path
    qemu: pathlib.Path = None  # a program to put into $QEMU; None: the sysroot's
    kernel: pathlib.Path = None  # a folder to put into $GUEST_KERNEL; None: the sysroot's

    @functools.cached_property
    def qemu_version(self):
        command = [self.qemu] if self.qemu else places.command_for(qemu.PROGRAM)
        answer = subprocess.run([*command, "--version"], stdout=subprocess.PIPE, text=True, check=True)
        return NUMBER.search(answer.stdout)[0]

    @functools.cached_property
    def kernel_version(self):
        return NUMBER.match(Kernel(self.root).version)[0]

    def fetch(self):
        """Does nothing when it has been fetched, as the sysroot has."""
        if self.qemu is None:
            return
        FOLDER.mkdir(exist_ok=True)
        with archive.lock(FOLDER / f"{self.suite}.lock"):
            if not (self.root / STAMP).exists():
                self._make()

    def _make(self):
        work = FOLDER / f"{self.suite}.work"
        shutil.rmtree(work / "root", ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)
        debian = archive.Archive(work / "apt", suite=self.suite)
        print(f"QEMU and Linux of Debian {self.suite}", flush=True)
        debian.update(Progress("  package lists"))
        files = debian.download(PACKAGES, Progress("  packages"))
        archive.unpack(files, work / "root", Progress("  unpacking"))
        launcher = LAUNCHER.format(run_in_root=places.REPOSITORY / "tools/bootstrap/run-in-root", root=self.root,
                                   program=qemu.PROGRAM)
        (work / "root/qemu").write_text(launcher, encoding="utf-8")
        os.chmod(work / "root/qemu", 0o755)
        (work / "root" / STAMP).write_text("".join(f"{file.name}={file.version}\n" for file in files), encoding="ascii")
        (work / "root").rename(self.root)
        shutil.rmtree(work)


def releases():
    """The oldest first."""
    older = (Release(suite, FOLDER / suite, FOLDER / suite / "qemu", FOLDER / suite) for suite in ("bookworm", "trixie"))
    return (*older, Release("forky", places.root()))
