"""What goes wrong: each case ends soon, with a message that says what to do, and aborts nothing."""
import os
import signal
import time

import pytest

from container import Container, assert_text_equals_native, finish, messages
from harness import generation, processes
from harness.host import HostProgram

SHORT = generation.Request(tokens=8)
LONG = generation.Request(tokens=2000, options=("--ignore-eos", "-c", "4096"))
# The frontend notices within 2 s; the rest is llama.cpp's end, on a machine that may be busy.
NOTICED_SECONDS = 10


@pytest.fixture(name="own_host")
def fixture_own_host(log_folder):
    """A host for a test that ends it."""
    with HostProgram(log_folder, serve="--listen") as program:
        yield program


def wait_until_computing(host):
    def worker_computes():
        return any(cpu_ticks(pid) > 20 for pid in host.workers())
    processes.wait_until(worker_computes, 60, "a worker that computes")


def cpu_ticks(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def test_wrong_path_is_named_and_the_cpu_computes(tmp_path):
    finished = assert_text_equals_native(lambda: (SHORT, Container(tmp_path / "nothing").generate(SHORT)))
    assert len(messages(finished)) == 1
    assert str(tmp_path / "nothing") in messages(finished)[0]
    assert "ggml-virtgpu-host --listen" in messages(finished)[0]


def test_without_a_device_nothing_is_said():
    finished = Container(socket=None).generate(SHORT)
    assert finished.status == 0, finished.errors
    assert not messages(finished)


def test_a_file_that_is_no_socket_is_named(tmp_path):
    (tmp_path / "file").touch()
    finished = Container(tmp_path / "file").run("llama-bench", "--list-devices")
    assert finished.status == 0
    assert len(messages(finished)) == 1


def test_worker_killed_and_the_next_program_works(host, container):
    process = container.start_generating(LONG)
    wait_until_computing(host)
    for worker in host.workers():
        os.kill(worker, signal.SIGKILL)
    killed = time.monotonic()
    finished = finish(process, 30)
    assert time.monotonic() - killed < NOTICED_SECONDS
    assert finished.status >= 0, f"ended by signal {-finished.status}: {finished.errors[-2000:]}"
    assert [line for line in messages(finished) if "compute worker died" in line], finished.errors[-2000:]

    assert_text_equals_native(lambda: (SHORT, container.generate(SHORT)))


def test_host_gone_while_computing(own_host):
    process = Container(own_host.socket).start_generating(LONG)
    wait_until_computing(own_host)
    own_host.stop()
    stopped = time.monotonic()
    finished = finish(process, 30)
    assert time.monotonic() - stopped < NOTICED_SECONDS
    assert finished.status >= 0, f"ended by signal {-finished.status}: {finished.errors[-2000:]}"
    assert len(messages(finished)) >= 1
    assert "start this program again" in messages(finished)[0] or "closed" in messages(finished)[0]


def test_client_killed_leaves_no_worker(host, container):
    process = container.start_generating(LONG)
    wait_until_computing(host)
    process.kill()
    process.communicate()
    processes.wait_until(lambda: not host.workers(), 10, "the worker's end")
    assert host.is_alive()


def test_buffer_larger_than_the_device(container):
    # The cache of 16 million tokens, on a device that has a fraction of it.
    request = generation.Request(tokens=8, options=("-c", str(1 << 28)))
    finished = container.generate(request, "-fit", "off")
    assert finished.status > 0, finished.errors[-2000:]
    assert [line for line in messages(finished) if "cannot allocate" in line and "are free" in line], \
        finished.errors[-2000:]
