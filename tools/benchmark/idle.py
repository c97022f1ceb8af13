"""What it costs to be connected and do nothing: processor time of the application and of all that serves it.

The same program first computes one graph as often as it is told to, which shows what such a graph costs on the way.
"""
import contextlib
import os
import subprocess
import sys
import time

from benchmark import contenders, traffic
from harness import processes, usage

PROGRAM = "virtgpu_idle"
GRAPHS = 100  # before it does nothing
SETTLING_SECONDS = 1  # until everybody who polls has given up


def measure(settings):
    """Per cent of one processor, by contender."""
    logs = settings.logs / "idle"
    candidates = (contextlib.nullcontext(contenders.native(backend=settings.backend)), contenders.virtgpu(settings.threads, logs, backend=settings.backend),
                  contenders.rpc(settings.threads, logs, settings.backend))
    found = {}
    for candidate in candidates:
        with candidate as contender:
            print(f"idle: {contender.name}", file=sys.stderr)
            found[contender.name] = _percent(contender, settings.idle_seconds)
    return found


def measure_counts(settings):
    """What an unchanged graph without inputs costs on the way, by the frontend."""
    with contenders.virtgpu(settings.threads, settings.logs / "idle-counts", backend=settings.backend) as ours:
        shorter, longer = (_counted(ours, graphs) for graphs in (GRAPHS, 10 * GRAPHS))
    return traffic.per_graph(shorter, longer)


def _counted(contender, graphs):
    finished = subprocess.run([*contender.program(PROGRAM), str(graphs)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=True,
                              env=contender.environment(GGML_VIRTGPU_DEBUG="1"))
    return traffic.of_frontend(finished.stderr)


def _percent(contender, seconds):
    with subprocess.Popen([*contender.program(PROGRAM), str(GRAPHS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, env=contender.environment()) as application:
        if application.stdout.readline() != "idle\n":
            raise RuntimeError(f"{PROGRAM} failed for {contender.name}")
        time.sleep(SETTLING_SECONDS)
        before, started = _processor_seconds(), time.monotonic()
        time.sleep(seconds)
        used = _processor_seconds() - before
        return 100 * used / (time.monotonic() - started)


def _processor_seconds():
    # One contender at a time is there, so all that we have started belongs to it.
    return sum(usage.processor_seconds(pid) for pid, _ in processes.descendants(os.getpid()))
