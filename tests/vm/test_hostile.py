"""A hostile program in the guest, raw ioctls only, beside a program that computes."""
import os
import re
import signal

import pytest

from harness import image, places, processes
from harness.guest import Guest
from workload import assert_computes_like_native, start_long_generation, wait_for_progress

# `make hostile` has more of them.
COUNT = int(os.environ.get("VIRTGPU_HOSTILE_GUEST", "150"))
PROGRAM = places.build_folder() / "tests/hostile/virtgpu_hostile_guest"
ANSWER = re.compile(r"(\d+) sequences, (\d+) ended")


@pytest.fixture(scope="module", name="guest")
def guest_with_the_program(host, log_folder):
    built = image.build(places.frontend(), programs=[PROGRAM])
    with Guest(built, log_folder, devices=[host.socket]) as machine:
        yield machine


def test_a_hostile_program_hurts_nobody(host, guest):
    device_processes = processes.children(host.pid)
    job = start_long_generation(guest)
    finished = guest.run(f"{PROGRAM.name} 1 {COUNT}", timeout=500)
    assert finished.status == 0, finished
    assert ANSWER.search(finished.output), finished.output
    print(finished.output)
    wait_for_progress(guest, job)
    job.kill()
    assert host.is_alive() and guest.is_alive()
    assert processes.children(host.pid) == device_processes, "no device process has died"
    assert_computes_like_native(guest)


def test_the_worker_dies_at_any_point(host, guest):
    for _ in range(int(os.environ.get("VIRTGPU_KILLS", "2")) // 10 or 1):
        job = start_long_generation(guest)
        for worker in host.workers():
            os.kill(worker, signal.SIGKILL)
        finished = job.wait(60)
        assert 0 < finished.status < 128, f"an error, not a crash: {finished}"
    assert_computes_like_native(guest)
