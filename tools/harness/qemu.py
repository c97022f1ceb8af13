"""The QEMU to use, $QEMU when that is set (`make demo QEMU=/path`), else the root folder's; and what it can do."""
import functools
import os
import re
import subprocess

from bootstrap import programs
from harness import places

# The first whose vhost-user-test-device-pci carries a whole virtio-gpu device. Older ones have vhost-user-gpu-pci,
# which leaves out blobs and context types.
FIRST_WITH_WHOLE_DEVICE = 11
# The last major version whose vhost-user devices refuse to run without KVM.
LAST_THAT_WANTS_KVM = 7
PROGRAM = "qemu-system-x86_64"
WITHOUT_KVM = "tools/harness/qemu-without-kvm.so"


def command():
    own = os.environ.get("QEMU")
    return [own] if own else places.command_for(PROGRAM)


def environment(accelerator):
    """Ours, and what QEMU needs besides."""
    wanted = dict(os.environ)
    if not os.environ.get("QEMU"):
        wanted.update(programs.environment(places.root(), PROGRAM))
    if accelerator != "kvm" and _major_version() <= LAST_THAT_WANTS_KVM:
        wanted["LD_PRELOAD"] = str(places.build_folder() / WITHOUT_KVM)
    return wanted


@functools.cache
def version():
    answer = subprocess.run([*command(), "--version"], stdout=subprocess.PIPE, text=True, check=True)
    return answer.stdout.splitlines()[0]


def kinds_of_version(text):
    """Of devices that a QEMU of that version ("11.1") has, the best first. "whole" is all that there is; "windowless" the same whose regions are
    the guest's own memory; and with "legacy" the guest has neither blobs nor context types, either."""
    return ("whole", "windowless", "legacy") if int(text.split(".")[0]) >= FIRST_WITH_WHOLE_DEVICE else ("legacy",)


def device_kinds():
    """Of devices that this QEMU has, the best first."""
    return kinds_of_version(str(_major_version()))


def device_kind():
    """The one to use, $DEVICE_KIND when that is set."""
    return os.environ.get("DEVICE_KIND") or device_kinds()[0]


def regions_are_guest_memory():
    return device_kind() != "whole"


def host_options(kind=None):
    """What makes the host program serve a device of that kind."""
    return ("--window", "0") if (kind or device_kind()) == "windowless" else ()


def ready_text(kind=None):
    """What the host program's log says of a device of that kind, and of no other, when the guest's driver has begun."""
    return {"whole": "device ready: ", "windowless": "device ready without a window",
            "legacy": "device ready without context types or blobs"}[kind or device_kind()]


def device(chardev, kind=None):
    """The -device option for a virtio-gpu device that a ggml-virtgpu-host behind `chardev` serves."""
    if (kind or device_kind()) == "legacy":
        return f"vhost-user-gpu-pci,chardev={chardev}"
    return f"vhost-user-test-device-pci,chardev={chardev},virtio-id=16,num_vqs=2,vq_size=256,config_size=16"


def _major_version():
    return int(re.search(r"version (\d+)", version())[1])
