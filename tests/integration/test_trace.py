"""A trace of guest and host on one time line."""
from container import Container
from harness import generation, trace
from harness.host import HostProgram

STREAM = 2  # its ring, in the guest and in the host: llama.cpp has tried out what fits with another before


def test_each_graph_is_computed_after_it_was_sent_and_before_it_was_waited_for(log_folder, tmp_path):
    with HostProgram(log_folder, serve="--listen", arguments=("--trace", tmp_path)) as host:
        finished = Container(host.socket).generate(generation.Request(tokens=16), GGML_VIRTGPU_TRACE=str(tmp_path))
        assert finished.status == 0, finished.errors[-2000:]
    events = trace.merged(tmp_path)
    guest, worker = trace.processes(events, "guest"), trace.processes(events, "host")
    sent = [(sequence, begin) for sequence, begin, _ in trace.spans(events, guest, ("graph_compute",), STREAM)]
    began = {sequence: begin for sequence, begin, _ in trace.spans(events, worker, ("RUN_GRAPH",), STREAM)}
    waited = {sequence: end for sequence, _, end in trace.spans(events, guest, ("wait",), STREAM)}
    both = sorted(began.keys() & waited.keys())
    assert len(both) > 8
    for sequence in both:
        sending = max(begin for before, begin in sent if before < sequence)
        assert sending < began[sequence] < waited[sequence]
