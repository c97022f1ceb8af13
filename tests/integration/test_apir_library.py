"""A library of somebody else's interface computes for the host: here a copy of ours, which the host loads like any other."""
import os
import re
import shutil
import signal
import subprocess

import pytest

from container import assert_text_equals_native, finish, messages
from harness import generation, places, processes
from harness.host import HostProgram

GUEST = places.build_folder() / "tests/apir/virtgpu_upstream_guest"
REQUEST = generation.Request(tokens=24, options=generation.TRACE)


def cpu_backend():
    """The variant that ggml itself takes here: others round in other places."""
    listed = subprocess.run([places.worker(), "--list-devices", "--backend", "cpu", "--log-level", "debug"],
                            capture_output=True, text=True, timeout=60, check=True)
    return re.search(r"loaded CPU backend from (\S+)", listed.stdout + listed.stderr).group(1)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return shutil.copy(places.backend_library(), tmp_path_factory.mktemp("library") / "libother.so")


@pytest.fixture(scope="module")
def host(log_folder, library):
    environment = {"VIRGL_APIR_BACKEND_LIBRARY": str(library), "APIR_LLAMA_CPP_GGML_LIBRARY_PATH": str(cpu_backend())}
    with HostProgram(log_folder, serve="--listen", backend=None, environment=environment) as program:
        yield program


def upstream_guest(host, task):
    return subprocess.run([GUEST, "--socket", host.socket, task], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False)


def test_upstreams_guest_computes_by_both_data_paths(host):
    finished = upstream_guest(host, "graphs")
    assert finished.returncode == 0, finished.stderr + host.log()[-2000:]
    assert "the same as native, by both paths" in finished.stdout


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
