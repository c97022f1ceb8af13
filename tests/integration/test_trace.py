"""A trace of guest and host on one time line."""
import json
import subprocess

from container import Container
from harness import generation, places
from harness.host import HostProgram


def merged(folder):
    finished = subprocess.run([places.REPOSITORY / "tools/trace", folder], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(finished.stdout)["traceEvents"]


def processes(events, name):
    return {event["pid"] for event in events if event["ph"] == "M" and event["args"]["name"].startswith(name)}


def spans(events, pids, name):
    """(sequence, begin, end) of the first stream's events."""
    return [(event["args"]["sequence"], event["ts"], event["ts"] + event["dur"]) for event in events
            if event["pid"] in pids and event["name"] == name and event.get("tid") == 2]


def test_each_graph_is_computed_after_it_was_sent_and_before_it_was_waited_for(log_folder, tmp_path):
    with HostProgram(log_folder, serve="--listen", arguments=("--trace", tmp_path)) as host:
        finished = Container(host.socket).generate(generation.Request(tokens=16), GGML_VIRTGPU_TRACE=str(tmp_path))
        assert finished.status == 0, finished.errors[-2000:]
    events = merged(tmp_path)
    guest, worker = processes(events, "guest"), processes(events, "host")
    sent = [(sequence, begin) for sequence, begin, _ in spans(events, guest, "graph_compute")]
    began = {sequence: begin for sequence, begin, _ in spans(events, worker, "RUN_GRAPH")}
    waited = {sequence: end for sequence, _, end in spans(events, guest, "wait")}
    both = sorted(began.keys() & waited.keys())
    assert len(both) > 8
    for sequence in both:
        sending = max(begin for before, begin in sent if before < sequence)
        assert sending < began[sequence] < waited[sequence]
