"""The fuzz targets, and how their programs are started: from a build, or from what `pack` made of one."""
import dataclasses
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
TRIPLET = "x86_64-linux-gnu"


@dataclasses.dataclass(frozen=True)
class Target:
    name: str
    what: str
    weight: int  # of 16 processes
    longest: int  # bytes of an input
    seeds: str = ""  # folder that the program `seeds` writes for it
    code: tuple = ()  # whose coverage is its business


TARGETS = (
    Target("codec", "every structure and message of level 1 and 2", 1, 8192, "codec",
           ("wire/generated/", "wire/reader")),
    Target("validator", "graphs, edits and node descriptions", 2, 16384, "graphs", ("backend/validate/",)),
    Target("operations", "what is valid is computed between guard pages", 5, 8192, "graphs", ("backend/validate/",)),
    Target("ring", "the host's end of a ring while a guest writes", 1, 2048, "", ("wire/host_ring", "wire/ring_memory")),
    Target("control_queue", "virtio-gpu commands and level 1", 2, 2048, "", ("device/gpu/", "device/apir/")),
    Target("vhost_user", "a VMM's messages and virtqueues", 2, 2048, "", ("device/vhost_user/", "device/virtio/")),
    Target("session", "sequences of level 2 commands on a CPU device", 3, 2048, "",
           ("backend/session", "backend/stream", "backend/buffer", "backend/cached_graph", "backend/graph_cache",
            "backend/tensor_commands", "backend/graph_commands", "backend/device_commands")),
)


def named(names):
    unknown = set(names) - {target.name for target in TARGETS}
    if unknown:
        raise SystemExit(f"no such target: {', '.join(sorted(unknown))}; there are "
                         f"{', '.join(target.name for target in TARGETS)}")
    return [target for target in TARGETS if not names or target.name in names]


class Programs:
    """The programs of a build, all started with the loader that ggml needs, where that is not the machine's own."""

    def __init__(self, folder, libraries):
        self.folder = pathlib.Path(folder).resolve()
        self.libraries = pathlib.Path(libraries).resolve()

    def command(self, name, *arguments):
        loader = self.libraries / "ld-linux-x86-64.so.2"
        start = [str(loader), "--library-path", str(self.libraries)] if loader.exists() else []
        return [*start, str(self.folder / name), *map(str, arguments)]

    def script(self, name, folder):
        """The same as a script, for programs that start themselves again by their own name, as -merge does."""
        loader = self.libraries / "ld-linux-x86-64.so.2"
        start = f"{loader} --argv0 \"$0\" --library-path {self.libraries} " if loader.exists() else ""
        script = pathlib.Path(folder) / f"run-{name}"
        script.write_text(f"#!/bin/sh\nexec {start}{self.folder / name} \"$@\"\n", encoding="utf-8")
        script.chmod(0o755)
        return script

    def environment(self, **more):
        return {**os.environ, "GGML_VIRTGPU_BACKEND_DIR": str(self.libraries / "ggml/backends0"),
                "VIRTGPU_FUZZ_RUNNER": " ".join(self.command("operation_runner")),
                "VIRTGPU_FUZZ_WORKER": str(self.folder / "worker"), "GGML_NO_BACKTRACE": "1",
                "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:allocator_may_return_null=1",
                "UBSAN_OPTIONS": "print_stacktrace=1", **more}


def default_binaries():
    packed = HERE / "programs"
    return packed if packed.exists() else REPOSITORY / "build/fuzz/fuzz"


def default_libraries():
    packed = HERE / "libraries"
    if packed.exists():
        return packed
    unpacked = REPOSITORY / ".sysroot/usr/lib" / TRIPLET
    return unpacked if unpacked.exists() else pathlib.Path("/usr/lib") / TRIPLET


def kept(folder_name):
    """tests/fuzz/FOLDER, or beside this file where `pack` put it."""
    packed = HERE / folder_name
    return packed if packed.exists() else REPOSITORY / "tests/fuzz" / folder_name
