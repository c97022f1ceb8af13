import pathlib
import socket

import pytest

from bootstrap import programs
from harness import generation, places
from harness.channel import Channel, Finished, GuestGone
from harness.host import CLOSED, HostProgram
from harness.processes import Timeout


@pytest.fixture
def ends():
    host, guest = socket.socketpair()
    yield Channel(host, lambda: True), guest
    host.close()
    guest.close()


def test_jobs_end_in_any_order(ends):
    channel, guest = ends
    guest.sendall(b"started 1 10\n")
    first = channel.start("a")
    guest.sendall(b"started 2 20\n")
    second = channel.start("b")
    assert (first.pid, second.pid) == (10, 20)
    guest.sendall(b"done 2 0 -b3V0 -\ndone 1 7 - -ZXJy\n")
    assert second.wait(1) == Finished(0, "out", "")
    assert first.wait(1) == Finished(7, "", "err")


def test_a_line_may_come_in_pieces(ends):
    channel, guest = ends
    guest.sendall(b"started 1 10\ndone 1 0 -b3")
    job = channel.start("a")
    guest.sendall(b"V0 -\n")
    assert job.wait(1).output == "out"


def test_waiting_ends_when_the_machine_does(ends):
    channel, guest = ends
    guest.sendall(b"started 1 10\n")
    job = channel.start("a")
    with pytest.raises(Timeout):
        job.wait(0.1)
    guest.close()
    with pytest.raises(GuestGone):
        job.wait(1)


def test_a_reboot_loses_the_jobs(ends):
    channel, guest = ends
    guest.sendall(b"started 1 10\n")
    job = channel.start("a")
    guest.sendall(b"ready again\n")
    with pytest.raises(GuestGone, match="rebooted"):
        job.wait(1)
    assert channel.boots == 1


def test_the_hosts_closing_line_is_understood():
    line = "[2026-01-01 00:00:00.000] [info] context closed: graphs=12 nodes=2340 reason=guest"
    assert CLOSED.search(line)["pairs"].split() == ["graphs=12", "nodes=2340", "reason=guest"]


def test_a_host_that_ends_at_once_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("VIRTGPU_HOST", "/bin/false")
    with pytest.raises(RuntimeError, match="ended at once"):
        with HostProgram(tmp_path):
            pass


def test_llama_cpps_log_is_understood():
    log = ("sched_reserve: graph: nodes = 195, splits = 2, input objects = 4\n"
           "prompt eval time = 0.74 ms / 3 tokens ( 0.25 ms per token, 4065.04 tokens per second)\n"
           "       eval time = 8.78 ms / 31 runs ( 0.28 ms per token, 3529.55 tokens per second)\n")
    assert generation.graph_nodes(log) == 195
    assert generation.tokens_per_second(log) == 3529.55


def make_program(root, path):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch(0o755)


def test_programs_are_found_by_name_where_debian_puts_them(tmp_path):
    make_program(tmp_path, "usr/libexec/x86_64-linux-gnu/ggml/test-backend-ops")
    assert programs.command(tmp_path, "test-backend-ops")[-1] == \
        f"{tmp_path}/usr/libexec/x86_64-linux-gnu/ggml/test-backend-ops"
    with pytest.raises(programs.NoProgram, match="no program 'test'"):
        programs.command(tmp_path, "test")


def test_libraries_of_a_driver_come_after_the_roots(tmp_path, monkeypatch):
    make_program(tmp_path, "usr/bin/tool")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/of/a/driver")
    path = programs.command(tmp_path, "tool")[2].split(":")
    assert path[0] == f"{tmp_path}/usr/lib/x86_64-linux-gnu" and path[-1] == "/of/a/driver"
    assert "/of/a/driver" not in programs.library_path(tmp_path)


def test_qemu_finds_its_firmware_and_modules(tmp_path):
    make_program(tmp_path, "usr/bin/qemu-system-x86_64")
    words = programs.command(tmp_path, "qemu-system-x86_64")
    assert words[-4:] == ["-L", f"{tmp_path}/usr/share/qemu", "-L", f"{tmp_path}/usr/share/seabios"]
    assert programs.environment(tmp_path, "qemu-system-x86_64") == {
        "QEMU_MODULE_DIR": f"{tmp_path}/usr/lib/x86_64-linux-gnu/qemu"}
    assert not programs.environment(tmp_path, "llama-bench")


def test_programs_of_the_machine_are_simply_started():
    assert programs.command(pathlib.Path("/"), "/usr/bin/qemu-system-x86_64") == ["/usr/bin/qemu-system-x86_64"]
    assert not programs.environment(pathlib.Path("/"), "qemu-system-x86_64")


def test_programs_of_the_sysroot_start_with_its_loader(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "root", lambda: tmp_path)
    make_program(tmp_path, "usr/bin/tool")
    assert places.command_for("tool")[0] == f"{tmp_path}/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    assert places.command_for("tool")[-1] == f"{tmp_path}/usr/bin/tool"


def test_a_generation_without_its_report_is_asked_for_again():
    runs = iter([Finished(0, "what li", ""), Finished(0, "what light", "I common_perf_print: total time = 1 ms")])
    assert generation.whole(lambda: next(runs)).output == "what light"


def test_a_generation_that_fails_is_not_asked_for_again():
    assert generation.whole(lambda: Finished(1, "", "error")).status == 1


def test_generations_that_are_never_whole_are_an_error():
    with pytest.raises(generation.NeverWhole):
        generation.whole(lambda: Finished(0, "what li", ""))
