"""Guests in QEMU, with each kind of device that it has: what a token costs on the way, what single things cost, and the same
model on the guest's own CPU for contrast.

Without KVM the guest is emulated, and then only counts mean anything, and ratios within the guest something.
"""
import json
import shlex
import sys

from benchmark import llama_bench, micro, traffic
from harness import generation, guest, image, places, qemu
from harness.host import HostProgram

SHORTER, LONGER = 16, 272  # tokens
SECONDS = 600
OWN_CPU = ("-ngl", "0", "--device", "none", "--repack", "0")
HOSTS_DEVICE = ("-ngl", "99", "--device", generation.DEVICE)
PROCESSORS = 2
PROGRAM = places.build_folder() / "tools/benchmark" / micro.PROGRAM
BACKENDS = f"/usr/lib/{places.TRIPLET}/ggml/backends0"
# Of a size that is shared everywhere, and of one that guest memory is too small for.
ROWS = "^(round_trip_|(memcpy|set_bytes|get_bytes)/(65536|16777216|268435456)/)"


def measure(settings):
    folder = image.build(places.frontend(), programs=[PROGRAM], name="guest-with-benchmark")
    accelerator = guest.best_accelerator(folder)
    return {"accelerator": accelerator, "processors": PROCESSORS,
            "devices": {kind: _with_device(kind, folder, accelerator, settings) for kind in qemu.device_kinds()}}


def _with_device(kind, folder, accelerator, settings):
    logs = settings.logs / "virtual-machine" / kind
    with HostProgram(logs, threads=settings.threads, arguments=qemu.host_options(kind)) as host, \
            guest.Guest(folder, logs, devices=[host.socket], accelerator=accelerator, processors=PROCESSORS,
                        device_kind=kind) as machine:
        counted = traffic.of_tokens(lambda tokens: _counted(kind, machine, host, tokens), SHORTER, LONGER,
                                    settings.rounds)
        return {"per token": counted, "tokens per second": _speeds(kind, machine, settings.rounds),
                "single things": _single_things(kind, machine, settings.rounds)}


def _say(kind, what):
    print(f"virtual machine ({kind}), {what}", file=sys.stderr)


def _speeds(kind, machine, rounds):
    speeds = {"virtgpu": [], "the guest's own CPU": []}
    for number in range(1, rounds + 1):
        _say(kind, f"round {number} of {rounds}")
        for (name, samples), options in zip(speeds.items(), (HOSTS_DEVICE, OWN_CPU)):
            samples.append(_bench(machine, SHORTER, options)[0])
    return speeds


def _counted(kind, machine, host, tokens):
    _say(kind, f"{tokens} tokens")
    before = len(host.closed_contexts())
    frontend = _bench(machine, tokens, HOSTS_DEVICE, "GGML_VIRTGPU_DEBUG=1 ")[1]
    return {"frontend": frontend, "host": traffic.of_host(host, before)}


def _bench(machine, tokens, options, variables=""):
    """(tokens per second, what the frontend counted)"""
    words = ["llama-bench", *llama_bench.arguments(generation.GUEST_MODEL, PROCESSORS, 0, tokens), *options]
    finished = _run(machine, variables + shlex.join(words))
    [speed] = llama_bench.speeds(finished.output).values()
    return speed, traffic.of_frontend(finished.errors)


def _single_things(kind, machine, rounds):
    _say(kind, "single things")
    options = [generation.DEVICE, BACKENDS, "--benchmark_format=json", f"--benchmark_filter={ROWS}",
               "--benchmark_min_time=0.05", f"--benchmark_repetitions={rounds}"]
    finished = _run(machine, f"{image.command_for(PROGRAM)} {shlex.join(options)}")
    return micro.samples(json.loads(finished.output)["benchmarks"])


def _run(machine, command):
    finished = machine.run(command, SECONDS)
    if finished.status != 0:
        raise RuntimeError(f"{command} in the guest failed: {finished.errors[-2000:]}")
    return finished
