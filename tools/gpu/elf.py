"""What readelf says of a library."""
import re
import subprocess

SECTION = re.compile(r"^\s*\[\s*\d+\]\s+(?P<name>\S+)\s+\S+\s+[0-9a-f]+\s+(?P<offset>[0-9a-f]+)\s+(?P<size>[0-9a-f]+)\s")
NEEDED_VERSIONED = re.compile(r"\sUND\s+(?P<name>\w+)@(?P<version>\S+)")


def section(path, name):
    """(offset, size) of a section in the file."""
    for line in _readelf("--section-headers", path):
        match = SECTION.match(line)
        if match and match["name"] == name:
            return int(match["offset"], 16), int(match["size"], 16)
    raise ValueError(f"{path} has no section {name}")


def functions_of_version(path, version):
    """Names of what the library expects from another one, under a symbol version."""
    return sorted(match["name"] for match in map(NEEDED_VERSIONED.search, _readelf("--dyn-syms", path))
                  if match and match["version"] == version)


def _readelf(option, path):
    answer = subprocess.run(["readelf", "--wide", option, str(path)], stdout=subprocess.PIPE, text=True, check=True)
    return answer.stdout.splitlines()
