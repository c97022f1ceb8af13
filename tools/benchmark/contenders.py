"""Who is measured: the host's own backend, the same through us, and the same through ggml-rpc."""
import contextlib
import dataclasses
import os

from harness import places, rpc_server
from harness.host import HostProgram

NAMES = ("native", "virtgpu", "ggml-rpc")


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    device: str = "CPU"  # for the programs of this folder
    arguments: tuple = ()  # of llama.cpp's programs
    variables: tuple = ()  # of the environment, pairs
    host: HostProgram | None = None

    def environment(self, **more):
        return {**os.environ, **dict(self.variables), **more}

    def program(self, name):
        """The words that start a program of this folder on the contender's device."""
        backends = places.root() / "usr/lib" / places.TRIPLET / "ggml/backends0"
        return [str(places.build_folder() / "tools/benchmark" / name), self.device, str(backends)]


def native(repack=False):
    return Contender("native", "CPU", ("-ngl", "0", "--device", "none", "--repack", str(int(repack))))


@contextlib.contextmanager
def virtgpu(threads, logs, repack=False):
    arguments = () if repack else ("--no-repack",)
    with HostProgram(logs, serve="--listen", threads=threads, arguments=arguments) as host:
        yield Contender("virtgpu", "virtgpu0", ("-ngl", "99", "--device", "virtgpu0"),
                        (("GGML_VIRTGPU_SOCKET", str(host.socket)), ("GGML_BACKEND_PATH", str(places.frontend()))),
                        host)


@contextlib.contextmanager
def rpc(threads, logs):
    logs.mkdir(parents=True, exist_ok=True)
    with rpc_server.running(threads, logs / "rpc.log") as endpoint:
        yield Contender("ggml-rpc", endpoint, ("-ngl", "99", "--rpc", endpoint, "--device", "RPC0"))


@contextlib.contextmanager
def everybody(threads, logs, repack=False):
    """All three at once, so that they can take turns. ggml-rpc-server does not repack."""
    with virtgpu(threads, logs, repack) as ours, rpc(threads, logs) as theirs:
        yield (native(repack), ours, theirs)
