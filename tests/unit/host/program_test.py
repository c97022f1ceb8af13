"""The program ggml-virtgpu-host from outside: its answers, its sockets and its processes."""
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))
from harness import places, processes  # noqa: E402


def run(*arguments):
    return subprocess.run([places.host_program(), *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(name="host")
def started_host(tmp_path):
    program = processes.start([places.host_program(), "--backend", "cpu", "--socket-path", tmp_path / "vm",
                               "--listen", tmp_path / "container"], tmp_path / "log")
    processes.wait_until((tmp_path / "container").exists, 20, "the host's socket")
    yield program
    processes.end(program)


def processor_time(pid):
    """Seconds that a process has computed."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(path, kind):
    client = socket.socket(socket.AF_UNIX, kind)
    client.connect(str(path))
    return client


def test_capabilities_are_qemus_json():
    assert json.loads(run("--print-capabilities").stdout) == {"type": "gpu", "features": []}


def test_versions_of_all_parts():
    answer = run("--version")
    assert answer.returncode == 0
    for part in ("ggml-virtgpu-host", "protocol", "ggml ", "plug-in"):
        assert part in answer.stdout


def test_devices_are_listed():
    answer = run("devices", "--backend", "cpu")
    assert answer.returncode == 0
    assert "CPU" in answer.stdout


def test_help_has_examples():
    answer = run("--help")
    assert answer.returncode == 0
    assert "qemu-system" in answer.stdout and "GGML_VIRTGPU_SOCKET" in answer.stdout


def test_a_wrong_backend_ends_it_before_it_listens(tmp_path):
    answer = run("--socket-path", str(tmp_path / "vm"), "--backend", "abacus")
    assert answer.returncode == 1
    assert "abacus" in answer.stderr
    assert not (tmp_path / "vm").exists()


@pytest.mark.parametrize("endpoint", ["nowhere", ":5", "host:", "host:0", "host:70000", "host:5x"])
def test_a_malformed_rpc_server_is_named(tmp_path, endpoint):
    answer = run("--socket-path", str(tmp_path / "vm"), "--rpc", endpoint)
    assert answer.returncode == 1
    assert f"HOST:PORT, not '{endpoint}'" in answer.stderr


def test_an_unreachable_rpc_server_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    answer = run("--socket-path", str(tmp_path / "vm"), "--rpc", f"127.0.0.1:{port}")
    assert answer.returncode == 1
    assert f"no ggml-rpc-server listens at 127.0.0.1:{port}" in answer.stderr


def test_an_rpc_server_that_says_nothing_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = run("--socket-path", str(tmp_path / "vm"), "--rpc", f"127.0.0.1:{silent.getsockname()[1]}")
    assert answer.returncode == 1
    assert "does not answer as a ggml-rpc-server" in answer.stderr


def test_an_rpc_server_that_talks_nonsense_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def babble():
            while True:
                try:
                    client, _ = server.accept()
                    client.sendall(b"\xff" * 4096)
                except OSError:
                    return

        threading.Thread(target=babble, daemon=True).start()
        answer = run("--socket-path", str(tmp_path / "vm"), "--rpc", f"127.0.0.1:{port}")
    assert answer.returncode == 1
    assert f"what listens at 127.0.0.1:{port} does not answer as a ggml-rpc-server" in answer.stderr


def test_the_rpc_backend_needs_servers(tmp_path):
    answer = run("--socket-path", str(tmp_path / "vm"), "--backend", "rpc")
    assert answer.returncode == 1
    assert "--rpc" in answer.stderr


def test_log_files_get_debug_messages(tmp_path):
    """Both logs, the host's and the worker's, beside what goes to the terminal."""
    environment = os.environ | {"VIRGL_APIR_LOG_TO_FILE": str(tmp_path / "apir.log"),
                                "APIR_LLAMA_CPP_LOG_TO_FILE": str(tmp_path / "ggml.log")}
    program = processes.start([places.host_program(), "--backend", "cpu", "--listen", tmp_path / "container"],
                              tmp_path / "log", environment=environment)
    processes.wait_until((tmp_path / "container").exists, 20, "the host's socket")
    connect(tmp_path / "container", socket.SOCK_SEQPACKET).close()
    processes.wait_until(lambda: "a client connected" in (tmp_path / "apir.log").read_text(), 20, "the host's log")
    assert "a client connected" in (tmp_path / "log").read_text()
    assert "debug worker: ggml:" in (tmp_path / "ggml.log").read_text()  # of the check before it listens
    assert " debug" not in (tmp_path / "log").read_text()
    processes.end(program)


def test_a_log_file_that_cannot_be_written_is_named(tmp_path):
    answer = run("--listen", str(tmp_path / "container"), "--backend", "cpu", "--log-file", str(tmp_path))
    assert answer.returncode == 1
    assert str(tmp_path) in answer.stderr and "log file" in answer.stderr


def test_a_missing_ggml_library_is_told_in_upstreams_words(tmp_path):
    answer = run("--listen", str(tmp_path / "container"), "--ggml-library-reg", "ggml_backend_cpu_reg")
    assert answer.returncode == 1
    assert "cannot open the GGML library: env var 'APIR_LLAMA_CPP_GGML_LIBRARY_PATH' not defined" in answer.stderr


def test_a_ggml_library_anywhere_is_loaded(tmp_path):
    """By its path and function, in a folder that the sandbox knows only from the option."""
    library = sorted(places.backends().glob("libggml-cpu-x64.so")) or sorted(places.backends().glob("libggml-cpu*.so"))
    elsewhere = tmp_path / "libggml-cpu-mine.so"
    shutil.copy(library[0], elsewhere)
    environment = os.environ | {"APIR_LLAMA_CPP_GGML_LIBRARY_PATH": str(elsewhere),
                                "APIR_LLAMA_CPP_GGML_LIBRARY_REG": "ggml_backend_cpu_reg"}
    answer = subprocess.run([places.host_program(), "devices"], capture_output=True, text=True, timeout=60, check=False,
                            env=environment)
    assert answer.returncode == 0, answer.stderr
    assert "CPU" in answer.stdout


def test_a_busy_socket_says_what_to_do(host, tmp_path):
    answer = run("--socket-path", str(tmp_path / "vm"), "--backend", "cpu")
    assert answer.returncode == 1
    assert "in use" in answer.stderr
    assert host.poll() is None


def test_a_process_for_each_tenant_that_ends_with_it(host, tmp_path):
    machine = connect(tmp_path / "vm", socket.SOCK_STREAM)
    container = connect(tmp_path / "container", socket.SOCK_SEQPACKET)
    processes.wait_until(lambda: len(processes.children(host.pid)) == 2, 10, "two device processes")
    machine.close()
    processes.wait_until(lambda: len(processes.children(host.pid)) == 1, 10, "the end of one")
    container.close()
    processes.wait_until(lambda: not processes.children(host.pid), 10, "the end of both")


def test_sigterm_ends_all_and_removes_the_sockets(host, tmp_path):
    client = connect(tmp_path / "vm", socket.SOCK_STREAM)
    processes.wait_until(lambda: processes.children(host.pid), 10, "a device process")
    started = time.monotonic()
    host.send_signal(signal.SIGTERM)
    assert host.wait(10) == 0
    assert time.monotonic() - started < 6
    assert client.recv(1) == b""
    assert not (tmp_path / "vm").exists()


def test_device_processes_do_not_outlive_a_killed_host(host, tmp_path):
    client = connect(tmp_path / "vm", socket.SOCK_STREAM)
    processes.wait_until(lambda: processes.children(host.pid), 10, "a device process")
    host.kill()
    host.wait(10)
    client.settimeout(10)
    assert client.recv(1) == b""


def test_an_inherited_connection_is_served(tmp_path):
    ours, theirs = socket.socketpair()
    program = processes.start([places.host_program(), "--backend", "cpu", "--fd", str(theirs.fileno())],
                              tmp_path / "log", pass_fds=[theirs.fileno()])
    theirs.close()
    ours.sendall(bytes([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))  # GET_FEATURES
    ours.settimeout(20)
    assert len(ours.recv(20, socket.MSG_WAITALL)) == 20
    ours.close()
    assert program.wait(10) == 0


def test_an_inherited_connection_is_not_passed_on(tmp_path):
    """The first worker that is started is a script that lists its descriptors and refuses."""
    listing = tmp_path / "descriptors"
    worker = tmp_path / "worker"
    worker.write_text(f"#!/bin/sh\nls -l /proc/self/fd > {listing}\nexit 1\n")
    worker.chmod(0o755)
    ours, theirs = socket.socketpair()
    answer = subprocess.run([places.host_program(), "--worker", worker, "--fd", str(theirs.fileno())],
                            pass_fds=[theirs.fileno()], timeout=60, check=False)
    ours.close()
    theirs.close()
    assert answer.returncode == 1
    assert "->" in listing.read_text()
    assert "socket:" not in listing.read_text()


@pytest.fixture(name="activated")
def fixture_activated(tmp_path):
    """activated(sockets): a host started as systemd does, with sockets that listen already."""
    running = []

    def start(*sockets, count=None, arguments=""):
        # The first is descriptor 3; LISTEN_PID is the program's own, which only it knows.
        files = " ".join(f"{3 + i}<&{listener.fileno()}" for i, listener in enumerate(sockets))
        variables = f"LISTEN_PID=$$ LISTEN_FDS={count or len(sockets)}"
        script = f"{variables} exec {places.host_program()} --backend cpu {arguments} {files}"
        # Out of the way of 3 and those that follow.
        for listener in sockets:
            assert listener.fileno() > 3 + len(sockets)
        running.append(processes.start(["bash", "-c", script], tmp_path / "log",
                                       pass_fds=[listener.fileno() for listener in sockets]))
        return running[-1]

    yield start
    for program in running:
        processes.end(program)


def listening(path, kind):
    """A socket that listens, with a descriptor that is out of the way."""
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    listener.listen()
    moved = socket.socket(fileno=fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 20))
    listener.close()
    return moved


def test_sockets_of_systemd_are_served_by_their_type(activated, tmp_path):
    with listening(tmp_path / "vm", socket.SOCK_STREAM) as machines, \
            listening(tmp_path / "container", socket.SOCK_SEQPACKET) as containers:
        machine = connect(tmp_path / "vm", socket.SOCK_STREAM)
        container = connect(tmp_path / "container", socket.SOCK_SEQPACKET)
        program = activated(machines, containers)
        log = tmp_path / "log"
        processes.wait_until(lambda: "serves a new VM" in log.read_text() and
                             "serves a new container" in log.read_text(), 20, "both tenants")
        assert f"listening for VMMs on {tmp_path / 'vm'}" in log.read_text()
        machine.close()
        container.close()
        processes.end(program)
        assert (tmp_path / "vm").exists(), "the file is systemd's"


def test_a_container_on_a_socket_of_systemd_shares_memory_without_a_window(activated, tmp_path):
    with listening(tmp_path / "container", socket.SOCK_SEQPACKET) as containers:
        activated(containers, arguments="--window 0")
        with connect(tmp_path / "container", socket.SOCK_SEQPACKET) as client:
            client.settimeout(20)
            client.send(struct.pack("<IIQ", 1, 1, 4096))  # create a region
            _, files, *_ = socket.recv_fds(client, 64, 1)
    assert len(files) == 1
    assert os.fstat(files[0]).st_size == 4096
    os.close(files[0])


def test_a_socket_of_systemd_that_is_missing_is_named(activated, tmp_path):
    with listening(tmp_path / "vm", socket.SOCK_STREAM) as machines:
        program = activated(machines, count=40)
        assert program.wait(20) == 1
    assert "LISTEN_FDS is 40; taking descriptor" in (tmp_path / "log").read_text()


def test_sockets_meant_for_another_process_are_left_alone(monkeypatch):
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    answer = run("--backend", "cpu")
    assert answer.returncode == 1
    assert "say whom to serve" in answer.stderr


def test_unknown_accounts_are_named(tmp_path):
    for option, kind in (("--allow-user", "user"), ("--allow-group", "group"), ("--socket-group", "group")):
        answer = run("--socket-path", str(tmp_path / "vm"), "--backend", "cpu", option, "nobody-here")
        assert answer.returncode == 1
        assert f"this machine has no {kind} 'nobody-here'" in answer.stderr


def test_a_mode_that_is_none_is_named(tmp_path):
    answer = run("--socket-path", str(tmp_path / "vm"), "--backend", "cpu", "--socket-mode", "rw-rw----")
    assert answer.returncode == 1
    assert "'rw-rw----' is no file mode" in answer.stderr


def test_a_descriptor_that_is_not_open_is_named():
    answer = run("--fd", "987", "--backend", "cpu")
    assert answer.returncode == 1
    assert "--fd 987 is no open descriptor" in answer.stderr


def test_tenants_beyond_the_limit_wait(host, tmp_path):
    limit = 64
    clients = [connect(tmp_path / "container", socket.SOCK_SEQPACKET) for _ in range(limit + 3)]
    processes.wait_until(lambda: len(processes.children(host.pid)) == limit, 30, "all device processes")
    before = processor_time(host.pid)
    time.sleep(1)
    assert processor_time(host.pid) - before < 0.3
    assert len(processes.children(host.pid)) == limit
    clients.pop(0).close()
    processes.wait_until(lambda: "ended" in (tmp_path / "log").read_text(), 10, "the end of one")
    processes.wait_until(lambda: len(processes.children(host.pid)) == limit, 10, "the next one's turn")
    for client in clients:
        client.close()
    processes.wait_until(lambda: not processes.children(host.pid), 30, "the end of all")


def test_without_a_sandbox_all_is_served_too(tmp_path):
    program = processes.start([places.host_program(), "--backend", "cpu", "--sandbox", "no", "--listen",
                               tmp_path / "container"], tmp_path / "log")
    processes.wait_until((tmp_path / "container").exists, 20, "the host's socket")
    client = connect(tmp_path / "container", socket.SOCK_SEQPACKET)
    [device] = processes.wait_until(lambda: processes.children(program.pid), 10, "a device process")
    processes.wait_until(lambda: "a client connected" in (tmp_path / "log").read_text(), 10, "its start")
    assert "Seccomp:\t0\n" in pathlib.Path(f"/proc/{device}/status").read_text()
    client.close()
    assert processes.end(program) == 0
