"""Two virtio-gpu devices, each with a host program of its own, are two sets of devices."""
import pytest

from harness import generation, processes
from harness.guest import Guest
from harness.host import HostProgram
from workload import SHORT, assert_native

WINDOW = ("--window", "256M")


@pytest.fixture(scope="module", name="hosts")
def two_hosts(log_folder):
    with HostProgram(log_folder / "first", arguments=WINDOW) as first, \
            HostProgram(log_folder / "second", arguments=WINDOW) as second:
        yield [first, second]


@pytest.fixture(scope="module", name="guest")
def guest_of_both(hosts, guest_image, log_folder):
    with Guest(guest_image, log_folder, devices=[host.socket for host in hosts]) as machine:
        yield machine


def graphs(host):
    return sum(context["graphs"] for context in host.closed_contexts())


def test_both_are_listed(guest):
    finished = guest.run("llama-completion --list-devices")
    assert finished.status == 0, finished.errors
    assert "virtgpu0: " in finished.output and "virtgpu1: " in finished.output


@pytest.mark.parametrize("number", [0, 1])
def test_the_named_one_computes(hosts, guest, number):
    before = [graphs(host) for host in hosts]
    assert_native(SHORT, generation.whole(lambda: guest.run(SHORT.guest_command(f"virtgpu{number}"))))
    processes.wait_until(lambda: graphs(hosts[number]) - before[number] >= SHORT.tokens, 10, "the host's count")
    assert graphs(hosts[1 - number]) == before[1 - number]
