"""Clients that break every rule, beside one that breaks none."""
import os
import signal

import pytest

import attack
import sequences
from client import Client
from harness import processes

ROUNDS = 2
GROWTH_KIB = 2048


@pytest.fixture(scope="module", name="steady")
def well_behaved_client(host):
    with attack.Steady(host.socket) as client:
        yield client


@pytest.mark.parametrize("kind", sequences.ALL, ids=lambda kind: kind.__name__)
def test_a_hostile_client_hurts_nobody(host, steady, kind):
    before = steady.rounds()
    for number, one, chance in attack.sequences_of(1, ROUNDS, [kind]):
        attack.run(host.socket, one, chance)
    processes.wait_until(lambda: steady.rounds() > before, 30, "another result of the well-behaved client")
    assert host.is_alive()


def test_what_they_held_is_given_back(host, steady):
    attack.wait_for_quiet(host, 1)
    before = attack.resources(host)
    for _, kind, chance in attack.sequences_of(2, 20, sequences.WITHOUT_WORKER):
        attack.run(host.socket, kind, chance)
    attack.wait_for_quiet(host, 1)
    after = attack.resources(host)
    assert after[0] - before[0] < GROWTH_KIB and after[1] <= before[1], f"{before} became {after}"
    assert steady.rounds() > 0


def test_a_client_that_says_half_of_something_holds_nobody_up(host, steady):
    with Client(host.socket) as client:
        client.make_region(4096)
        client.submit(1)
        before = steady.rounds()
        processes.wait_until(lambda: steady.rounds() > before + 10, 30, "results of the well-behaved client")


def test_the_device_process_of_a_client_is_killed_and_nobody_else_notices(host, steady):
    attack.wait_for_quiet(host, 1)
    own = set(processes.children(host.pid))
    with Client(host.socket) as client:
        client.load()
        [device] = set(processes.children(host.pid)) - own
        os.kill(device, signal.SIGKILL)
        assert client.socket.recv(1) == b""
    processes.wait_until(lambda: set(processes.children(host.pid)) == own, 20, "the end of its processes")
    before = steady.rounds()
    processes.wait_until(lambda: steady.rounds() > before, 30, "another result of the well-behaved client")
