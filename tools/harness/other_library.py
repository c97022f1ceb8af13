"""A library with virglrenderer's C interface that computes for the host: a copy of ours, which the host loads like any other."""
import re
import shutil
import subprocess

from harness import places
from harness.host import HostProgram


def cpu_backend():
    """The variant that ggml itself takes here: others round in other places."""
    listed = subprocess.run([places.worker(), "--list-devices", "--backend", "cpu", "--log-level", "debug"],
                            capture_output=True, text=True, timeout=60, check=True)
    return re.search(r"loaded CPU backend from (\S+)", listed.stdout + listed.stderr).group(1)


def host(log_folder, library_folder, environment=None, **options):
    """A host program whose workers compute with it; `options` are HostProgram's."""
    library = shutil.copy(places.backend_library(), library_folder / "libother.so")
    names = {"VIRGL_APIR_BACKEND_LIBRARY": str(library), "APIR_LLAMA_CPP_GGML_LIBRARY_PATH": cpu_backend()}
    return HostProgram(log_folder, backend=None, environment={**names, **(environment or {})}, **options)
