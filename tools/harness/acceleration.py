"""KVM or TCG: what this machine's QEMU can boot our guest with.

/dev/kvm being there is not enough: under nested virtualisation it can open and then never boot a kernel. So the guest
is booted under it once, for a bounded time, and the answer is kept in the build folder.
"""
import json
import os
import platform

from harness import places, qemu

PROBE_SECONDS = 10  # TCG needs 5 to 8: a KVM that is slower than that is no gain
ANSWER = places.REPOSITORY / "build/acceleration.json"


def best(boots_under_kvm):
    """`boots_under_kvm(seconds)` tries it; it is called once for a machine, a kernel and a QEMU."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    machine = f"{platform.release()}, {qemu.version()}"
    try:
        known = json.loads(ANSWER.read_text(encoding="utf-8"))
        if known["machine"] == machine:
            return known["accelerator"]
    except (FileNotFoundError, ValueError, KeyError):
        pass
    accelerator = "kvm" if boots_under_kvm(PROBE_SECONDS) else "tcg"
    ANSWER.parent.mkdir(parents=True, exist_ok=True)
    ANSWER.write_text(json.dumps({"machine": machine, "accelerator": accelerator}), encoding="utf-8")
    return accelerator
