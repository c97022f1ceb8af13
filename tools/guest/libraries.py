"""Which shared libraries programs of a root folder need, as that folder's own loader resolves them."""
import re
import subprocess

from bootstrap import programs

RESOLVED = re.compile(r"=> (/\S+)")


class LibraryError(Exception):
    pass


def needed_by(root, file):
    """The files that `file` (a program or a library) loads at start, the loader not included."""
    command = [programs.loader(root), "--library-path", programs.library_path(root), "--list", file]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if answer.returncode != 0 or "not found" in answer.stdout:
        raise LibraryError(f"{file} cannot be loaded: {answer.stdout.strip()} {answer.stderr.strip()}")
    return RESOLVED.findall(answer.stdout)
