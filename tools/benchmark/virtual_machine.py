"""A guest in QEMU: what a token costs on the way, and the same model on the guest's own CPU for contrast.

Without KVM the guest is emulated, and then only counts mean anything.
"""
import shlex
import sys

from benchmark import llama_bench, traffic
from harness import generation, guest, image, places, qemu
from harness.host import HostProgram

SHORTER, LONGER = 16, 272  # tokens
SECONDS = 300
OWN_CPU = ("-ngl", "0", "--device", "none", "--repack", "0")
HOSTS_DEVICE = ("-ngl", "99", "--device", generation.DEVICE)
PROCESSORS = 2


def measure(settings):
    logs = settings.logs / "virtual-machine"
    folder = image.build(places.frontend())
    accelerator = guest.best_accelerator(folder)
    with HostProgram(logs, threads=settings.threads, arguments=qemu.host_options()) as host, \
            guest.Guest(folder, logs, devices=[host.socket], accelerator=accelerator,
                        processors=PROCESSORS) as machine:
        counted = traffic.of_tokens(lambda tokens: _counted(machine, host, tokens), SHORTER, LONGER, settings.rounds)
        return {"accelerator": accelerator, "processors": PROCESSORS, "per token": counted,
                "tokens per second": _speeds(machine, settings.rounds)}


def _speeds(machine, rounds):
    speeds = {"virtgpu": [], "the guest's own CPU": []}
    for number in range(1, rounds + 1):
        print(f"virtual machine, round {number} of {rounds}", file=sys.stderr)
        for (name, samples), options in zip(speeds.items(), (HOSTS_DEVICE, OWN_CPU)):
            samples.append(_run(machine, SHORTER, options)[0])
    return speeds


def _counted(machine, host, tokens):
    print(f"virtual machine, {tokens} tokens", file=sys.stderr)
    before = len(host.closed_contexts())
    frontend = _run(machine, tokens, HOSTS_DEVICE, "GGML_VIRTGPU_DEBUG=1 ")[1]
    return {"frontend": frontend, "host": traffic.of_host(host, before)}


def _run(machine, tokens, options, variables=""):
    """(tokens per second, what the frontend counted)"""
    words = ["llama-bench", *llama_bench.arguments(generation.GUEST_MODEL, PROCESSORS, 0, tokens), *options]
    finished = machine.run(variables + shlex.join(words), SECONDS)
    if finished.status != 0:
        raise RuntimeError(f"llama-bench in the guest failed: {finished.errors[-2000:]}")
    [speed] = llama_bench.speeds(finished.output).values()
    return speed, traffic.of_frontend(finished.errors)
