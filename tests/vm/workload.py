"""What the tests with a virtual machine let it do, and what has to come out."""
import time

from harness import generation, image, places, processes

SHORT = generation.Request(tokens=48)
# Long enough to be interrupted in the middle, also on a fast machine; it is never waited for.
LONG = generation.Request(tokens=20000, options=("--ignore-eos", "-c", "24576"))

# A program with upstream's frontend, for images.
UPSTREAM_GUEST = places.build_folder() / "tests/apir/virtgpu_upstream_guest"


def upstream_guest(capset, task):
    """The command that starts it in the guest."""
    return f"{image.command_for(UPSTREAM_GUEST)} --capset {capset} {task}"


def assert_computes_like_native(guest, request=SHORT):
    assert_native(request, generation.whole(lambda: guest.run(request.guest_command())))


def assert_native(request, finished):
    assert finished.status == 0, finished.errors
    assert finished.output == generation.native(request)


def start_long_generation(guest):
    """Starts a generation and returns when it is in the midst of it."""
    job = guest.start(LONG.guest_command())
    wait_for_progress(guest, job)
    return job


def wait_for_progress(guest, job, more_bytes=40, seconds=60):
    """Waits until the job has written that much more text."""
    written = _written(guest, job)
    processes.wait_until(lambda: _written(guest, job) >= written + more_bytes, seconds, "progress in the guest", 0.2)


def wait_for_closed_context(host, before, seconds=10):
    """Waits until more contexts have ended on the host than `before`."""
    processes.wait_until(lambda: len(host.closed_contexts()) > before, seconds, "the end of a context on the host")


def seconds_until_end(job, timeout):
    started = time.monotonic()
    finished = job.wait(timeout)
    return time.monotonic() - started, finished


def _written(guest, job):
    assert job.finished is None, f"it ended early: {job.finished}"
    return int(guest.run(f"wc -c < /run/jobs/{job.number}.stdout", timeout=30).output)
