"""ggml-virtgpu-doctor in virtual machines: what is wrong is provoked, and named."""
import json

import pytest

from harness import image, places, qemu
from harness.guest import Guest
from harness.host import HostProgram

PLUGIN = f"/usr/lib/{places.TRIPLET}/ggml/backends0/libggml-virtgpu.so"


@pytest.fixture(scope="module")
def guest_image():
    return image.build(places.frontend(), programs=[places.guest_doctor()], name="guest-with-doctor")


def examine(guest, before="true", after="true"):
    """The doctor's status and findings, between two shell commands."""
    finished = guest.run(f"{before}; ggml-virtgpu-doctor --json; status=$?; {after}; exit $status")
    return finished.status, json.loads(finished.output)["findings"]


def assert_names(answer, text, fix=""):
    status, findings = answer
    assert status == 1, findings
    assert any(finding["verdict"] == "problem" and text in finding["text"] and fix in finding["fix"]
               for finding in findings), findings


def test_all_is_well(guest):
    status, findings = examine(guest)
    assert status == 0, findings
    # A device that shares guest memory alone is slower, and that is all.
    features, slower = ("no ", {"features"}) if qemu.regions_are_guest_memory() else ("all that is needed", set())
    assert {finding["subject"] for finding in findings if finding["verdict"] != "ok"} == slower
    said = " ".join(finding["text"] for finding in findings)
    for words in ("virtio_gpu of Linux", "/dev/dri/renderD128", "10, with APIR's 10", features,
                  "to the device process", "compute worker starts", "virtgpu0: ", "to the compute worker"):
        assert words in said


def test_a_driver_that_lost_its_device(guest):
    driver = "/sys/bus/virtio/drivers/virtio_gpu"
    device = guest.run(f"ls {driver} | grep virtio").output.split()[0]
    answer = examine(guest, f"echo {device} >{driver}/unbind", f"echo {device} >{driver}/bind")
    assert_names(answer, "virtio_gpu has not taken it", "bind")
    assert examine(guest)[0] == 0


def test_a_node_that_is_missing(guest):
    node = "/dev/dri/renderD128"
    assert_names(examine(guest, f"mv {node} /tmp/node", f"mv /tmp/node {node}"), f"there is no {node}", "--device")


def test_a_plugin_that_is_missing(guest):
    answer = examine(guest, f"mv {PLUGIN} /tmp/plugin", f"mv /tmp/plugin {PLUGIN}")
    assert_names(answer, "does not find libggml-virtgpu.so", "/ggml/backends0")


def test_a_host_that_is_gone(host, guest):
    host.kill()
    assert_names(examine(guest), "does not answer", "restart the VM")


def test_a_machine_without_a_device(guest_image, log_folder):
    with Guest(guest_image, log_folder) as machine:
        assert_names(examine(machine), "no virtio-gpu device", "start QEMU")


def test_an_ordinary_virtio_gpu(guest_image, log_folder):
    with Guest(guest_image, log_folder, options=["-device", "virtio-gpu-pci"]) as machine:
        assert_names(examine(machine), "an ordinary virtio-gpu", "ggml-virtgpu-host doctor")


def test_an_ordinary_virtio_gpu_beside_ours(guest_image, log_folder):
    with HostProgram(log_folder, arguments=qemu.host_options()) as host, \
            Guest(guest_image, log_folder, devices=[host.socket], options=["-device", "virtio-gpu-pci"]) as machine:
        status, findings = examine(machine)
    assert status == 0, findings
    assert any(finding["verdict"] == "ok" and "an ordinary virtio-gpu, not ours" in finding["text"]
               for finding in findings), findings
    assert any("virtgpu0: " in finding["text"] for finding in findings), findings


def test_a_driver_that_may_not(guest_image, log_folder):
    with Guest(guest_image, log_folder, options=["-device", "virtio-gpu-pci"], boot_parameters="nomodeset") as machine:
        assert_names(examine(machine), "nomodeset forbids it", "remove it")
