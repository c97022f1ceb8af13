"""The guest's kernel and initramfs, with the frontend of this build in it."""
import os
import pathlib
import subprocess

from harness import places


def command_for(program):
    """The shell words that start one of `programs` in the guest: it was linked for the loader of where it was built."""
    return (f"LD_LIBRARY_PATH=/usr/lib/{places.TRIPLET} /usr/lib64/ld-linux-x86-64.so.2 "
            f"/usr/bin/{pathlib.Path(program).name}")


def build(frontend=None, programs=(), name=None):
    """Builds the image with `frontend` (None: without one) and returns its folder. Takes under a second.

    The kernel is the one in the root folder $GUEST_KERNEL when that is set, else the sysroot's.
    """
    name = name or ("guest" if frontend else "guest-without-frontend")
    kernel = os.environ.get("GUEST_KERNEL")
    if kernel:
        name += "-" + pathlib.Path(kernel).name
    folder = places.build_folder() / name
    command = [places.REPOSITORY / "tools/guest/build-image", "--output", folder]
    if kernel:
        command += ["--kernel", kernel]
    if frontend:
        command += ["--frontend", frontend]
    for program in programs:
        command += ["--program", program]
    subprocess.run(command, check=True)
    return folder
