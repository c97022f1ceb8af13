"""What CMake is told."""
import re
import subprocess

from harness import places

# How a build file would fetch something, and the programs that do.
FETCHES = re.compile(r"\bFetchContent|\bExternalProject|\bCPMAddPackage|\bDOWNLOAD\b|\b(?:curl|wget|git)\b|https?://", re.IGNORECASE)


def build_files():
    listed = subprocess.run(["git", "ls-files", "CMakeLists.txt", "*/CMakeLists.txt", "*.cmake", "*.cmake.in"],
                            cwd=places.REPOSITORY, capture_output=True, text=True, check=True)
    return [places.REPOSITORY / name for name in listed.stdout.split()]


def test_upstream_5_5_13_the_build_downloads_nothing():
    assert len(build_files()) > 20
    for path in build_files():
        fetched = [line for line in path.read_text(encoding="utf-8").splitlines()
                   if FETCHES.search(line.partition("#")[0])]
        assert not fetched, (path, fetched)
