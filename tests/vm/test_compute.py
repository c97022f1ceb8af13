"""A guest computes on the host: the same text as natively, for one process, for two, and across a pause."""
import time

from harness import generation, processes
from workload import SHORT, assert_computes_like_native, assert_native

NODES_PERCENT = 90  # of llama.cpp's graph, at least, are computed by the host; the embedding lookup is not


def _total(host, before, what):
    """Of the contexts that ended after the first `before`."""
    return sum(context[what] for context in host.closed_contexts()[before:])


def test_the_guest_sees_the_hosts_device(guest):
    finished = guest.run("llama-completion --list-devices")
    assert finished.status == 0, finished.errors
    assert "virtgpu" in finished.output


def test_text_equals_native(guest):
    assert_computes_like_native(guest)


def test_the_host_computed_it(host, guest):
    before = len(host.closed_contexts())
    request = generation.Request(tokens=24, options=generation.TRACE)
    finished = guest.run(request.guest_command())
    assert finished.status == 0, finished.errors
    # The worker counts a context when it has freed it, a moment after the guest's program has ended.
    processes.wait_until(lambda: _total(host, before, "graphs") >= request.tokens, 10, "the host's count of graphs")
    graphs, nodes = _total(host, before, "graphs"), _total(host, before, "nodes")
    assert 100 * nodes >= NODES_PERCENT * graphs * generation.graph_nodes(finished.errors)


def test_two_processes_at_once(guest):
    def both():
        jobs = [guest.start(request.guest_command()) for request in requests]
        return [job.wait(120) for job in jobs]

    requests = [generation.Request(tokens=64, prompt=prompt) for prompt in ("ROMEO:\n", "KING HENRY V:\n")]
    for request, finished in zip(requests, generation.all_whole(both)):
        assert_native(request, finished)


def test_a_paused_machine_goes_on(guest):
    def with_a_pause():
        job = guest.start(request.guest_command())
        time.sleep(1.5)  # past the start, into the computing
        guest.pause()
        time.sleep(3)
        guest.resume()
        return job.wait(120)

    request = generation.Request(tokens=400, options=("--ignore-eos",))
    assert_native(request, generation.whole(with_a_pause))


def test_many_processes_one_after_the_other_leave_nothing_behind(host, guest):
    for _ in range(5):
        assert_computes_like_native(guest, SHORT)
    assert len(host.workers()) <= 1
