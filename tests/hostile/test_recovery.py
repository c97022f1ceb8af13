"""What a program meets when the host takes its computation away, and that it computes again without being restarted."""
import os
import pathlib
import resource
import signal
import time

import pytest

import attack
from harness import places, processes
from harness.host import HostProgram

# Products of matrices of this size take longer than the limit, and a chain of smaller ones does, too.
GRAPH_SECONDS = 1
LONG_PRODUCT, LONG_CHAIN = (8192, 1), (1024, 3000)
# What a backend gets to stop is 10 s; then its worker ends.
SOON = 40
LARGE = 4096  # its matrices have 64 MiB


@pytest.fixture(name="hasty_host")
def host_with_a_watchdog():
    with HostProgram(places.build_folder() / "hostile-logs/watchdog", serve="--listen", threads=1,
                     arguments=("--memory", "2G", "--window", "2G", "--graph-seconds", GRAPH_SECONDS)) as host:
        yield host


@pytest.mark.parametrize("graph", [LONG_CHAIN, LONG_PRODUCT])
def test_a_graph_that_takes_too_long_is_ended(hasty_host, graph):
    with attack.Steady(hasty_host.socket) as other, attack.Attempts(hasty_host.socket) as client:
        assert client.attempt() == "computed"
        started = time.monotonic()
        assert client.attempt(*graph) == "failed"
        assert GRAPH_SECONDS <= time.monotonic() - started < SOON
        assert client.attempt() == "computed", "the program goes on with a fresh context"
        before = other.rounds()
        processes.wait_until(lambda: other.rounds() > before, 30, "results of the other tenant")


def test_the_worker_dies_and_the_program_goes_on(host):
    with attack.Attempts(host.socket) as client:
        for fault in (signal.SIGKILL, signal.SIGSEGV, signal.SIGKILL):
            assert client.attempt() == "computed"
            [worker] = host.workers()
            os.kill(worker, fault)
            processes.wait_until(lambda gone=worker: gone not in host.workers(), 10, "the end of the worker")
            # Nobody told the program yet: its next backend may find out.
            assert client.attempt() in ("computed", "failed", "no backend")
            assert client.attempt() == "computed"
        assert client.end() == 0


def test_the_device_process_dies_and_the_program_goes_on(host):
    with attack.Attempts(host.socket) as client:
        assert client.attempt() == "computed"
        [device] = processes.children(host.pid)
        os.kill(device, signal.SIGKILL)
        processes.wait_until(lambda: device not in processes.children(host.pid), 10, "the end of the device process")
        assert client.attempt() in ("computed", "failed", "no backend")
        assert client.attempt() == "computed"


def test_a_worker_that_gets_no_memory_refuses(host):
    """As the system may refuse it at any time, whatever the tenant's limit is."""
    with attack.Attempts(host.socket) as client:
        assert client.attempt() == "computed"
        [worker] = host.workers()
        pages = int(pathlib.Path(f"/proc/{worker}/statm").read_text(encoding="ascii").split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + (16 << 20)
        resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))
        assert client.attempt(LARGE) in ("no memory", "failed")
        assert client.attempt() == "computed"
    assert host.is_alive()
