"""Who is measured: the host's own backend, the same through us, and the same through ggml-rpc."""
import contextlib
import dataclasses
import os

from harness import backends, places, rpc_server
from harness.host import HostProgram

PEER = "ggml-rpc"
NAMES = ("native", "virtgpu", PEER)


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    device: str = "CPU"  # for the programs of this folder
    arguments: tuple = ()  # of llama.cpp's programs
    bench_arguments: tuple = ()  # of llama-bench alone
    variables: tuple = ()  # of the environment, pairs
    host: HostProgram | None = None

    def environment(self, **more):
        return {**os.environ, **dict(self.variables), **more}

    def program(self, name):
        """The words that start a program of this folder on the contender's device."""
        return [str(places.build_folder() / "tools/benchmark" / name), self.device, str(places.backends())]


def _backend(name):
    return backends.cuda() if name == "cuda" else backends.cpu()


def native(repack=False, backend="cpu"):
    used = _backend(backend)
    return Contender("native", used.device, used.choice, ("--repack", str(int(repack))),
                     (*used.environment, *used.native_environment))


@contextlib.contextmanager
def virtgpu(threads, logs, repack=False, backend="cpu", arguments=()):
    """`arguments`: more of ggml-virtgpu-host's."""
    used = _backend(backend)
    arguments = (*arguments, *(() if repack else ("--no-repack",)))
    with HostProgram(logs, serve="--listen", backend=used.name, threads=threads, arguments=arguments,
                     environment=dict((*used.environment, *used.host_environment))) as host:
        yield Contender("virtgpu", "virtgpu0", ("-ngl", "99", "--device", "virtgpu0"), (),
                        (("GGML_VIRTGPU_SOCKET", str(host.socket)), ("GGML_BACKEND_PATH", str(places.frontend()))),
                        host)


@contextlib.contextmanager
def rpc(threads, logs, backend="cpu"):
    used = _backend(backend)
    logs.mkdir(parents=True, exist_ok=True)
    with rpc_server.running(threads, logs / "rpc.log", used.device,
                            dict((*used.environment, *used.native_environment))) as endpoint:
        yield Contender(PEER, endpoint, ("-ngl", "99", "--rpc", endpoint, "--device", "RPC0"))


@contextlib.contextmanager
def everybody(threads, logs, repack=False, backend="cpu"):
    """All three at once, so that they can take turns. ggml-rpc-server does not repack."""
    with virtgpu(threads, logs, repack, backend) as ours, rpc(threads, logs, backend) as theirs:
        yield (native(repack, backend), ours, theirs)
