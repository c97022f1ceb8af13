"""Who may use the host's socket: by the file's mode, and by who connects. Both sides say why somebody may not."""
import os
import pwd

import pytest

from container import Container, messages
from harness.host import HostProgram

STRANGER = pwd.getpwnam("nobody")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as another user")


@pytest.fixture(name="listening_host")
def fixture_listening_host(log_folder):
    """listening_host(options): a host whose socket's folder everybody may look into."""
    running = []

    def start(*options):
        host = HostProgram(log_folder, serve="--listen", arguments=options)
        running.append(host)
        host.__enter__()
        host.socket.parent.chmod(0o755)
        return host

    yield start
    for host in running:
        host.stop()


def list_devices(host, user=None):
    return Container(host.socket, user).run("llama-bench", "--list-devices")


def assert_refused(finished, *words):
    assert finished.status == 0, finished.errors
    assert "virtgpu0" not in finished.output
    [message] = messages(finished)
    for word in words:
        assert word in message


def test_by_default_nobody_else_may_connect(listening_host):
    host = listening_host()
    assert_refused(list_devices(host, STRANGER), "Permission denied", "user nobody may not use it", "belongs to user root",
                   "--socket-group")
    assert "virtgpu0" in list_devices(host).output


def test_a_mode_lets_others_in(listening_host):
    host = listening_host("--socket-mode", "0666")
    assert "virtgpu0" in list_devices(host, STRANGER).output
    assert f"user nobody (uid {STRANGER.pw_uid})" in host.log()


def test_a_group_lets_its_members_in(listening_host):
    host = listening_host("--socket-mode", "0660", "--socket-group", str(STRANGER.pw_gid))
    assert "virtgpu0" in list_devices(host, STRANGER).output


def test_who_is_not_on_the_list_is_refused(listening_host):
    host = listening_host("--socket-mode", "0666", "--allow-user", "daemon")
    assert_refused(list_devices(host, STRANGER), "user nobody", "--allow-user")
    assert f"user nobody (uid {STRANGER.pw_uid})" in host.log() and "is refused" in host.log()
    assert "virtgpu0" in list_devices(host).output  # the host's own user


@pytest.mark.parametrize("option", [("--allow-user", "nobody"), ("--allow-group", str(STRANGER.pw_gid))])
def test_who_is_on_the_list_is_served(listening_host, option):
    assert "virtgpu0" in list_devices(listening_host("--socket-mode", "0666", *option), STRANGER).output
