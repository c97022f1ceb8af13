"""Fixtures of the tests with a virtual machine: a host program and a guest, their logs below build/*/vm-logs."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from harness import image, places, qemu  # noqa: E402
from harness.guest import Guest  # noqa: E402
from harness.host import HostProgram  # noqa: E402


@pytest.fixture(scope="session")
def guest_image():
    return image.build(places.frontend())


@pytest.fixture(scope="module")
def log_folder(request):
    return places.build_folder() / "vm-logs" / qemu.device_kind() / pathlib.Path(request.node.fspath).stem


@pytest.fixture(scope="module")
def host(log_folder):
    with HostProgram(log_folder, arguments=qemu.host_options()) as program:
        yield program


@pytest.fixture(scope="module")
def guest(host, guest_image, log_folder):
    with Guest(guest_image, log_folder, devices=[host.socket]) as machine:
        assert qemu.ready_text() in host.log(), f"no {qemu.device_kind()} device: {host.log()[-2000:]}"
        yield machine
