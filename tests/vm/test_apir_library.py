"""A host of level 1 alone, in which a library of somebody else's interface computes, and the guests that it may have."""
import pytest

from harness import generation, image, other_library, places, processes
from harness.guest import Guest
from workload import UPSTREAM_GUEST, assert_native, upstream_guest

# The library leaves weights as they are.
REQUEST = generation.Request(tokens=24, repack=False)


@pytest.fixture(scope="module")
def host(log_folder, tmp_path_factory):
    with other_library.host(log_folder, tmp_path_factory.mktemp("library")) as program:
        yield program


@pytest.fixture(scope="module")
def guest_image():
    return image.build(places.frontend(), programs=[UPSTREAM_GUEST], name="guest-with-both-frontends")


@pytest.fixture(scope="module")
def guest(host, guest_image, log_folder):
    with Guest(guest_image, log_folder, devices=[host.socket]) as machine:
        yield machine


def generate(guest, request=REQUEST):
    return guest.run(request.guest_command())


def test_the_plugin_finds_out_that_the_host_speaks_level_1_alone(guest):
    finished = guest.run("GGML_VIRTGPU_DEBUG=1 llama-completion --list-devices")
    assert finished.status == 0, finished.errors
    assert "virtgpu0: " in finished.output
    assert "speaks level 1 (APIR) only" in finished.errors


def test_the_text_equals_native(host, guest):
    before = len(host.closed_contexts())
    assert_native(REQUEST, generation.whole(lambda: generate(guest)))
    processes.wait_until(lambda: len(host.closed_contexts()) > before, 20, "the end of its context")
    assert sum(context["graphs"] for context in host.closed_contexts()[before:]) >= REQUEST.tokens


def test_each_process_has_a_worker_of_its_own(host, guest):
    def both():
        jobs = [guest.start(request.guest_command()) for request in requests]
        processes.wait_until(lambda: len(host.workers()) == 2, 60, "two workers")
        return [job.wait(240) for job in jobs]

    requests = [generation.Request(tokens=24, prompt=prompt, repack=False) for prompt in ("ROMEO:\n", "JULIET:\n")]
    for request, finished in zip(requests, generation.all_whole(both)):
        assert_native(request, finished)
    processes.wait_until(lambda: not host.workers(), 20, "their end")


def test_upstreams_guest_computes_by_both_data_paths(guest):
    finished = guest.run(upstream_guest(10, "graphs"))
    assert finished.status == 0, finished.errors
    assert "the same as native, by both paths" in finished.output
