"""Guests with upstream's frontend in a virtual machine: by the kernel's own calls, in both kinds of contexts."""
import pytest

from harness import image, places, processes
from harness.guest import Guest
from harness.host import HostProgram

PROGRAM = places.build_folder() / "tests/apir/virtgpu_upstream_guest"
APIR = 10
VENUS = 4  # what upstream's frontend asks for where nobody tells it otherwise


@pytest.fixture(scope="module")
def guest_image():
    return image.build(programs=[PROGRAM])


@pytest.fixture(scope="module")
def host(log_folder):
    with HostProgram(log_folder, environment={"VIRGL_ROUTE_VENUS_TO_APIR": "1"}) as program:
        yield program


@pytest.fixture(scope="module")
def guest(host, guest_image, log_folder):
    with Guest(guest_image, log_folder, devices=[host.socket]) as machine:
        yield machine


def command(capset, task):
    return f"{image.command_for(PROGRAM)} --capset {capset} {task}"


@pytest.mark.parametrize("capset", [APIR, VENUS])
def test_graphs_by_both_data_paths(guest, capset):
    finished = guest.run(command(capset, "graphs"))
    assert finished.status == 0, finished.errors
    assert "the same as native, by both paths" in finished.output


def test_two_processes_at_once(guest):
    both = [guest.start(command(capset, "graphs")) for capset in (APIR, VENUS)]
    for job in both:
        finished = job.wait(120)
        assert finished.status == 0, finished.errors


def test_a_killed_process_leaves_nothing_and_the_next_one_computes(host, guest):
    before = len(host.closed_contexts())
    job = guest.start(command(VENUS, "endless"))
    processes.wait_until(lambda: guest.run(f"cat /run/jobs/{job.number}.stdout").output == "computing\n", 60,
                         "a graph in the guest")
    guest.run("killall -9 ld-linux-x86-64.so.2")
    job.wait(60)
    processes.wait_until(lambda: len(host.closed_contexts()) > before, 30, "the end of its context")
    finished = guest.run(command(VENUS, "graphs"))
    assert finished.status == 0, finished.errors


def test_an_index_outside_of_its_tensor_fails_the_graph_and_the_machine_lives_on(guest):
    finished = guest.run(command(VENUS, "stray"))
    assert finished.status == 0, finished.errors
    assert "failed, and nothing was aborted" in finished.output
    finished = guest.run(command(APIR, "graphs"))
    assert finished.status == 0, finished.errors
