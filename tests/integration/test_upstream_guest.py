"""Guests with upstream's frontend, over the container's socket: both data paths, several at once, sudden ends."""
import subprocess

import pytest

from harness import places, processes
from harness.host import HostProgram

PROGRAM = places.build_folder() / "tests/apir/virtgpu_upstream_guest"
SECONDS = 120


def start(host, task):
    return subprocess.Popen([PROGRAM, "--socket", host.socket, task], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, preexec_fn=processes.die_with_parent)


def finish(process):
    try:
        output, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, errors
    return output


def run(host, task):
    return finish(start(host, task))


@pytest.fixture(scope="module")
def host(log_folder):
    with HostProgram(log_folder, serve="--listen") as program:
        yield program


def test_graphs_by_both_data_paths(host):
    assert "the same as native, by both paths" in run(host, "graphs")


def test_two_guests_at_once(host):
    both = [start(host, "graphs") for _ in range(2)]
    for process in both:
        assert "the same as native" in finish(process)


def test_a_killed_guest_leaves_nothing_and_disturbs_nobody(host):
    before = len(host.closed_contexts())
    killed = start(host, "endless")
    assert killed.stdout.readline() == "computing\n", killed.stderr.read()
    other = start(host, "graphs")
    killed.kill()
    killed.communicate()
    assert "the same as native" in finish(other)
    processes.wait_until(lambda: len(host.closed_contexts()) >= before + 2, 30, "the end of both contexts")


def test_upstream_5_6_an_index_outside_of_its_tensor_fails_the_graph_and_aborts_nobody(host):
    other = start(host, "endless")
    assert other.stdout.readline() == "computing\n", other.stderr.read()
    assert "failed, and nothing was aborted" in run(host, "stray")
    assert other.poll() is None  # its worker is another one
    other.kill()
    other.communicate()
    assert "the same as native" in run(host, "graphs")


def test_virglrenderer_3_7_a_blob_does_not_wait_for_a_graph(host):
    run(host, "slow")
