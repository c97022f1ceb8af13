"""What goes wrong: each case ends soon, with a message that says what to do, and aborts nothing."""
import os
import select
import signal
import time

import pytest

from container import Container, assert_text_equals_native, ended, finish, messages
from harness import generation, processes
from harness.host import HostProgram

SHORT = generation.Request(tokens=8)
# Minutes of text, so that it does not end by itself before it is ended.
LONG = generation.Request(tokens=20000, options=("--ignore-eos", "-c", "24576"))
# The frontend notices within 2 s; the rest is llama.cpp's end, on a machine that may be busy.
NOTICED_SECONDS = 10


@pytest.fixture(name="own_host")
def fixture_own_host(log_folder):
    """A host for a test that ends it."""
    with HostProgram(log_folder, serve="--listen") as program:
        yield program


def wait_until_generating(process):
    """Until its first text is there, which stays unread."""
    processes.wait_until(lambda: select.select([process.stdout], [], [], 0)[0], 90, "the first text")
    assert process.poll() is None, process.communicate()[1][-2000:]


def test_wrong_path_is_named_and_the_cpu_computes(tmp_path):
    finished = assert_text_equals_native(SHORT, lambda: Container(tmp_path / "nothing").generate(SHORT))
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
    with ended(container.start_generating(LONG)) as process:
        wait_until_generating(process)
        for worker in host.workers():
            os.kill(worker, signal.SIGKILL)
        killed = time.monotonic()
        finished = finish(process, 30)
    assert time.monotonic() - killed < NOTICED_SECONDS
    assert finished.status >= 0, f"ended by signal {-finished.status}: {finished.errors[-2000:]}"
    assert [line for line in messages(finished) if "compute worker died" in line], finished.errors[-2000:]

    assert_text_equals_native(SHORT, lambda: container.generate(SHORT))


def test_host_gone_while_computing(own_host):
    with ended(Container(own_host.socket).start_generating(LONG)) as process:
        wait_until_generating(process)
        own_host.stop()
        stopped = time.monotonic()
        finished = finish(process, 30)
    assert time.monotonic() - stopped < NOTICED_SECONDS
    assert finished.status >= 0, f"ended by signal {-finished.status}: {finished.errors[-2000:]}"
    assert len(messages(finished)) >= 1
    assert "start this program again" in messages(finished)[0] or "closed" in messages(finished)[0]


def test_client_killed_leaves_no_worker(host, container):
    with ended(container.start_generating(LONG)) as process:
        wait_until_generating(process)
        assert host.workers()
    processes.wait_until(lambda: not host.workers(), 10, "the worker's end")
    assert host.is_alive()


def test_buffer_larger_than_the_device(container):
    # The cache of 16 million tokens, on a device that has a fraction of it.
    request = generation.Request(tokens=8, options=("-c", str(1 << 28)))
    finished = container.generate(request, "-fit", "off")
    assert finished.status > 0, finished.errors[-2000:]
    assert [line for line in messages(finished) if "cannot allocate" in line and "are free" in line], \
        finished.errors[-2000:]
