"""The host backends that are tried, each behind the socket and natively: what to start, with which environment."""
import dataclasses
import os
import pathlib

from harness import places

VULKAN_DRIVER = "usr/share/vulkan/icd.d/lvp_icd.json"
VULKAN_LIBRARY = "libggml-vulkan.so"
CUDA_LIBRARY = "libggml-cuda.so"
# The driver compiles each kernel when it is first used, and keeps what it made; by default not more than 1 GiB.
CUDA_CACHE = (("CUDA_CACHE_MAXSIZE", str(4 << 30)),)


class Unavailable(Exception):
    """What is missing here, and how to get it."""


@dataclasses.dataclass(frozen=True)
class Backend:
    name: str
    device: str  # as ggml calls it natively
    choice: tuple  # llama.cpp's options for everything on it, natively
    environment: tuple = ()  # pairs, on both sides
    native_environment: tuple = ()  # pairs
    host_environment: tuple = ()  # pairs

    def native_layers(self, count):
        """llama.cpp's options for `count` layers on the device, the others on the processor."""
        if self.device == "CPU":
            return self.choice
        return ("-ngl", str(count), "--device", self.device)


def cpu():
    return Backend("cpu", "CPU", ("-ngl", "0", "--device", "none"))


def vulkan(folder, threads):
    """lavapipe. `folder` is for a script that starts the worker."""
    driver, library = places.root() / VULKAN_DRIVER, places.backends() / VULKAN_LIBRARY
    for path in (driver, library):
        if not path.exists():
            raise Unavailable(f"{path} is missing; `tools/bootstrap/sysroot --with conformance` unpacks it")
    native = host = ()
    if places.root() != pathlib.Path("/"):  # the sysroot's programs do not find it by themselves
        native = (("GGML_BACKEND_PATH", str(library)),)
        host = (("GGML_VIRTGPU_WORKER", str(_worker_with_libraries(folder))),)
    return Backend("vulkan", "Vulkan0", ("-ngl", "99", "--device", "Vulkan0"),
                   (("VK_DRIVER_FILES", str(driver)), ("GGML_VK_VISIBLE_DEVICES", "0"),
                    ("LP_NUM_THREADS", str(threads))), native, host)


def _worker_with_libraries(folder):
    """The worker finds the sysroot's libraries by its run path, but theirs (lavapipe's LLVM) have run paths of their own."""
    script = folder / "worker"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"worker.{os.getpid()}"
    unfinished.write_text(f"#!/bin/sh\nLD_LIBRARY_PATH='{places.libraries()}' exec '{places.worker()}' \"$@\"\n",
                          encoding="utf-8")
    unfinished.chmod(0o755)
    unfinished.replace(script)
    return script


def cuda():
    """NVIDIA's first GPU. Libraries that ggml's package does not bring are found by LD_LIBRARY_PATH (tools/gpu)."""
    library = places.backends() / CUDA_LIBRARY
    if not library.exists():
        raise Unavailable(f"{library} is missing; it is Debian's libggml0-backend-cuda, see tools/gpu/bundle")
    # The sysroot's programs do not find it by themselves, and those that play the guest must not.
    native = (("GGML_BACKEND_PATH", str(library)),) if places.root() != pathlib.Path("/") else ()
    return Backend("cuda", "CUDA0", ("-ngl", "99", "--device", "CUDA0"), CUDA_CACHE, native)


def named(name, folder, threads):
    return {"cpu": cpu, "cuda": cuda}[name]() if name != "vulkan" else vulkan(folder, threads)
