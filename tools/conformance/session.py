"""Debian's programs, run natively and on the remote device, against the same host backend."""
import contextlib
import functools
import os
import subprocess

from harness import generation, places, processes
from harness.channel import Finished
from harness.host import HostProgram

TIMED_OUT = 124
ATTEMPTS = 5
SECONDS = 1800  # for one program: lavapipe is slow, and a busy machine slower


class Session:
    """Serves containers while its `with` lasts.

    A *series* is one way to keep the CPU's quantised weights: repacked or as in the file. Both sides do the same,
    because the order of additions depends on it.
    """

    def __init__(self, backend, folder, threads):
        self.backend = backend
        self.folder = folder
        self.threads = threads
        # Every program that uses OpenMP has as many threads as llama.cpp's -t says, and waits without spinning:
        # several shards share the processors.
        self._common = {**os.environ, "GGML_NO_BACKTRACE": "1", "OMP_THREAD_LIMIT": str(threads),
                        "OMP_WAIT_POLICY": "passive", **dict(backend.environment)}
        for name in ("GGML_VIRTGPU_SOCKET", "GGML_BACKEND_PATH"):
            self._common.pop(name, None)
        self._hosts = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with self._stack:
            for repack in self.series():
                arguments = () if repack or not _host_can_repack() else ("--no-repack",)
                logs = self.folder / "logs" / ("repack" if repack else "no-repack")
                self._hosts[repack] = self._stack.enter_context(self.host_program(logs, "--listen", arguments))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *unused):
        self._stack.close()

    def host_program(self, logs, serve, arguments=(), backends=None):
        environment = {name: self._common[name] for name in ("OMP_THREAD_LIMIT", "OMP_WAIT_POLICY")}
        environment |= {**dict(self.backend.environment), **dict(self.backend.host_environment)}
        return HostProgram(logs, serve=serve, backend=backends or self.backend.name, threads=self.threads,
                           arguments=arguments, environment=environment)

    def series(self):
        """For each series, whether it repacks; the last one is what a host does by itself."""
        return (False, True) if self.backend.device == "CPU" and _host_can_repack() else (False,)

    def repacking(self, repack):
        """llama.cpp's options for a series, the same on both sides."""
        return () if repack else ("--no-repack",)

    def native(self, program, *arguments, seconds=SECONDS, environment=()):
        return run([*places.command_for(program), *arguments], {**self.native_environment(), **dict(environment)}, seconds)

    def on_cpu(self, program, *arguments, seconds=SECONDS):
        """Natively, without any GPU's backend."""
        return run([*places.command_for(program), *arguments], self._common, seconds)

    def remote(self, program, *arguments, seconds=SECONDS, repack=None):
        return run([*places.command_for(program), *arguments], self.remote_environment(repack), seconds)

    def on_host(self, host, program, *arguments, seconds=SECONDS, environment=()):
        """Remotely, on another host program than the session's own."""
        return run([*places.command_for(program), *arguments], {**self._on_host(host), **dict(environment)}, seconds)

    def native_environment(self):
        return {**self._common, **dict(self.backend.native_environment)}

    def remote_environment(self, repack=None):
        return self._on_host(self._hosts[self.series()[-1] if repack is None else repack])

    def _on_host(self, host):
        return {**self._common, "GGML_BACKEND_PATH": str(places.frontend()), "GGML_VIRTGPU_SOCKET": str(host.socket)}

    def remote_layers(self, count):
        return ("-ngl", str(count), "--device", generation.DEVICE)


@functools.cache
def _host_can_repack():
    answer = subprocess.run([places.host_program(), "--help"], capture_output=True, text=True, check=False)
    return "--no-repack" in answer.stdout


def run(command, environment, seconds):
    """Runs a program to its end, which is `seconds` away at most; its Finished."""
    environment = {**environment, "LD_PRELOAD": str(places.linger())}
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment, text=True, errors="replace",
                          preexec_fn=processes.die_with_parent) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
            return Finished(TIMED_OUT, output, f"{errors}\nstill running after {seconds} s")
    return Finished(process.returncode, output, errors)


def repeated_until_whole(start, is_whole, statuses=(0,)):
    """What `start()` returns, the first time that the program's last words are there, or it ended with another status.

    llama.cpp's programs print from a thread for which their exit does not wait (see generation.is_whole); on a busy
    machine a moment more (places.linger) is not always enough for it.
    """
    for _ in range(ATTEMPTS):
        finished = start()
        if finished.status not in statuses or is_whole(finished):
            return finished
    raise RuntimeError(f"the program's last words were missing {ATTEMPTS} times")


def ending(finished):
    """How a program ended that should not have, in one line: what our frontend said, and its last words."""
    lines = [line for line in finished.errors.splitlines() if line.strip()]
    ours = [line for line in lines[:-3] if line.startswith("ggml-virtgpu: ")]
    return f"exit status {finished.status}: {' | '.join([*ours[:3], *lines[-3:]])[-800:]}"
