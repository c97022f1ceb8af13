"""What single things cost: the C++ program of this folder, on the CPU natively and through the others."""
import json
import os
import subprocess

from harness import places

PROGRAM = "tools/benchmark/virtgpu_benchmark"
REPETITIONS = 5
SECONDS = 600


def measure(contender):
    """Nanoseconds by name, and bytes per second where a row moves bytes: medians of REPETITIONS."""
    folder = places.root() / "usr/lib" / places.TRIPLET / "ggml/backends0"
    command = [str(places.build_folder() / PROGRAM), contender.device, str(folder), "--benchmark_format=json",
               f"--benchmark_repetitions={REPETITIONS}", "--benchmark_report_aggregates_only=true",
               "--benchmark_min_time=0.05"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False,
                              env={**os.environ, **dict(contender.environment)})
    if finished.returncode != 0:
        raise RuntimeError(f"the micro benchmark of {contender.name} failed: {finished.stderr[-2000:]}")
    rows = json.loads(finished.stdout)["benchmarks"]
    return {_plain(row["run_name"]): row for row in rows if row["aggregate_name"] == "median"}


def _plain(name):
    for part in ("/real_time", "/manual_time", "/iterations:100"):
        name = name.replace(part, "")
    return name.removesuffix("/repeats:5")


def text(results):
    """A table with a column for each contender; `results` is by contender's name."""
    lines = [f"{'':<28}" + "".join(f"{name:>16}" for name in results)]
    for row in next(iter(results.values())):
        lines.append(f"{row:<28}" + "".join(f"{_cell(rows.get(row)):>16}" for rows in results.values()))
    return "\n".join(lines)


def _cell(row):
    if row is None:
        return "-"
    if "bytes_per_second" in row and row["real_time"] > 20000:
        return f"{row['bytes_per_second'] / 1e9:.2f} GB/s"
    return f"{row['real_time'] / 1000:.1f} us"
