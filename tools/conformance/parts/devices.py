"""Two devices behind one host, the processor and lavapipe, with some of the layers on each: the numbers are those of the
same split natively, and both compute at the same time."""
import shutil
import tempfile

from conformance.parts import models, texts
from conformance.session import ending, repeated_until_whole
from conformance.shard import Outcome, Shard
from harness import generation, trace

BACKENDS = "cpu,vulkan"  # of one host program, in this order
FIRST_LAYERS, OTHER_LAYERS = 4, 3  # of the demo model's six and its output
# Several small batches in flight: llama.cpp computes the next one's first layers during this one's others.
# Before it uses a graph a second time it waits for all devices, and nothing would be in flight.
PIPELINE_ENVIRONMENT = (("LLAMA_GRAPH_REUSE_DISABLE", "1"),)
PIPELINE = ("-f", texts.CORPUS, "-c", "512", "-b", "512", "-ub", "32", "--chunks", "2")
# A device that computes in the background is waited for by the first of these behind the graph on its ring; when that
# takes a while, the device was computing all the time.
WAITING = ("wait", "EDIT_GRAPH", "GET_TENSOR")
A_WHILE = 1000
# Of the time in which the faster device computes, in which the other one does as well. Without a pipeline: nothing.
LEAST_SHARED = 0.5


def union(spans):
    """(begin, end) pairs that do not overlap, of pairs that may."""
    joined = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined


def length(spans):
    return sum(end - begin for begin, end in spans)


def shared(some, others):
    """How long spans of both, each without overlaps, last at the same time."""
    return sum(max(0, min(end, other_end) - max(begin, other_begin))
               for begin, end in some for other_begin, other_end in others)


def computing(events):
    """For each device, when it computes, by the traces of the host's workers. A program has a stream on each device."""
    devices = [], []
    for worker in trace.processes(events, "host"):
        rings = sorted({event["tid"] for event in events if event["pid"] == worker and event["name"] == "RUN_GRAPH"})
        for spans, ring in zip(devices, rings):
            waits = [wait[1:] for wait in trace.spans(events, {worker}, WAITING, ring)]
            spans += [(begin, _until(end, waits)) for _, begin, end in trace.spans(events, {worker}, ("RUN_GRAPH",), ring)]
    return [union(spans) for spans in devices]


def _until(end, waits):
    """When a graph was computed whose RUN_GRAPH was carried out at `end`."""
    wait_begin, wait_end = next((wait for wait in waits if wait[1] > end), (end, end))
    return wait_end if wait_end - wait_begin >= A_WHILE else end


def parallel_failures(first, second):
    if not first or not second:
        yield f"one of the devices computed nothing: {len(first)} and {len(second)} times"
    elif shared(first, second) < LEAST_SHARED * min(length(first), length(second)):
        yield (f"both compute for {shared(first, second):.0f} us of {length(first):.0f} and {length(second):.0f} us, "
               f"which is less than {LEAST_SHARED:.0%}")


def shards(session, quick):
    # The processor is there in any case; the other one is what the session's backend is.
    if session.backend.device == "CPU":
        return []
    return [Shard("devices", f"layers on both, {kind}", lambda kind=kind: _check(session, kind)) for kind in models.KINDS]


def _check(session, kind):
    # Products with weights on the native processor must not go to the GPU.
    common = ("-m", models.demo_model(session, kind), "-fa", "on", "-t", session.threads, "-fit", "off",
              "--no-op-offload", *session.repacking(False))
    native = ("-ngl", OTHER_LAYERS, "--device", session.backend.device)
    remote = ("-sm", "layer", "--device", "virtgpu0,virtgpu1", "-ngl", "99", "-ts", f"{FIRST_LAYERS},{OTHER_LAYERS}")
    text = ("llama-completion", "-p", texts.prompt(), "-n", texts.TOKENS, "-c", texts.CONTEXT, "-ub", "32", "--temp", 0,
            "-no-cnv", "--no-display-prompt", "--ignore-eos")
    folder = tempfile.mkdtemp(dir=session.folder)

    def compared(words, found, is_whole, arguments=()):
        with session.host_program(session.folder / "logs/devices", "--listen", ("--no-repack", *arguments),
                                  BACKENDS) as host:
            natively = repeated_until_whole(lambda: session.native(*words, *common, *native,
                                                                    environment=PIPELINE_ENVIRONMENT), is_whole)
            remotely = repeated_until_whole(lambda: session.on_host(host, *words, *common, *remote,
                                                                      environment=PIPELINE_ENVIRONMENT), is_whole)
        return _differences(words[0], natively, remotely, found)

    try:
        failures = [*compared(text, lambda run: run.output, generation.is_whole),
                    *compared(("llama-perplexity", *PIPELINE), texts.perplexity, texts.perplexity, ("--trace", folder)),
                    *parallel_failures(*computing(trace.merged(folder)))]
    finally:
        shutil.rmtree(folder)
    return Outcome(cases=3 - len(failures), failures=tuple(failures))


def _differences(program, natively, remotely, found):
    for side, finished in (("natively", natively), ("remotely", remotely)):
        if finished.status != 0:
            yield f"{program} {side}: {ending(finished)}"
            return
    if found(natively) != found(remotely):
        yield f"{program} natively {found(natively)!r:.200}, remotely {found(remotely)!r:.200}"
