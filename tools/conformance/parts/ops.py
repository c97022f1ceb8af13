"""ggml's own tests of single operations, and that the device supports what the host's device does, case by case."""
import csv
import itertools
import re

from conformance.session import ending
from conformance.shard import Outcome, Shard, pieces, spread
from harness import generation, places

PROGRAM = f"usr/libexec/{places.TRIPLET}/ggml/test-backend-ops"
CASES = 100  # of a shard
QUICK_OPS = ("ADD", "MUL_MAT", "ROPE", "SOFT_MAX", "SET_ROWS")
QUICK_CASES = 10  # of an op
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
RESULT = re.compile(r"^  ([A-Z][A-Z0-9_]*\(.*\)): (.*)$")
ONLY_REFERENCE_LACKS_IT = "not supported [CPU]"


def program():
    return str(places.root() / PROGRAM)


def supported(text):
    """case -> whether the device supports it, from `support --output csv`."""
    return {f"{row['op_name']}({row['op_params']})": row["supported"] == "1" for row in csv.DictReader(text.splitlines())}


def support_differences(native, remote):
    """What one side says otherwise than the other, as lines."""
    for case in itertools.chain(native, (case for case in remote if case not in native)):
        ours, theirs = remote.get(case), native.get(case)
        if ours != theirs:
            words = {True: "supported", False: "not supported", None: "no case"}
            yield f"{case}: {words[theirs]} natively, {words[ours]} remotely"


def results(text):
    """case -> what test-backend-ops said of it. A case that ran several times has its worst."""
    found = {}
    for line in COLOUR.sub("", text).splitlines():
        match = RESULT.match(line)
        if match and (match[1] not in found or found[match[1]].endswith("OK")):
            found[match[1]] = match[2].strip()
    return found


def result_failures(expected, found):
    """`expected` is what of the tested cases the host's device itself supports."""
    for case, is_supported in expected.items():
        said = found.get(case)
        if said is None:
            yield f"{case}: did not run"
        elif is_supported and not said.endswith("OK") and ONLY_REFERENCE_LACKS_IT not in said:
            yield f"{case}: {said}"
        elif not is_supported and said.endswith("OK"):
            yield f"{case}: passed, and the host's device does not support it"


def tested(finished, expected):
    """The Outcome of a run of `test` with the cases in `expected`."""
    found = results(finished.output)
    failures = list(result_failures(expected, found))
    if finished.status != 0 and not failures:
        failures = [ending(finished)]
    elif finished.status < 0:
        failures.insert(0, f"{ending(finished)}; the last case was {list(found)[-1:]}")
    return Outcome(sum(said.endswith("OK") for said in found.values()), tuple(failures))


def shards(session, quick):
    native = _support(session.native(program(), "support", "-b", session.backend.device, "--output", "csv"))

    def compare():
        remote = _support(session.remote(program(), "support", "-b", generation.DEVICE, "--output", "csv"))
        return Outcome(len(native), tuple(support_differences(native, remote)))

    def shard(name, cases):
        return Shard("ops", name, lambda: tested(
            session.remote(program(), "test", "-b", generation.DEVICE, "-o", ",".join(cases)), cases))

    return [Shard("ops", "support", compare), *(shard(*chosen) for chosen in _choices(native, quick))]


def _support(finished):
    cases = supported(finished.output)
    if finished.status != 0 or not cases:
        raise RuntimeError(f"test-backend-ops support: {ending(finished)}")
    return cases


def _choices(native, quick):
    """(name, cases) for every shard: all cases, or some of a few ops."""
    for op, group in itertools.groupby(sorted(native), lambda case: case.split("(")[0]):
        cases = list(group)
        if quick and op not in QUICK_OPS:
            continue
        chosen = [spread(cases, QUICK_CASES)] if quick else pieces(cases, CASES)
        for number, part in enumerate(chosen, start=1):
            name = f"{op} {number}/{len(chosen)}" if len(chosen) > 1 else op
            yield name, {case: native[case] for case in part}
