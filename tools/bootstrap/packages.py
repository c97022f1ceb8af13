"""Lists of Debian packages, and what this machine has of them."""
import dataclasses
import re
import subprocess

LINE = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.+-]*)(?:\s*>=\s*(?P<minimum>[^\s,]+))?(?:\s*,\s*(?P<mark>system|conformance))?$")


@dataclasses.dataclass(frozen=True)
class Package:
    name: str
    minimum: str = ""
    decides_for_system: bool = False
    for_conformance: bool = False  # only `make conformance` needs it

    def accepts(self, version):
        """Whether `version` (None: there is none) is new enough."""
        if version is None or not self.minimum:
            return version is not None
        compare = ["dpkg", "--compare-versions", version, "ge", self.minimum]
        return subprocess.run(compare, check=False).returncode == 0

    def __str__(self):
        return f"{self.name} >= {self.minimum}" if self.minimum else self.name


def read_list(path):
    """One package per line, `#` starts a comment."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        match = LINE.match(text)
        if not match:
            raise ValueError(f"{path}:{number}: not a package: {text!r}")
        found.append(Package(match["name"], match["minimum"] or "", match["mark"] == "system",
                             match["mark"] == "conformance"))
    return found


def installed_versions(names):
    """name -> version, for those of `names` that are installed."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", *names]
    answer = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    rows = (line.split() for line in answer.stdout.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}
