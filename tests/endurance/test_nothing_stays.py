"""What an application does thousands of times leaves nothing behind: memory and open files stay where they were, in
the application and in every process of the host."""
import contextlib
import os
import subprocess
import time

import pytest

from harness import places, processes, usage

CHURN = places.build_folder() / "tests/endurance/virtgpu_churn"
# Room for what malloc keeps to itself. A leak of a few bytes per round is more.
GROWTH_KIB = 2048
SETTLING_SECONDS = 10


def resources(pid):
    """(KiB of memory, open files) of a process. Memory is what it alone has: regions come and go with buffers."""
    return usage.memory_kib(pid), usage.open_files(pid)


def everybody(host, application):
    pids = [application.pid, *(pid for pid, _ in processes.descendants(host.pid)), host.pid]
    return {pid: resources(pid) for pid in pids}


@contextlib.contextmanager
def churning(host, what, count):
    environment = {**os.environ, "GGML_BACKEND_PATH": str(places.frontend()), "GGML_VIRTGPU_SOCKET": str(host.socket)}
    folder = places.root() / f"usr/lib/{places.TRIPLET}/ggml/backends0"
    with subprocess.Popen([CHURN, "virtgpu0", folder, what, str(count)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, env=environment,
                          preexec_fn=processes.die_with_parent) as process:
        try:
            yield process
        finally:
            process.kill()


def has_more_files(after, before):
    return any(after[pid][1] > files for pid, (_, files) in before.items() if pid in after)


@pytest.mark.parametrize("what, count", [("graphs", 12500), ("buffers", 1250), ("streams", 250)])
def test_nothing_stays(host, what, count):
    with churning(host, what, count) as application:
        assert application.stdout.readline() == "warm\n"
        before = everybody(host, application)
        print(file=application.stdin, flush=True)
        assert application.stdout.readline() == "done\n"
        after = everybody(host, application)
        # The worker gives regions back in its own time.
        end = time.monotonic() + SETTLING_SECONDS
        while has_more_files(after, before) and time.monotonic() < end:
            time.sleep(0.1)
            after = everybody(host, application)
    assert before.keys() == after.keys()
    for pid, (memory, files) in before.items():
        assert after[pid][0] - memory < GROWTH_KIB, f"{what}: {before} became {after}"
        assert after[pid][1] <= files, f"{what}: {before} became {after}"


def test_a_host_serves_one_program_after_another(host):
    def run():
        with churning(host, "streams", 1) as application:
            assert application.stdout.readline() == "warm\n"
        processes.wait_until(lambda: not processes.descendants(host.pid), 10, "the end of the tenant's processes")

    for _ in range(20):
        run()
    before = resources(host.pid)
    for _ in range(180):
        run()
    after = resources(host.pid)
    assert after[0] - before[0] < GROWTH_KIB and after[1] == before[1], f"{before} became {after}"
