"""ggml-virtgpu-doctor in a container, and `ggml-virtgpu-host doctor`: what they say when all is well, and when it is not."""
import json
import os
import pwd
import signal
import socket
import subprocess
import time

import pytest

from container import Container
from harness import places, qemu
from harness.host import HostProgram

OLDER_GGML = places.build_folder() / "tests/integration/libvirtgpu_older_ggml.so"
STRANGER = pwd.getpwnam("nobody")
NO_PLUGIN = {"GGML_BACKEND_PATH": ""}


def guest_doctor(container, *arguments, **variables):
    """Its exit status and findings."""
    finished = container.run(places.guest_doctor(), "--json", *arguments, **variables)
    report = json.loads(finished.output)
    assert (finished.status == 1) == (report["verdict"] == "problem")
    return finished.status, report["findings"]


def host_doctor(*arguments, **variables):
    answer = subprocess.run([places.host_program(), "doctor", "--json", *map(str, arguments)], capture_output=True,
                            text=True, timeout=120, env={**os.environ, **variables}, check=False)
    assert answer.stdout, answer.stderr
    return answer.returncode, json.loads(answer.stdout)["findings"]


def assert_names(findings, text, fix="", verdict="problem"):
    assert any(verdict == finding["verdict"] and text in finding["text"] and fix in finding["fix"]
               for finding in findings), findings


def test_all_is_well_in_the_container(container):
    status, findings = guest_doctor(container)
    assert status == 0
    assert {finding["verdict"] for finding in findings} == {"ok"}
    said = " ".join(finding["text"] for finding in findings)
    for words in ("APIR 0.", "to the device process", "compute worker starts", "libggml.so.0", "libggml-virtgpu.so",
                  "virtgpu0: ", "to the compute worker"):
        assert words in said


def test_the_report_is_for_people_too(container):
    finished = container.run(places.guest_doctor())
    assert finished.status == 0
    assert "ok       ggml" in finished.output
    assert finished.output.endswith("\n0 problems, 0 warnings\n")


def test_no_ggml(container):
    status, findings = guest_doctor(container, "--ggml", "/no/libggml.so")
    assert status == 1
    assert_names(findings, "no ggml: /no/libggml.so", "install libggml0")


def test_ggml_does_not_find_the_plugin(container):
    _, findings = guest_doctor(container, **NO_PLUGIN)
    assert_names(findings, "does not find libggml-virtgpu.so", "GGML_BACKEND_PATH")


def test_the_plugin_cannot_be_loaded(container, tmp_path):
    broken = tmp_path / "libggml-virtgpu.so"
    broken.write_text("no library")
    _, findings = guest_doctor(container, GGML_BACKEND_PATH=str(broken))
    assert_names(findings, f"does not load {broken}", "install what it needs")


def test_a_ggml_that_is_too_old(container):
    _, findings = guest_doctor(container, LD_PRELOAD=str(OLDER_GGML))
    assert_names(findings, f"refuses the plug-in: {places.frontend()}: ggml 0.22.0 is not supported",
                 "install ggml 0.23 or newer")


def test_no_socket_there(tmp_path):
    _, findings = guest_doctor(Container(tmp_path / "nothing"))
    assert_names(findings, str(tmp_path / "nothing"), "ggml-virtgpu-host --listen")


def test_nobody_listens(tmp_path):
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(str(tmp_path / "socket"))
    left.close()
    _, findings = guest_doctor(Container(tmp_path / "socket"))
    assert_names(findings, "Connection refused", "nobody listens there")


def test_no_device_and_no_socket():
    status, findings = guest_doctor(Container(None))
    assert status == 1
    assert_names(findings, "no virtio-gpu device", "GGML_VIRTGPU_SOCKET")
    assert_names(findings, "the plug-in finds no host", "the lines above say which part is missing")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as another user")
@pytest.mark.parametrize("options, text, fix", [
    ([], "Permission denied", "user nobody may not use it"),
    (["--socket-mode", "0666", "--allow-user", "daemon"], "user nobody", "")])
def test_a_user_without_permission(log_folder, options, text, fix):
    with HostProgram(log_folder, serve="--listen", arguments=options) as host:
        host.socket.parent.chmod(0o755)
        _, findings = guest_doctor(Container(host.socket, STRANGER))
    assert_names(findings, text, fix)


def test_a_worker_that_does_not_start(log_folder, tmp_path):
    """It passes the host's test at its start, and fails for tenants."""
    worker = tmp_path / "worker"
    worker.write_text('#!/bin/sh\ncase "$*" in *--check*) exit 0;; esac\nexit 1\n')
    worker.chmod(0o755)
    with HostProgram(log_folder, serve="--listen", arguments=["--worker", worker]) as host:
        _, findings = guest_doctor(Container(host.socket))
    assert_names(findings, "the host could not start its compute worker (code 4)", "look into the log")


def test_a_host_that_says_nothing(log_folder):
    with HostProgram(log_folder, serve="--listen") as host:
        os.kill(host.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            _, findings = guest_doctor(Container(host.socket))
        finally:
            os.kill(host.pid, signal.SIGCONT)
    assert_names(findings, "does not answer", "ggml-virtgpu-host")
    assert time.monotonic() - started < 60


def test_all_is_well_on_the_host(host):
    status, findings = host_doctor("--backend", "cpu", "--listen", host.socket, "--qemu", "/no/qemu")
    assert status == 0, findings
    assert_names(findings, "ggml-virtgpu-worker", verdict="ok")
    assert {finding["verdict"] for finding in findings if finding["subject"] == "ggml backends"} == {"ok"}
    assert_names(findings, f"{host.socket} is listened on", verdict="ok")
    assert {"programs", "ggml backends", "KVM", "huge pages", "limits", "sandbox"} <= {
        finding["subject"] for finding in findings}


def test_the_hosts_backends(tmp_path):
    _, findings = host_doctor("--backend", "cpu", GGML_VIRTGPU_BACKEND_DIR=str(tmp_path))
    assert_names(findings, "backend", "libggml0")
    _, findings = host_doctor("--backend", "cpu", "--device", "CUDA9")
    assert_names(findings, "no device is called 'CUDA9'", "ggml-virtgpu-host devices")
    _, findings = host_doctor("--worker", "/no/worker")
    assert_names(findings, "there is no program /no/worker", "--worker")


def test_a_qemu_command_line(tmp_path):
    device = "vhost-user-test-device-pci,chardev=vgpu,virtio-id=16,num_vqs=2,vq_size=256,config_size=16"
    command = ["qemu-of-nowhere", "-m", "2G", "-chardev", f"socket,id=vgpu,path={tmp_path}/vgpu", "-device", device]
    status, findings = host_doctor("--backend", "cpu", "--", *command)
    assert status == 1
    assert_names(findings, "memory is not shared", "memory-backend-memfd")
    assert_names(findings, f"there is no socket {tmp_path}/vgpu", "--socket-path")


@pytest.mark.skipif(len(qemu.command()) == 1, reason="the machine's own QEMU is the one that is used")
def test_the_qemu_that_is_there(tmp_path):
    wrapper = tmp_path / "qemu"
    wrapper.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in qemu.command()) + ' "$@"\n')
    wrapper.chmod(0o755)
    _, findings = host_doctor("--backend", "cpu", "--qemu", wrapper)
    assert_names(findings, "vhost-user-test-device-pci", verdict="ok")


def test_user_namespaces_that_are_turned_off():
    """In a namespace that allows no further ones."""
    script = f"echo 0 >/proc/sys/user/max_user_namespaces && exec {places.host_program()} doctor --json --backend cpu"
    answer = subprocess.run(["unshare", "-Ur", "sh", "-c", script], capture_output=True, text=True, timeout=120,
                            check=False)
    if not answer.stdout:
        pytest.skip(f"namespaces cannot be made here: {answer.stderr}")
    assert_names(json.loads(answer.stdout)["findings"], "max_user_namespaces", "sysctl", verdict="warning")


def test_few_open_files():
    answer = subprocess.run(["bash", "-c", f"ulimit -n 500; exec {places.host_program()} doctor --backend cpu"],
                            capture_output=True, text=True, timeout=120, check=False)
    assert "warning  limits" in answer.stdout and "at most 500 open files" in answer.stdout
