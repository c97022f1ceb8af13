"""The harness itself, in a machine without our device: commands, their status, killing, pausing, rebooting."""
import signal
import time

import pytest

from harness import image
from harness.guest import Guest
from harness.processes import Timeout


@pytest.fixture(scope="module")
def guest(log_folder):
    with Guest(image.build(), log_folder) as machine:
        yield machine


def test_a_command_has_output_and_status(guest):
    finished = guest.run("echo out; echo err >&2; exit 3")
    assert (finished.status, finished.output, finished.errors) == (3, "out\n", "err\n")


def test_commands_run_side_by_side(guest):
    slow = guest.start("sleep 60")
    assert guest.run("echo quick", timeout=20).output == "quick\n"
    slow.kill()
    assert slow.wait(20).status == 128 + signal.SIGKILL


def test_large_output_is_whole(guest):
    assert guest.run("seq 1 20000", timeout=60).output == "".join(f"{number}\n" for number in range(1, 20001))


def test_waiting_is_bounded(guest):
    slow = guest.start("sleep 60")
    started = time.monotonic()
    with pytest.raises(Timeout):
        slow.wait(1)
    assert time.monotonic() - started < 5
    slow.kill()


def test_a_paused_machine_says_nothing(guest):
    job = guest.start("sleep 0.5; echo done")
    guest.pause()
    with pytest.raises(Timeout):
        job.wait(2)
    guest.resume()
    assert job.wait(20).output == "done\n"


def test_reboot_is_a_new_boot(guest):
    def boot():
        return guest.run("cat /proc/sys/kernel/random/boot_id").output

    first = boot()
    guest.reboot()
    second = boot()
    guest.reset()
    assert len({first, second, boot()}) == 3
