"""How a program of a root folder is started from outside of it: by that folder's loader, with that folder's libraries, and
for QEMU with its modules and firmware. This is the one place that knows; tools/bootstrap/run-in-root is it for shells.
"""
import os
import pathlib

TRIPLET = "x86_64-linux-gnu"
# Where programs are looked for by name.
FOLDERS = ("usr/bin", "usr/sbin", *(f"usr/libexec/{TRIPLET}/{name}" for name in ("ggml", "llama/bin", "llama.cpp-tests")))
# Parts of the folder of libraries in which there are more.
MORE_LIBRARIES = ("llama", "pulseaudio")
FIRMWARE = ("usr/share/qemu", "usr/share/seabios")


class NoProgram(Exception):
    pass


def libraries(root):
    return root / "usr/lib" / TRIPLET


def loader(root):
    return libraries(root) / "ld-linux-x86-64.so.2"


def library_path(root):
    return ":".join(str(libraries(root) / part) for part in ("", *MORE_LIBRARIES))


def find(root, program):
    """A name in one of the root's folders, or a path, which is taken as it is."""
    if "/" in str(program):
        return pathlib.Path(program)
    for folder in FOLDERS:
        if os.access(root / folder / program, os.X_OK):
            return root / folder / program
    raise NoProgram(f"no program '{program}' in {root}")


def command(root, program):
    """The words that start it, to which its arguments are added."""
    path = find(root, program)
    if root == pathlib.Path("/"):
        return [str(path)]
    # The option takes the variable's place; a driver's libraries may be there.
    folders = filter(None, [library_path(root), os.environ.get("LD_LIBRARY_PATH")])
    words = [str(loader(root)), "--library-path", ":".join(folders), str(path)]
    if _is_qemu(path):
        for folder in FIRMWARE:
            words += ["-L", str(root / folder)]
    return words


def environment(root, program):
    """The variables that it needs besides."""
    # QEMU knows only the place where it would be installed.
    if root != pathlib.Path("/") and _is_qemu(pathlib.Path(program)):
        return {"QEMU_MODULE_DIR": str(libraries(root) / "qemu")}
    return {}


def _is_qemu(path):
    return path.name.startswith("qemu-system-")
