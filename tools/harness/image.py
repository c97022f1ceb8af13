"""The guest's kernel and initramfs, with the frontend of this build in it."""
import os
import pathlib
import subprocess

from harness import places


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
