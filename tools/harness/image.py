"""The guest's kernel and initramfs, with the frontend of this build in it."""
import subprocess

from harness import places


def build(frontend=None, programs=(), name=None):
    """Builds the image with `frontend` (None: without one) and returns its folder. Takes under a second."""
    name = name or ("guest" if frontend else "guest-without-frontend")
    folder = places.build_folder() / name
    command = [places.REPOSITORY / "tools/guest/build-image", "--output", folder]
    if frontend:
        command += ["--frontend", frontend]
    for program in programs:
        command += ["--program", program]
    subprocess.run(command, check=True)
    return folder
