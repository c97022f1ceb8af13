"""What single things cost: the C++ program of this folder, for every contender, round by round."""
import collections
import json
import re
import subprocess
import sys

from benchmark import contenders, traffic

PROGRAM = "virtgpu_benchmark"
SECONDS = 600
USUAL_GRAPH = 1300  # nodes, of a model with some forty layers
ASLEEP_ROWS = r"^(round_trip_|unchanged_graph(_asleep)?/1300/)"
BULK_ROWS = r"^(memcpy|set_bytes|get_bytes|set_pinned|get_pinned)/268435456/"
QUICK_ROWS = r"^(round_trip_|.*graph.*/(100|1300)/|(memcpy|set_bytes|get_bytes)/(64|1048576)/)"
DECORATION = re.compile(r"/(real_time|manual_time|iterations:\d+|repeats:\d+)")
ASLEEP_ITERATIONS = 100  # as the C++ program has it


def measure(settings):
    """By mode, contender and row: {"nanoseconds": samples, "bytes": how many a call moves, or None}."""
    if settings.backend != "cpu":  # launching kernels drowns all that is small
        return {"spare": _in_mode(settings, "spare", BULK_ROWS)}
    return {"spare": _in_mode(settings, "spare", QUICK_ROWS if settings.quick else "."),
            "full": _in_mode(settings, "full", ASLEEP_ROWS)}


def measure_counts(settings):
    """What a request into the quiet costs on the way."""
    with contenders.virtgpu(settings.processors, settings.logs / "micro-counts", backend=settings.backend) as ours:
        once, thrice = (_counted(ours, "^round_trip_asleep/", [f"--benchmark_repetitions={times}"])
                        for times in (1, 3))
    return traffic.per(2 * ASLEEP_ITERATIONS, once, thrice)


def samples(rows):
    """From Google Benchmark's JSON: {"row": {"nanoseconds": [...], "bytes": ...}}."""
    found = {}
    for row in rows:
        if row.get("run_type") != "iteration":
            continue
        nanoseconds = row["real_time"]
        moved = row.get("bytes_per_second")
        entry = found.setdefault(plain_name(row["run_name"]),
                                 {"nanoseconds": [], "bytes": moved and round(moved * nanoseconds / 1e9)})
        entry["nanoseconds"].append(nanoseconds)
    return found


def plain_name(name):
    return DECORATION.sub("", name)


def series(results, contender, row, mode="spare"):
    """Points of a sweep, as [(size, row)], smallest size first."""
    rows = results.get("micro", {}).get(mode, {}).get(contender, {})
    points = [(int(name.split("/")[1]), entry) for name, entry in rows.items() if name.split("/")[0] == row]
    return sorted(points, key=lambda point: point[0])


def _in_mode(settings, mode, rows):
    collected = collections.defaultdict(dict)
    with contenders.everybody(settings.threads_in(mode), settings.logs / f"micro-{mode}", backend=settings.backend) as everybody:
        for number in range(1, settings.rounds + 1):
            for contender in everybody:
                print(f"single things ({mode}), round {number} of {settings.rounds}: {contender.name}",
                      file=sys.stderr)
                measured = samples(run(contender, rows, _effort(settings))[0])
                _append(collected[contender.name], measured)
    return dict(collected)


def _append(collected, measured):
    for name, entry in measured.items():
        known = collected.setdefault(name, {"nanoseconds": [], "bytes": entry["bytes"]})
        known["nanoseconds"] += entry["nanoseconds"]


def _effort(settings):
    return [f"--benchmark_min_time={'0.001' if settings.quick else '0.05'}"]


def _counted(contender, rows, options):
    return traffic.of_frontend(run(contender, rows, options, GGML_VIRTGPU_DEBUG="1")[1])


def run(contender, rows, options, **variables):
    """(rows of Google Benchmark's JSON, what the program said besides)"""
    command = [*contender.program(PROGRAM), "--benchmark_format=json", f"--benchmark_filter={rows}", *options]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False,
                              env=contender.environment(**variables))
    if finished.returncode != 0:
        raise RuntimeError(f"the micro benchmark of {contender.name} failed: {finished.stderr[-2000:]}")
    return json.loads(finished.stdout)["benchmarks"], finished.stderr
