"""What a graph that changed costs on each side: from a trace, which has guest and host apart."""
import shutil

from benchmark import contenders, micro, token_trace
from benchmark.micro import USUAL_GRAPH

# What a side does with a changed graph, and what the trace calls that.
SPANS = {"guest": "graph_compute", "host": "EDIT_GRAPH"}


def measure(settings):
    """{side: nanoseconds}; of the guest to encode, compare and send, of the host to check and build anew."""
    folder = settings.folder / "traces" / "changed-graph"
    shutil.rmtree(folder, ignore_errors=True)
    for side in SPANS:
        (folder / side).mkdir(parents=True)
    with contenders.virtgpu(settings.threads, settings.logs / "changed-graph", backend=settings.backend,
                            arguments=("--trace", str(folder / "host"))) as ours:
        micro.run(ours, f"^changed_graph/{USUAL_GRAPH}/", ["--benchmark_min_time=0.05"],
                  GGML_VIRTGPU_TRACE=str(folder / "guest"))
    events = token_trace.read(folder)
    return {side: [round(1e3 * (event["end"] - event["begin"])) for event in events
                   if (event["side"], event["name"]) == (side, name)] for side, name in SPANS.items()}
