"""The frontend is installed, and there is no device: the application computes on the guest's own CPU."""
import pytest

from harness.guest import Guest
from workload import SHORT


@pytest.fixture(scope="module")
def guest(guest_image, log_folder):
    with Guest(guest_image, log_folder) as machine:
        yield machine


def test_no_device_is_listed(guest):
    finished = guest.run("llama-completion --list-devices")
    assert finished.status == 0, finished.errors
    assert "virtgpu" not in finished.output


def test_the_guests_cpu_computes(guest):
    finished = guest.run(SHORT.guest_command(device=None))
    assert finished.status == 0, finished.errors
    assert finished.output.strip()
    assert "virtgpu" not in finished.errors.lower().replace("libggml-virtgpu.so", ""), "silent without a device"


def test_asking_for_the_device_is_an_error(guest):
    assert guest.run(SHORT.guest_command()).status == 1
