"""Programs of llama.cpp and ggml on this machine, with the frontend and without a virtual machine."""
import contextlib
import dataclasses
import os
import subprocess

from harness import generation, places, processes

OPS_PROGRAM = f"usr/libexec/{places.TRIPLET}/ggml/test-backend-ops"


@dataclasses.dataclass(frozen=True)
class Finished:
    status: int
    output: str
    errors: str


class Container:
    """Runs programs as in a container: the host's socket (or None) is all they know.

    They belong to `user`, an entry of the password file, where one is given; that takes root.
    """

    def __init__(self, socket, user=None):
        self._owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        self._environment = {**os.environ, "GGML_BACKEND_PATH": str(places.frontend())}
        self._environment.pop("GGML_VIRTGPU_SOCKET", None)
        if socket:
            self._environment["GGML_VIRTGPU_SOCKET"] = str(socket)

    def start(self, program, *arguments, **variables):
        words = [*places.command_for(program), *(str(argument) for argument in arguments)]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**self._environment, **variables}, text=True, errors="replace",
                                preexec_fn=processes.die_with_parent, **self._owner)

    def run(self, program, *arguments, seconds=120, **variables):
        return finish(self.start(program, *arguments, **variables), seconds)

    def generate(self, request, *arguments, seconds=120, **variables):
        """llama-completion on the device, or wherever llama.cpp goes without one."""
        return finish(self.start_generating(request, *arguments, **variables), seconds)

    def start_generating(self, request, *arguments, **variables):
        return self.start("llama-completion", *request.arguments(), "-ngl", "99", *arguments, **variables)

    def test_ops(self, *arguments, seconds=300):
        return self.run(str(places.root() / OPS_PROGRAM), "test", "-b", "virtgpu0", *arguments, seconds=seconds)


@contextlib.contextmanager
def ended(process):
    """Whatever happens in the block, the program does not run on behind it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def finish(process, seconds):
    """Waits for a program that start() started; one that hangs is killed and fails the test."""
    with ended(process):
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1]
            raise AssertionError(f"still running after {seconds} s: {process.args}\n{errors[-3000:]}") from None
        return Finished(process.returncode, output, errors)


def assert_text_equals_native(request, run):
    """`run()` says how the request's generation finished: with what native llama.cpp answers. Returns the former."""
    finished = generation.whole(run)
    assert finished.status == 0, finished.errors[-3000:]
    assert finished.output == generation.native(request)
    return finished


def messages(finished):
    """What the frontend itself said."""
    return [line for line in finished.errors.splitlines() if line.startswith("ggml-virtgpu: ")]
