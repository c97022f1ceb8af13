"""Where things are: the repository, the root folder with Debian's programs, and what the build made."""
import functools
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from bootstrap import programs  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "models/bard-q8_0.gguf"
TRIPLET = programs.TRIPLET


@functools.cache
def root():
    """The sysroot, or / on a machine whose own packages are new enough (tools/bootstrap/sysroot)."""
    command = [REPOSITORY / "tools/bootstrap/sysroot", "--path"]
    return pathlib.Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


def build_folder():
    return pathlib.Path(os.environ.get("VIRTGPU_BUILD", REPOSITORY / "build/default")).resolve()


def _built(variable, path):
    return pathlib.Path(os.environ.get(variable, build_folder() / path)).resolve()


def host_program():
    return _built("VIRTGPU_HOST", "host/ggml-virtgpu-host")


def worker():
    return _built("VIRTGPU_WORKER", "worker/ggml-virtgpu-worker")


def backend_library():
    return _built("VIRTGPU_BACKEND", "backend/libggml-virtgpu-backend.so")


def frontend():
    return _built("VIRTGPU_FRONTEND", "plugin/libggml-virtgpu.so")


def guest_doctor():
    return _built("VIRTGPU_DOCTOR", "doctor/ggml-virtgpu-doctor")


def linger():
    """A library for LD_PRELOAD, with which programs print all that they have to say."""
    return build_folder() / "tools/harness/linger.so"


def libraries():
    """The folder of the root folder's shared libraries."""
    return programs.libraries(root())


def backends():
    """The folder of ggml's backends."""
    return libraries() / "ggml/backends0"


def command_for(program):
    """The words that start a program of the root folder; `program` is a name or a path."""
    return programs.command(root(), program)
