"""The recipe of docs/containers.md for bubblewrap: a sandbox with the host's socket and nothing else of the host."""
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import places
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
    assert any(context["graphs"] > 4 for context in host.closed_contexts())


def test_nothing_else_of_the_host_is_there(sandboxed):
    places_of_the_host = [pathlib.Path("/home"), pathlib.Path("/root"), pathlib.Path("/etc"), places.REPOSITORY]
    look = "busybox sh -c 'ls -d /dev/dri /sys {}; cat /proc/net/dev; busybox ps'".format(
        " ".join(map(str, places_of_the_host)))
    finished = sandboxed(look)
    for place in ["/dev/dri", "/sys", *places_of_the_host]:
        assert str(place) not in finished.stdout
    interfaces = [line.split(":")[0].strip() for line in finished.stdout.splitlines() if ":" in line and "|" not in line]
    assert "lo" in interfaces and "eth0" not in interfaces
    assert "ggml-virtgpu-host" not in finished.stdout, "the host's processes"


def test_without_the_socket_there_is_no_device(host, sandboxed):
    finished = sandboxed("env GGML_VIRTGPU_SOCKET=/elsewhere.sock llama-bench --list-devices")
    assert "virtgpu" not in finished.stdout
    assert "/elsewhere.sock" in finished.stderr
