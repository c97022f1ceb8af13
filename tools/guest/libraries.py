"""Which shared libraries programs of a root folder need, as that folder's own loader resolves them."""
import re
import subprocess

TRIPLET = "x86_64-linux-gnu"
RESOLVED = re.compile(r"=> (/\S+)")


class LibraryError(Exception):
    pass


def loader(root):
    return root / "usr/lib" / TRIPLET / "ld-linux-x86-64.so.2"


def needed_by(root, file):
    """The files that `file` (a program or a library) loads at start, the loader not included."""
    libraries = root / "usr/lib" / TRIPLET
    command = [loader(root), "--library-path", f"{libraries}:{libraries}/llama", "--list", file]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if answer.returncode != 0 or "not found" in answer.stdout:
        raise LibraryError(f"{file} cannot be loaded: {answer.stdout.strip()} {answer.stderr.strip()}")
    return RESOLVED.findall(answer.stdout)
