"""A library of somebody else's interface computes for the host: here a copy of ours, which the host loads like any other."""
import os
import signal
import subprocess

import pytest

from container import assert_text_equals_native, finish, messages
from harness import generation, other_library, places, processes

GUEST = places.build_folder() / "tests/apir/virtgpu_upstream_guest"
REQUEST = generation.Request(tokens=24, options=generation.TRACE)


LOG = "earlier lines stay\n"


@pytest.fixture(scope="module")
def worker_log(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "worker.log"
    path.write_text(LOG)
    return path


@pytest.fixture(scope="module")
def host(log_folder, tmp_path_factory, worker_log):
    with other_library.host(log_folder, tmp_path_factory.mktemp("library"), serve="--listen",
                            environment={"APIR_LLAMA_CPP_LOG_TO_FILE": str(worker_log)}) as program:
        yield program


def upstream_guest(host, task):
    return subprocess.run([GUEST, "--socket", host.socket, task], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False)


def test_upstreams_guest_computes_by_both_data_paths(host):
    finished = upstream_guest(host, "graphs")
    assert finished.returncode == 0, finished.stderr + host.log()[-2000:]
    assert "the same as native, by both paths" in finished.stdout


def test_the_log_file_is_the_workers_alone(worker_log):
    """The library would empty it."""
    processes.wait_until(lambda: "context closed: " in worker_log.read_text(), 20, "the worker's line")
    assert worker_log.read_text().startswith(LOG)


def test_a_library_that_does_not_start_ends_the_host_before_it_listens(tmp_path):
    command = [places.host_program(), "--listen", tmp_path / "socket", "--apir-library", places.backend_library()]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "the APIR backend library does not start, its code is 3" in answer.stderr
    assert "cannot open the GGML library: env var 'APIR_LLAMA_CPP_GGML_LIBRARY_PATH' not defined" in answer.stderr
    assert not (tmp_path / "socket").exists()


def test_a_library_that_dies_fails_the_graph_and_aborts_nobody(host):
    finished = upstream_guest(host, "stray")
    assert finished.returncode == 0, finished.stderr
    assert "failed, and nothing was aborted" in finished.stdout


def test_the_plugin_finds_out_that_the_host_speaks_level_1_alone(container):
    finished = container.run("llama-bench", "--list-devices", GGML_VIRTGPU_DEBUG="1")
    assert finished.status == 0, finished.errors
    assert "virtgpu0: " in finished.output
    assert any("level 1" in line for line in messages(finished)), finished.errors


def test_the_doctor_finds_nothing_wrong_with_level_1(container):
    finished = container.run(places.guest_doctor())
    assert finished.status == 0, finished.output
    assert "level 1 alone" in finished.output and "its compute worker starts" in finished.output


def test_the_text_equals_native(host, container):
    before = len(host.closed_contexts())
    assert_text_equals_native(REQUEST, lambda: container.generate(REQUEST, "--device", generation.DEVICE))
    processes.wait_until(lambda: not host.workers(), 20, "the worker's end")
    assert sum(context["graphs"] for context in host.closed_contexts()[before:]) >= REQUEST.tokens


def test_a_host_that_dies_during_a_graph_is_an_error_and_no_hang(host, container):
    long = generation.Request(tokens=2000)
    process = container.start_generating(long, "--ignore-eos", "--device", generation.DEVICE)

    def asked():
        host.ask_for_counters()
        return "context so far: context=" in host.log() and host.workers()

    processes.wait_until(asked, 60, "graphs")
    for pid in host.workers():
        os.kill(pid, signal.SIGKILL)
    finished = finish(process, 60)
    assert finished.status != 0
    assert finished.status != -signal.SIGABRT, finished.errors[-2000:]
