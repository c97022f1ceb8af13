"""The file with everything that was measured: sections that may be measured one after another, on one machine."""
import json
import os
import pathlib
import platform
import re
import subprocess
import time

from harness import places


def machine(settings):
    """What has to be equal for sections to belong together."""
    return {"commit": _commit(), "processor": _processor(), "processors": settings.processors,
            "kernel": platform.release(), "backend": settings.backend, "threads": settings.threads,
            "rounds": settings.rounds, "quick": settings.quick}


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def begin(path, settings):
    """What is in the file already, where it was measured here and in the same way; else a new beginning."""
    here = machine(settings)
    try:
        known = load(path)
        if known["machine"] == here:
            return known
    except (FileNotFoundError, ValueError, KeyError):
        pass
    return {"machine": here, "measured": {}}


def add(results, section, found):
    """Rows are kept beside those of other models and variants; all else replaces what was there."""
    if isinstance(found, list):
        measured = {(row["model"], row["variant"]) for row in found}
        found = [row for row in results.get(section, []) if (row["model"], row["variant"]) not in measured] + found
    results[section] = found
    results["measured"][section] = time.strftime("%Y-%m-%d %H:%M:%S")


def save(results, path):
    """In one step, so that a run that is interrupted leaves the sections before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def _processor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _commit():
    """The sources', with a + where they were changed since; None where only the build was carried to."""
    git = ["git", "-C", str(places.REPOSITORY), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
