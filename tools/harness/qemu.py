"""The QEMU to use: $QEMU when that is set (`make demo QEMU=/path`), else the root folder's."""
import os
import subprocess

from harness import places


def command():
    own = os.environ.get("QEMU")
    if own:
        return [own]
    share = places.root() / "usr/share"
    return [*places.command_for("qemu-system-x86_64"), "-L", str(share / "qemu"), "-L", str(share / "seabios")]


def environment():
    """Ours, with the folder of the root folder's QEMU modules: QEMU knows only the place where it would be installed."""
    if os.environ.get("QEMU"):
        return dict(os.environ)
    return {**os.environ, "QEMU_MODULE_DIR": str(places.libraries() / "qemu")}


def version():
    answer = subprocess.run([*command(), "--version"], stdout=subprocess.PIPE, text=True, check=True)
    return answer.stdout.splitlines()[0]
