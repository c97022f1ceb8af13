"""What CMake is told."""
import re

from harness import places

# How a build file would fetch something, and the programs that do.
FETCHES = re.compile(r"\bFetchContent|\bExternalProject|\bCPMAddPackage|\bDOWNLOAD\b|\b(?:curl|wget|git)\b|https?://", re.IGNORECASE)


def build_files():
    folders = [path for path in places.REPOSITORY.iterdir()
               if path.is_dir() and path.name[0] != "." and path.name != "build"]
    found = [path for folder in folders for pattern in ("CMakeLists.txt", "*.cmake", "*.cmake.in")
             for path in folder.rglob(pattern)]
    return [places.REPOSITORY / "CMakeLists.txt", *found]


def test_upstream_5_5_13_the_build_downloads_nothing():
    assert len(build_files()) > 20
    for path in build_files():
        fetched = [line for line in path.read_text(encoding="utf-8").splitlines()
                   if FETCHES.search(line.partition("#")[0])]
        assert not fetched, (path, fetched)
