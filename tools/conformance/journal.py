"""What has already passed, kept between runs: a JSON line for each shard that ended."""
import hashlib
import json
import pathlib

from harness import places

HERE = pathlib.Path(__file__).resolve().parent


def fingerprint(more_files=()):
    """Names what was tested and by what: our binaries, Debian's packages, and these scripts."""
    versions = places.root() / "packages.txt"
    files = [places.host_program(), places.worker(), places.backend_library(), places.frontend(), versions,
             places.MODEL, *sorted(HERE.rglob("*.py")), *more_files]
    digest = hashlib.sha256()
    for path in files:
        if path.exists():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


class Journal:
    """One file for each part in `folder`. Only lines of the same binaries count; the last one of a shard decides."""

    def __init__(self, folder, binaries):
        self._folder = folder
        self._binaries = binaries

    def start_over(self, part):
        self._file(part).unlink(missing_ok=True)

    def passed(self, part):
        """name -> line, of the shards that need not run again."""
        last = {line["shard"]: line for line in self._lines(part) if line.get("binaries") == self._binaries}
        return {name: line for name, line in last.items() if not line["failures"]}

    def write(self, shard, outcome, seconds):
        line = {"shard": shard.name, "cases": outcome.cases, "failures": list(outcome.failures),
                "seconds": round(seconds, 2), "binaries": self._binaries}
        self._folder.mkdir(parents=True, exist_ok=True)
        with open(self._file(shard.part), "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return line

    def _file(self, part):
        return self._folder / f"{part}.jsonl"

    def _lines(self, part):
        if not self._file(part).exists():
            return
        for text in self._file(part).read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # the run was killed while it wrote this
                continue
            if "shard" in line and "failures" in line:
                yield line
