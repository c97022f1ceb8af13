"""Both processes of a tenant, looked at with strace while they compute: they make listed system calls and no others."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))
from harness import places, processes  # noqa: E402
from harness.host import HostProgram  # noqa: E402

CHURN = places.build_folder() / "tests/endurance/virtgpu_churn"
LISTED = places.build_folder() / "tests/unit/sandbox/virtgpu_listed_calls"
CALL = re.compile(r"^(?:\d+ +)?(?:\[pid +\d+\] )?(?:<\.\.\. )?(\w+)(?:\(| resumed>)")

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture(scope="module", name="host")
def started_host():
    with HostProgram(places.build_folder() / "sandbox-logs", serve="--listen") as program:
        yield program


def listed(profile):
    return set(subprocess.run([LISTED, profile], stdout=subprocess.PIPE, text=True, check=True).stdout.split())


def device_process(host):
    return processes.children(host.pid)[0]


def churn(host):
    environment = {**os.environ, "GGML_BACKEND_PATH": str(places.frontend()), "GGML_VIRTGPU_SOCKET": str(host.socket)}
    return subprocess.Popen([CHURN, "virtgpu0", places.libraries() / "ggml/backends0", "streams", "50"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
                            preexec_fn=processes.die_with_parent)


def traced(pid, log):
    """A tracer that is attached."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", log, "-p", str(pid)], stderr=subprocess.PIPE,
                              preexec_fn=processes.die_with_parent)
    status = pathlib.Path(f"/proc/{pid}/status")
    processes.wait_until(lambda: f"TracerPid:\t{tracer.pid}" in status.read_text(), 10, "strace's start")
    return tracer


def calls_in(log):
    return {match[1] for line in log.read_text().splitlines() if (match := CALL.match(line))}


@pytest.mark.parametrize("who, profile", [("device", "device"), ("worker", "processor")])
def test_only_listed_calls(host, tmp_path, who, profile):
    with churn(host) as application:
        assert application.stdout.readline() == "warm\n"
        pid = device_process(host) if who == "device" else host.workers()[0]
        tracer = traced(pid, tmp_path / "calls")
        print(file=application.stdin, flush=True)
        assert application.stdout.readline() == "done\n"
        print(file=application.stdin, flush=True)
        assert application.wait(60) == 0
        tracer.wait(60)  # ends with the process
    calls = calls_in(tmp_path / "calls")
    assert len(calls) > 5, calls
    assert calls <= listed(profile), calls - listed(profile)


def test_both_have_given_up_everything(host):
    with churn(host) as application:
        assert application.stdout.readline() == "warm\n"
        for pid in (device_process(host), host.workers()[0]):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            assert re.search(r"^NoNewPrivs:\t1$", status, re.M), status
            assert re.search(r"^Seccomp:\t2$", status, re.M), status
            assert set(re.findall(r"^Cap(?:Inh|Prm|Eff|Bnd|Amb):\t(\w+)$", status, re.M)) == {"0" * 16}, status
            assert "Max core file size        0                    0" in pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert os.readlink(f"/proc/{device_process(host)}/ns/net") != os.readlink("/proc/self/ns/net")
        application.send_signal(signal.SIGKILL)
    assert "sandbox: " in host.log()
