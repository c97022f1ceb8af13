"""Starting programs with a log, ending them, and looking at their children."""
import ctypes
import pathlib
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Timeout(Exception):
    """Something took longer than it may."""


def die_with_parent():
    """For preexec_fn: the child is killed when we end, however that is."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, log, pass_fds=(), environment=None):
    """Starts a program that writes to the file `log` and does not outlive us (in truth: the thread that calls this)."""
    with open(log, "ab") as file:
        # The child only calls prctl before exec, which is safe after fork.
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                pass_fds=pass_fds, env=environment, preexec_fn=die_with_parent)


def end(process, seconds=5):
    """Asks the process to end, then makes it. Returns its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def wait_until(condition, seconds, what, pause=0.02):
    """Returns the first true answer of `condition()`; raises Timeout after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Timeout(f"{what} did not happen within {seconds} s")
        time.sleep(pause)


def children(pid):
    try:
        threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # the process has just ended
        return []
    found = []
    for thread in threads:
        try:
            found += [int(child) for child in (thread / "children").read_text(encoding="ascii").split()]
        except OSError:  # the thread has
            continue
    return found


def descendants(pid):
    """(pid, program name) of every process below `pid`."""
    found = []
    for child in children(pid):
        try:
            # comm is cut to 15 characters; the first word of the command line is not.
            first = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue
        found.append((child, pathlib.Path(first.decode(errors="replace")).name))
        found += descendants(child)
    return found
