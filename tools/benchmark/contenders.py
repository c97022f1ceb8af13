"""Who is measured: llama-bench on the host's own backend, through us, and through ggml-rpc."""
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess

from harness import places, rpc_server
from harness.host import HostProgram

SECONDS = 300  # for one llama-bench


@dataclasses.dataclass(frozen=True)
class Workload:
    model: pathlib.Path
    prompt: int   # tokens of the prompt test, pp
    generate: int  # tokens of the generation test, tg


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    device: str = "CPU"  # as ggml calls it there
    arguments: tuple = ()
    environment: tuple = ()  # pairs

    def measure(self, workload, threads):
        """Tokens per second by test, as {"pp64": …, "tg64": …}."""
        command = [*places.command_for("llama-bench"), "-m", str(workload.model), "-p", str(workload.prompt),
                   "-n", str(workload.generate), "-t", str(threads), "-r", "1", "-o", "json", *self.arguments]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False,
                                  env={**os.environ, **dict(self.environment)})
        if finished.returncode != 0:
            raise RuntimeError(f"llama-bench for {self.name} failed: {finished.stderr[-2000:]}")
        return {_test_name(row): row["avg_ts"] for row in json.loads(finished.stdout)}


def _test_name(row):
    return f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"


def native():
    return Contender("native", "CPU", ("-ngl", "0", "--device", "none"))


@contextlib.contextmanager
def virtgpu(threads, logs):
    with HostProgram(logs, serve="--listen", threads=threads) as host:
        yield Contender("virtgpu", "virtgpu0", ("-ngl", "99", "--device", "virtgpu0"),
                        (("GGML_VIRTGPU_SOCKET", str(host.socket)), ("GGML_BACKEND_PATH", str(places.frontend()))))


@contextlib.contextmanager
def rpc(threads, logs):
    with rpc_server.running(threads, pathlib.Path(logs) / "rpc.log") as endpoint:
        yield Contender("ggml-rpc", "RPC0", ("-ngl", "99", "--rpc", endpoint, "--device", "RPC0"))
