"""The host's end of the guest's serial port: shell commands in, exit status and output back (see tools/guest/init)."""
import base64
import dataclasses
import itertools
import select
import time

from harness.processes import Timeout


class GuestGone(Exception):
    """The machine has ended, or rebooted, while something was asked of it."""


@dataclasses.dataclass(frozen=True)
class Finished:
    status: int  # 128 + N after signal N, as the shell says it
    output: str
    errors: str


class Job:
    """A command that runs in the guest."""

    def __init__(self, channel, number, command):
        self._channel = channel
        self.number = number
        self.command = command
        self.pid = None  # in the guest
        self.finished = None
        self.is_lost = False  # to a reboot

    def wait(self, timeout):
        what = f"the end of `{self.command}` in the guest"
        self._channel.receive_until(lambda: self.finished or self.is_lost, timeout, what)
        if self.is_lost:
            raise GuestGone(f"the machine rebooted while waiting for {what}")
        return self.finished

    def kill(self):
        """SIGKILL to the command and all it started."""
        self._channel.send(f"kill {self.number}")

    def errors_so_far(self):
        return self._channel.run(f"cat /run/jobs/{self.number}.stderr", timeout=30).output


class Channel:
    def __init__(self, connection, is_alive):
        """`connection` is the socket that the serial port is connected to."""
        self._connection = connection
        self._is_alive = is_alive
        self._unread = b""
        self._numbers = itertools.count(1)
        self._jobs = {}
        self.boots = 0  # how often the guest has come up

    def start(self, command):
        job = Job(self, next(self._numbers), command)
        self._jobs[job.number] = job
        self.send(f"run {job.number} {base64.b64encode(command.encode()).decode()}")
        self.receive_until(lambda: job.pid, 30, f"the start of `{command}` in the guest")
        return job

    def run(self, command, timeout):
        return self.start(command).wait(timeout)

    def send(self, line):
        self._connection.sendall(line.encode() + b"\n")

    def receive_until(self, condition, seconds, what):
        """Takes in what the guest says until `condition()` is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"{what} did not come within {seconds} s")
            if select.select([self._connection], [], [], min(left, 0.5))[0]:
                try:
                    received = self._connection.recv(65536)
                except ConnectionResetError:
                    received = b""
                if not received:
                    raise GuestGone(f"the machine ended while waiting for {what}")
                self._take(received)
            elif not self._is_alive():
                raise GuestGone(f"the machine ended while waiting for {what}")

    def _take(self, received):
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            words = line.decode("ascii", errors="replace").split()
            if words:
                self._take_line(words)

    def _take_line(self, words):
        verb, arguments = words[0], words[1:]
        if verb.endswith("ready"):  # the port's first bytes after a reset can be noise
            self.boots += 1
            for job in self._jobs.values():
                job.is_lost = True
            self._jobs.clear()
        elif verb == "started" and int(arguments[0]) in self._jobs:
            self._jobs[int(arguments[0])].pid = int(arguments[1])
        elif verb == "done" and int(arguments[0]) in self._jobs:
            job = self._jobs.pop(int(arguments[0]))
            job.finished = Finished(int(arguments[1]), _decoded(arguments[2]), _decoded(arguments[3]))


def _decoded(word):
    return base64.b64decode(word[1:]).decode("utf-8", errors="replace")  # behind a "-", so that empty is a word too
