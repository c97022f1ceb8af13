"""Hostile sequences against a host, with a well-behaved client beside them that is watched."""
import contextlib
import os
import random
import subprocess
import time

import sequences
from client import Client, Closed
from harness import places, processes, usage

STEADY = places.build_folder() / "tests/hostile/virtgpu_steady"
ATTEMPTS = places.build_folder() / "tests/hostile/virtgpu_attempts"


class WellBehaved:
    """A program that computes on `virtgpu0` and answers a line with a line."""

    def __init__(self, program, socket):
        environment = {**os.environ, "GGML_BACKEND_PATH": str(places.frontend()), "GGML_VIRTGPU_SOCKET": str(socket)}
        self._process = subprocess.Popen([program, "virtgpu0", places.libraries() / "ggml/backends0"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
                                         preexec_fn=processes.die_with_parent)
        assert self._process.stdout.readline() == "ready\n", "the well-behaved client did not start"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._process.kill()
        self._process.wait()

    def ask(self, line=""):
        print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline()

    def end(self):
        """Its exit status, after it was told to stop."""
        self._process.stdin.close()
        return self._process.wait(60)


class Attempts(WellBehaved):
    """A client that goes on after failures."""

    def __init__(self, socket):
        super().__init__(ATTEMPTS, socket)

    def attempt(self, size=64, nodes=1):
        """What came of a chain of products: computed, wrong, failed, no memory, no backend."""
        return self.ask(f"{size} {nodes}").strip()


class Steady(WellBehaved):
    """A client that computes all the time; `rounds()` says how much, and fails when any of it was wrong."""

    def __init__(self, socket):
        super().__init__(STEADY, socket)

    def rounds(self):
        done, wrong = map(int, self.ask().split())
        assert wrong == 0, f"{wrong} of {done} results are wrong"
        return done

    def has_failed(self):
        """Whether its computations fail by now; then it is on its way out, and is asked no more."""
        try:
            return self.ask() == ""
        except BrokenPipeError:
            return True

    def rate_while(self, action):
        """Rounds per second while `action()` runs."""
        before, started = self.rounds(), time.monotonic()
        action()
        return (self.rounds() - before) / (time.monotonic() - started)


def run(socket, kind, chance):
    """One sequence. True when the host closed the connection for it."""
    try:
        with Client(socket) as client:
            kind(client, chance)
    except (Closed, TypeError):  # TypeError: a ring that was refused
        return True
    except (ConnectionError, TimeoutError, BlockingIOError):
        return True
    return False


def sequences_of(seed, count, kinds=sequences.ALL):
    """(number, kind, chance), the same for the same seed, so that one can be repeated alone."""
    for number in range(count):
        yield number, kinds[number % len(kinds)], random.Random(seed * 1_000_003 + number)


def resources(host):
    """(KiB of memory, open files) of the host program itself."""
    return usage.memory_kib(host.pid), usage.open_files(host.pid)


def wait_for_quiet(host, tenants):
    """Until only so many tenants are left."""
    with contextlib.suppress(ProcessLookupError):
        processes.wait_until(lambda: len(processes.children(host.pid)) <= tenants, 60, "the end of the hostile tenants")
