"""The recipe of docs/containers.md for bubblewrap: a sandbox with the host's socket and nothing else of the host."""
import os
import shutil
import subprocess

import pytest

from harness import places, processes
from recipes import recipe

BENCH = "llama-bench -m /model.gguf -ngl 99 -p 16 -n 4 -r 1"


def can_make_sandboxes():
    if not shutil.which("bwrap"):
        return False
    attempt = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return subprocess.run(attempt, stderr=subprocess.DEVNULL, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_make_sandboxes(), reason="bubblewrap is missing or may not make sandboxes here")


@pytest.fixture(name="sandboxed")
def fixture_sandboxed(host):
    """sandboxed(command): what a shell command does in the documentation's sandbox."""
    script = recipe("containers.md", "bwrap")
    assert BENCH.split()[0] in script
    variables = {**os.environ, "ROOT": str(places.root()).rstrip("/"), "PLUGIN": str(places.frontend()),
                 "MODEL": str(places.MODEL), "SOCKET": str(host.socket)}

    def run(command):
        own = script.replace("llama-bench -m /model.gguf -ngl 99", command)
        assert own != script or command in script
        return subprocess.run(["bash", "-c", own], env=variables, capture_output=True, text=True, timeout=120,
                              check=False)

    return run


def test_the_device_computes(host, sandboxed):
    finished = sandboxed(BENCH)
    assert finished.returncode == 0, finished.stderr
    assert "virtgpu" in finished.stdout and "tg4" in finished.stdout
    processes.wait_until(lambda: not host.workers(), 30, "the worker's end")
    assert any(context["graphs"] > 4 for context in host.closed_contexts())


def test_no_file_of_the_host_is_there(sandboxed):
    places_of_the_host = ["/dev/dri", "/sys", "/home", "/root", "/etc", str(places.REPOSITORY)]
    finished = sandboxed("busybox ls -d /usr " + " ".join(places_of_the_host))
    assert finished.stdout == "/usr\n", finished.stderr


def test_no_network_of_the_host_is_there(sandboxed):
    lines = sandboxed("busybox cat /proc/net/dev").stdout.splitlines()
    assert [line.split(":")[0].strip() for line in lines[2:]] == ["lo"]


def test_no_process_of_the_host_is_there(sandboxed):
    finished = sandboxed("busybox ps")
    assert "busybox ps" in finished.stdout
    assert "ggml-virtgpu-host" not in finished.stdout


def test_without_the_socket_there_is_no_device(host, sandboxed):
    finished = sandboxed("busybox env GGML_VIRTGPU_SOCKET=/elsewhere.sock llama-bench --list-devices")
    assert "virtgpu" not in finished.stdout
    assert "/elsewhere.sock" in finished.stderr
