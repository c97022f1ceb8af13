"""The worker is killed at any point of a computation: its client sees an error soon, and the next one computes right."""
import os
import random
import signal
import time

import attack
from harness import processes

# `make hostile` does it 200 times.
TIMES = int(os.environ.get("VIRTGPU_KILLS", "5"))
SEEN_SECONDS = 2


def kill_worker(host):
    [worker] = host.workers()
    os.kill(worker, signal.SIGKILL)


def seconds_until_failure(client):
    started = time.monotonic()
    processes.wait_until(client.has_failed, 20, "an error in the client")
    return time.monotonic() - started


def test_an_error_and_then_right_results(host):
    chance = random.Random(7)
    longest = 0
    for _ in range(TIMES):
        with attack.Steady(host.socket) as client:
            processes.wait_until(lambda: client.rounds() > 0, 30, "a result")
            [device] = processes.children(host.pid)
            time.sleep(chance.random() * 0.2)
            kill_worker(host)
            longest = max(longest, seconds_until_failure(client))
        attack.wait_for_quiet(host, 0)
        # It lived until its client was gone.
        processes.wait_until(lambda d=device: f"device process {d} ended" in host.log(), 10, "its orderly end")
    print(f"{TIMES} times; the error was seen after {longest:.2f} s at the latest")
    assert longest < SEEN_SECONDS
    with attack.Steady(host.socket) as client:
        processes.wait_until(lambda: client.rounds() > 5, 30, "results")


def test_a_worker_that_is_stopped_is_waited_for(host):
    """Stopped as by a debugger, or by a machine that sleeps: nobody is lost, and the results stay right."""
    with attack.Steady(host.socket) as client:
        processes.wait_until(lambda: client.rounds() > 0, 30, "a result")
        [worker] = host.workers()
        os.kill(worker, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(worker, signal.SIGCONT)
        before = client.rounds()
        processes.wait_until(lambda: client.rounds() > before + 5, 30, "results after the pause")


def test_a_fault_in_the_worker_ends_the_worker_alone(host):
    """SIGBUS and SIGSEGV, as memory that is not there raises them."""
    for fault in (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGSYS):
        with attack.Steady(host.socket) as client:
            processes.wait_until(lambda: client.rounds() > 0, 30, "a result")
            [worker] = host.workers()
            os.kill(worker, fault)
            assert seconds_until_failure(client) < SEEN_SECONDS
        attack.wait_for_quiet(host, 0)
    assert host.is_alive()
    assert f"killed by signal {int(signal.SIGBUS)}" in host.log()


def test_the_device_process_is_killed_and_a_new_connection_computes(host):
    """Containers reconnect: a program's next context needs nothing but the socket."""
    with attack.Steady(host.socket) as client:
        processes.wait_until(lambda: client.rounds() > 0, 30, "a result")
        [device] = processes.children(host.pid)
        workers = host.workers()
        os.kill(device, signal.SIGKILL)
        assert seconds_until_failure(client) < SEEN_SECONDS
        processes.wait_until(lambda: not host.workers(), 10, f"the end of {workers}")
    with attack.Steady(host.socket) as client:
        processes.wait_until(lambda: client.rounds() > 5, 30, "results")
