"""Very many tokens in one process: whether memory stays flat, and whether the last tokens take as long as the first."""
import json
import os
import subprocess
import sys
import time

from benchmark import contenders, llama_bench, samples
from harness import places, processes, usage

TOKENS_PER_SAMPLE = 50  # generated before the model's memory is cleared
SAMPLES_OF_MEMORY = 100
WARM = 0.1  # of the time, after which memory counts
PERCENTILES = (50, 90, 99, 99.9)
APPLICATION = "application"


def measure(settings):
    """{"tokens", "nanoseconds": per token, "memory_kib": {process: samples}}, or None where it was not asked for."""
    if not settings.tokens:
        return None
    with contenders.virtgpu(settings.threads, settings.logs / "endurance", backend=settings.backend) as ours:
        repetitions = -(-settings.tokens // TOKENS_PER_SAMPLE)
        command = [*places.command_for("llama-bench"), *ours.arguments,
                   *llama_bench.arguments(places.MODEL, settings.threads, 0, TOKENS_PER_SAMPLE, repetitions)]
        with open(settings.logs / "endurance/llama-bench.json", "w+", encoding="utf-8") as output:
            memory = _watch(command, ours, output, _pause(settings))
            output.seek(0)
            [row] = json.load(output)
    return {"tokens": repetitions * TOKENS_PER_SAMPLE,
            "nanoseconds": [nanoseconds / TOKENS_PER_SAMPLE for nanoseconds in row["samples_ns"]],
            "memory_kib": memory}


def growth_kib(memory, is_host):
    """Of the host's processes together, or of the application: from the end of the warm-up to the end."""
    chosen = [kib for name, kib in memory.items() if (name != APPLICATION) == is_host]
    return sum(kib[-1] - kib[int(len(kib) * WARM)] for kib in chosen)


def latencies(result):
    """[(percentile, in the first tenth, in the last tenth)] in nanoseconds."""
    tenth = max(1, len(result["nanoseconds"]) // 10)
    first, last = result["nanoseconds"][:tenth], result["nanoseconds"][-tenth:]
    return [(percent, samples.percentile(first, percent), samples.percentile(last, percent))
            for percent in PERCENTILES]


def _pause(settings):
    """Seconds between two looks at memory. Looking takes the kernel's locks, so it is done rarely."""
    at_least_per_second = 5000  # tokens; then there are as many samples as there should be
    return min(5, max(0.1, settings.tokens / at_least_per_second / SAMPLES_OF_MEMORY))


def _watch(command, ours, output, pause):
    memory = {}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL,
                          env=ours.environment()) as application:
        while application.poll() is None:
            print(f"endurance: {len(memory.get(APPLICATION, []))} looks at memory", end="\r", file=sys.stderr)
            _look(memory, application.pid)
            time.sleep(pause)
    print(file=sys.stderr)
    if application.returncode != 0:
        raise RuntimeError(f"llama-bench ended with status {application.returncode}")
    return memory


def _look(memory, application):
    found = {}
    for pid, program in processes.descendants(os.getpid()):
        try:
            found[APPLICATION if pid == application else f"{program} {pid}"] = usage.memory_kib(pid, ("Rss:",))
        except OSError:  # it is ending
            return
    for name, kib in found.items():
        memory.setdefault(name, []).append(kib)
