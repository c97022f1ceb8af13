"""Where the time of one token goes, and that of a part of a prompt: what guest and host did meanwhile, on one time line.

Writing the trace down takes a microsecond for each thing, so a traced token is slower than others.
"""
import importlib.machinery
import importlib.util
import shutil
import statistics
import sys

from benchmark import contenders, llama_bench, models
from harness import places

TESTS = {"token": (0, 64), "prompt": (4096, 0)}  # tokens of the prompt, and to be generated


def measure(settings):
    """[{"model", "variant": "token" or "prompt", "microseconds", "events": [{"side", "ring", "name", "begin", "end"}]}]

    From one graph to the next.
    """
    return [_measure_test(settings, model, test) for model in models.chosen(settings) for test in TESTS]


def _measure_test(settings, model, test):
    folder = settings.folder / "traces" / f"{model.stem}-{test}"
    shutil.rmtree(folder, ignore_errors=True)
    for side in ("guest", "host"):
        (folder / side).mkdir(parents=True)
    print(f"a traced {test} of {model.name}", file=sys.stderr)
    logs = settings.logs / "trace"
    with contenders.virtgpu(settings.threads, logs, backend=settings.backend,
                            arguments=("--trace", str(folder / "host"))) as ours:
        traced = contenders.Contender(ours.name, ours.device, ours.arguments, ours.bench_arguments,
                                      (*ours.variables, ("GGML_VIRTGPU_TRACE", str(folder / "guest"))), ours.host)
        llama_bench.run(traced, model, settings.threads, *TESTS[test])
    length, events = usual_graph(read(folder))
    return {"model": model.name, "variant": test, "microseconds": length, "events": events}


def read(folder):
    """Events of both sides, in the order in which they began."""
    events_of = _tool("trace").events_of
    events = [{"side": side, "ring": event["tid"], "name": event["name"], "begin": event["ts"],
               "end": event["ts"] + event["dur"]}
              for side in ("guest", "host") for path in sorted((folder / side).glob("*.json"))
              for event in events_of(path)]
    return sorted(events, key=lambda event: event["begin"])


def usual_graph(events):
    """(microseconds, events) of a graph of median length, from where it is asked for to where the next one is.

    Times count from its begin. Early ones are others: graphs are defined, and the GPU wakes up.
    """
    begins = [event["begin"] for event in events if event["side"] == "guest" and event["name"] == "graph_compute"]
    graphs = list(zip(begins, begins[1:]))[len(begins) // 2:]
    if not graphs:
        return 0.0, []
    middle = statistics.median_low(end - begin for begin, end in graphs)
    begin, end = next((begin, end) for begin, end in graphs if end - begin == middle)
    return end - begin, [{**event, "begin": round(event["begin"] - begin, 3), "end": round(event["end"] - begin, 3)}
                         for event in events if event["end"] >= begin and event["begin"] < end]


def _tool(name):
    """A program of tools/ as a module."""
    path = str(places.REPOSITORY / "tools" / name)
    loader = importlib.machinery.SourceFileLoader(f"tools_{name}", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module
