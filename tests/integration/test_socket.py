"""llama.cpp on the host's device through the container socket."""
import contextlib
import re

from container import assert_text_equals_native, ended, finish, messages
from harness import generation, places, processes

REQUEST = generation.Request(tokens=48, options=generation.TRACE)
NODES_PERCENT = 90


def closed_contexts(host):
    """Of all programs so far: the host counts when a program's worker has ended."""
    processes.wait_until(lambda: not host.workers(), 10, "the worker's end")
    return host.closed_contexts()


def test_the_device_is_listed(container):
    finished = container.run("llama-bench", "--list-devices")
    assert finished.status == 0
    assert "virtgpu0: " in finished.output
    assert not messages(finished)  # all is well: nothing to say


def test_the_log_names_both_versions(container):
    finished = container.run("llama-bench", "--list-devices", GGML_VIRTGPU_DEBUG="1")
    connected = [line for line in messages(finished) if "connected" in line]
    assert len(connected) == 1
    assert "here: frontend " in connected[0] and "host: " in connected[0]


def test_bench_uses_the_device(host, container):
    before = len(closed_contexts(host))
    finished = container.run("llama-bench", "-m", places.MODEL, "-ngl", "99", "-p", "16", "-n", "8", "-r", "1")
    assert finished.status == 0, finished.errors
    assert "virtgpu" in finished.output
    assert sum(context["graphs"] for context in closed_contexts(host)[before:]) > 8


def test_text_equals_native_and_the_host_computed_it(host, container):
    before = len(closed_contexts(host))
    finished = assert_text_equals_native(
        REQUEST, lambda: container.generate(REQUEST, "--device", generation.DEVICE))
    contexts = closed_contexts(host)[before:]
    graphs = sum(context["graphs"] for context in contexts)
    nodes = sum(context["nodes"] for context in contexts)
    assert graphs >= REQUEST.tokens
    assert 100 * nodes >= NODES_PERCENT * graphs * generation.graph_nodes(finished.errors)


def test_the_host_says_on_request_what_it_did_so_far(host, container):
    with ended(container.start_generating(generation.Request(tokens=2000), "--ignore-eos",
                                            "--device", generation.DEVICE)):
        processes.wait_until(lambda: " serves a new container" in host.log() and host.workers(), 10, "the worker")

        def asked():
            host.ask_for_counters()
            return re.search(r"context so far: context=\d+ graphs=[1-9]", host.log())

        processes.wait_until(asked, 10, "a line with what the context did", pause=0.01)


def test_part_of_the_layers_on_the_device(container):
    # Splits the graph between the device and this machine's CPU, with copies in between.
    assert_text_equals_native(
        REQUEST, lambda: container.run("llama-completion", *REQUEST.arguments(), "-ngl", "2"))


def test_two_programs_at_once(container):
    def both():
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(ended(container.start_generating(request))) for request in requests]
            return [finish(process, 120) for process in running]

    requests = [generation.Request(tokens=32, prompt=prompt) for prompt in ("ROMEO:\n", "KING HENRY V:\n")]
    for request, finished in zip(requests, generation.all_whole(both)):
        assert finished.status == 0, finished.errors[-3000:]
        assert finished.output == generation.native(request)
