"""Text generation that has one right answer: the demo model at temperature 0, in the guest or on the host itself."""
import dataclasses
import functools
import os
import pathlib
import re
import shlex
import subprocess

from harness import places
from harness.channel import Finished

PROMPT = "ROMEO:\n"
GUEST_MODEL = f"/models/{places.MODEL.name}"
GRAPH_NODES = re.compile(r"graph: nodes = (\d+)")
SPEED = re.compile(r" eval time = .*?([\d.]+) tokens per second", re.MULTILINE)
REPORT = "common_perf_print:"
DEVICE = "virtgpu0"
TRACE = ("-lv", "4")  # llama.cpp says how large its graphs are at this level


@dataclasses.dataclass(frozen=True)
class Request:
    tokens: int
    prompt: str = PROMPT
    options: tuple = ()
    model: pathlib.Path = places.MODEL  # on this machine
    # Weights in the layout that a CPU computes fastest with, which has another order of additions. A host's CPU does
    # it whatever is said here, unless the host was started with --no-repack.
    repack: bool = True

    def arguments(self, model=None):
        return ["-m", str(model or self.model), "-p", self.prompt, "-n", str(self.tokens), "--temp", "0",
                *([] if self.repack else ["--no-repack"]), "-no-cnv", "--no-display-prompt", *self.options]

    def guest_command(self, device=DEVICE):
        """For the guest's shell, everything on `device`: llama.cpp refuses to start when there is none of that name.

        With None llama.cpp takes what it finds, be it the guest's own CPU.
        """
        choice = ["--device", device] if device else []
        return shlex.join(["llama-completion", *self.arguments(GUEST_MODEL), "-ngl", "99", *choice])


def graph_nodes(log):
    """How many nodes llama.cpp's graph for this model has, by its own log at TRACE level."""
    found = GRAPH_NODES.findall(log)
    return max(map(int, found)) if found else None


def tokens_per_second(log):
    found = [match for line in log.splitlines() if "prompt" not in line for match in SPEED.findall(line)]
    return float(found[-1]) if found else None


class NeverWhole(Exception):
    """llama-completion lost its last bytes each time."""


def is_whole(finished):
    """Whether all that llama-completion had to say is there.

    It prints from a thread for which its exit does not wait, so on a busy machine its last bytes can be missing,
    natively as well. But the thread keeps the order, and the closing report comes after the text. A run that failed
    has no report.
    """
    return finished.status != 0 or REPORT in finished.errors


def all_whole(run, attempts=10):
    """What `run()` returns, how several generations ended, the first time that each is whole."""
    for _ in range(attempts):
        finished = run()
        if all(map(is_whole, finished)):
            return finished
    raise NeverWhole(f"in {attempts} runs: {finished}")


def whole(run):
    """The same for one generation."""
    return all_whole(lambda: [run()])[0]


@functools.cache
def native(request, threads=None):
    """What llama.cpp answers on this machine itself, on ggml's CPU backend, with as many threads as the host uses."""
    finished = whole(lambda: _native_run(request, threads))
    if finished.status != 0:
        raise RuntimeError(f"llama-completion failed on the host: {finished.errors[-2000:]}")
    return finished.output


def _native_run(request, threads):
    command = [*places.command_for("llama-completion"), *request.arguments(), "--device", "none",
               "-t", str(threads or os.cpu_count())]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=120, check=False)
    return Finished(answer.returncode, answer.stdout.decode("utf-8", errors="replace"),
                    answer.stderr.decode("utf-8", errors="replace"))
