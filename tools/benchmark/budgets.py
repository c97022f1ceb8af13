"""The budgets, what was measured for each, and whether it was met.

Nothing is measured here: all is read from the results of a run, wherever that was.
"""
import dataclasses
import math

from benchmark import endurance, samples, tokens
from benchmark.micro import USUAL_GRAPH

BULK = 256 << 20

# Why a budget is missed, where that is known; docs/performance.md has the arithmetic.
REASONS = {
    "round trip, both asleep": "a processor of a virtual machine that was idle takes longer to wake up than the budget",
}


@dataclasses.dataclass(frozen=True)
class Measured:
    value: float
    spread: float | None = None
    native: float | None = None
    rpc: float | None = None


@dataclasses.dataclass(frozen=True)
class Budget:
    name: str
    limit: float
    unit: str
    measured: Measured | None  # None: this run did not measure it
    at_least: bool = False
    # What still counts as the limit: a counter of zero is not zero where the machine does something else for a moment.
    tolerance: float = 0

    @property
    def verdict(self):
        if self.measured is None:
            return "not measured"
        is_met = (self.measured.value >= self.limit - self.tolerance if self.at_least
                  else self.measured.value <= self.limit + self.tolerance)
        return "met" if is_met else "missed"

    @property
    def reason(self):
        return REASONS.get(self.name, "") if self.verdict == "missed" else ""


def budgets(results):
    return [*_round_trips(results), *_graphs(results), *_counts(results), *_memory(results), *_transfers(results),
            *_tokens(results), *_idle(results), *_guest(results)]


def _round_trips(results):
    calls = _path(results, "counts", "request, all asleep", "doorbells")
    return [Budget("round trip, both awake", 5, "us", _microseconds(results, "round_trip_awake", "spare")),
            Budget("round trip, both asleep", 30, "us", _microseconds(results, "round_trip_asleep", "full")),
            Budget("doorbells of a round trip, both asleep", 1, "", _counted(calls), tolerance=0.05)]


def _graphs(results):
    changed = f"a changed graph of {USUAL_GRAPH:,} nodes"
    return [Budget("overhead of a token, a processor to spare", 15, "us", _overhead(results, "standard")),
            Budget("overhead of a token, every processor computing", 80, "us", _overhead(results, "all processors")),
            Budget(f"{changed}: to encode it, guest", 100, "us", _changed(results, "guest")),
            Budget(f"{changed}: to check and build it, host", 300, "us", _changed(results, "host"))]


def _counts(results):
    def of_token(mode, what):
        return _counted(_path(results, "counts", "tokens", mode, "frontend", what))

    return [Budget("bytes sent for an unchanged graph, inputs excluded", 256, "B",
                   _counted(_path(results, "counts", "unchanged graph", "bytes"))),
            Budget("doorbells per token, a processor to spare", 0, "", of_token("spare", "doorbells"), tolerance=0.05),
            Budget("doorbells per token, on every processor", 1, "", of_token("full", "doorbells"), tolerance=0.05),
            Budget("waits per token", 1, "", of_token("spare", "waits"), tolerance=0.05)]


def _memory(results):
    result = results.get("endurance")
    name = f"growth of the host's memory over {result['tokens'] if result else 100000:,} graphs"
    grown = result and Measured(endurance.growth_kib(result["memory_kib"], is_host=True) / 1024)
    # Less than ten bytes for a graph is what malloc keeps to itself.
    return [Budget(name, 0, "MiB", grown or None, tolerance=1)]


def _transfers(results):
    """Beside the backend's own; and where it computes in memory that the guest sees, beside memcpy."""
    rows = []
    for row, call in (("set_bytes", "set"), ("get_bytes", "get")):
        if results["machine"].get("backend", "cpu") == "cpu":
            rows.append(Budget(f"{call} 256 MiB, of memcpy", 0.9, "", _of_memcpy(results, row), at_least=True))
        rows.append(Budget(f"{call} 256 MiB, of the backend's own", 0.9, "", _of_native(results, row), at_least=True))
    return rows


def _tokens(results):
    rows = []
    for model in dict.fromkeys(row["model"] for row in results.get("tokens", [])):
        for test in ("pp", "tg"):
            rows += _speed(results, model, test)
    return rows


def _speed(results, model, test):
    native, ours, theirs = (tokens.select(results, test, name, model) for name in ("native", "virtgpu", "ggml-rpc"))
    of_native = native and ours and Measured(samples.ratio(ours, native), samples.spread(ours), 1,
                                             theirs and samples.ratio(theirs, native))
    of_rpc = ours and theirs and Measured(samples.ratio(ours, theirs), samples.spread(ours))
    rows = [Budget(f"{test} of {model}, of ggml-rpc", 1, "", of_rpc or None, at_least=True)]
    generation = tokens.select(results, "tg", "native", model)
    limit = generation and speed_limit(samples.median(generation))
    if limit:
        rows.insert(0, Budget(f"{test} of {model}, of native", 0.99 if test == "pp" else limit, "", of_native or None,
                              at_least=True))
    return rows


def speed_limit(tokens_per_second):
    """The least part of native's speed, by native's speed; above 2,000 tokens per second a token's overhead counts."""
    if tokens_per_second > 2000:
        return None
    return 0.97 if tokens_per_second > 500 else 0.99


def _idle(results):
    idle = results.get("idle")
    measured = idle and Measured(idle["virtgpu"], None, idle["native"], idle["ggml-rpc"])
    return [Budget("idle, both sides", 0, "% of a processor", measured or None, tolerance=0.05)]


def _guest(results):
    """Doorbells and what arms a fence to sleep on: all that leaves the guest."""
    rows = []
    for kind in ("whole", "windowless", "legacy"):
        found = _path(results, "virtual machine", "devices", kind, "per token", "frontend", "messages")
        rows.append(Budget(f"commands to the device per token in a virtual machine, {kind}", 1, "", _counted(found),
                           tolerance=0.05))
    return rows


def _path(results, *names):
    for name in names:
        results = results.get(name) if results is not None else None
    return results


def _counted(value):
    return None if value is None or math.isnan(value) else Measured(value)


def _row(results, mode, contender, row):
    return _path(results, "micro", mode, contender, row, "nanoseconds")


def _microseconds(results, row, mode):
    ours, native, rpc = (_row(results, mode, name, row) for name in ("virtgpu", "native", "ggml-rpc"))
    if not ours:
        return None
    return Measured(samples.median(ours) / 1e3, samples.spread(ours), _median_or_none(native, 1e3),
                    _median_or_none(rpc, 1e3))


def _overhead(results, variant):
    """What a token takes longer than natively, of the fastest model: its unchanged graph, inputs and logits."""
    speeds = {row["model"]: samples.median(row["samples"]) for row in results.get("tokens", [])
              if row["test"].startswith("tg") and (row["contender"], row["variant"]) == ("native", variant)}
    if not speeds:
        return None
    native, ours, rpc = (_token_times(results, name, max(speeds, key=speeds.get), variant)
                         for name in ("native", "virtgpu", "ggml-rpc"))
    return ours and Measured(samples.difference(ours, native), samples.spread(ours), None,
                             rpc and samples.difference(rpc, native))


def _token_times(results, contender, model, variant):
    """In microseconds."""
    speeds = tokens.select(results, "tg", contender, model, variant)
    return speeds and [speed and 1e6 / speed for speed in speeds]


def _changed(results, side):
    nanoseconds = _path(results, "changed graph", side)
    return Measured(samples.median(nanoseconds) / 1e3, samples.spread(nanoseconds)) if nanoseconds else None


def _of_memcpy(results, row):
    def part(name):
        moved, copied = (_row(results, "spare", name, f"{what}/{BULK}") for what in (row, "memcpy"))
        return samples.ratio(copied, moved) if moved and copied else None

    ours = part("virtgpu")
    moved = _row(results, "spare", "virtgpu", f"{row}/{BULK}")
    return ours and Measured(ours, samples.spread(moved), part("native"), part("ggml-rpc"))


def _of_native(results, row):
    ours, native, rpc = (_row(results, "spare", name, f"{row}/{BULK}") for name in ("virtgpu", "native", "ggml-rpc"))
    if not ours or not native:
        return None
    return Measured(samples.ratio(native, ours), samples.spread(ours), 1, rpc and samples.ratio(native, rpc))


def _median_or_none(values, divisor):
    return samples.median(values) / divisor if values else None
