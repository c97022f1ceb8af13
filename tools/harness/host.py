"""The program ggml-virtgpu-host, and what it says about the work it did."""
import contextlib
import os
import pathlib
import re
import signal
import tempfile

from harness import places, processes

START_SECONDS = 20
CLOSED = re.compile(r"context closed:(?P<pairs>(?: \w+=\S+)+)")


class HostProgram:
    """Serves a virtual machine, or containers (serve="--listen"), at `socket` from the `with` statement on."""

    WORKER = "ggml-virtgpu-worker"

    def __init__(self, log_folder, serve="--socket-path", backend="cpu", threads=None, arguments=(),
                 environment=None):
        """`environment` is added to ours, for this program and its workers."""
        self._environment = {**os.environ, **(environment or {})}
        self._log = pathlib.Path(log_folder) / "host.log"
        self._serve = serve
        self._arguments = [*(["--backend", backend] if backend else []), "--threads", threads or os.cpu_count(),
                           "--log-level", "info", *arguments]
        self._process = None
        # Not below the logs: the path of a Unix socket may have 107 characters only.
        self._folder = tempfile.TemporaryDirectory(prefix="virtgpu-host-")
        self.socket = pathlib.Path(self._folder.name) / "socket"

    def __enter__(self):
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.unlink(missing_ok=True)
        if not places.host_program().exists():
            raise RuntimeError(f"{places.host_program()} is missing; run `make build`")
        command = [places.host_program(), self._serve, self.socket, *self._arguments]
        self._process = processes.start(command, self._log, environment=self._environment)
        try:
            processes.wait_until(lambda: self.socket.exists() or not self.is_alive(), START_SECONDS, "the host's socket")
            if not self.is_alive():
                raise RuntimeError(f"ggml-virtgpu-host ended at once: {self.log()[-2000:]}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *unused):
        self.stop()

    @property
    def pid(self):
        return self._process.pid

    def is_alive(self):
        return self._process is not None and self._process.poll() is None

    def stop(self):
        """Ends the program; returns its exit status. Safe to call twice."""
        status = processes.end(self._process, seconds=10)
        self._folder.cleanup()
        return status

    def kill(self):
        """SIGKILL to the program and everything it started."""
        for pid in [self._process.pid, *(pid for pid, _ in processes.descendants(self._process.pid))]:
            with contextlib.suppress(ProcessLookupError):  # they end with the first
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def ask_for_counters(self):
        """Makes every worker log what its contexts did so far."""
        os.kill(self.pid, signal.SIGUSR1)

    def log(self):
        return self._log.read_text(encoding="utf-8", errors="replace")

    def workers(self):
        """Process ids of the compute workers that are alive now."""
        return [pid for pid, name in processes.descendants(self._process.pid) if name == self.WORKER]

    def closed_contexts(self):
        """One dictionary of numbers for every context that has ended, as `graphs` and `nodes`."""
        return [{key: int(value) for key, value in (pair.split("=") for pair in match["pairs"].split())
                 if value.isdigit()} for match in CLOSED.finditer(self.log())]
