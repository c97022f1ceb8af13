"""The host program is killed. Its device cannot come back to a running machine, and every program in there says so."""
import pytest

from workload import SHORT, assert_computes_like_native, seconds_until_end, start_long_generation

# The frontend notices within 2 s; the rest is llama.cpp's start and end, under emulation.
NOTICED_SECONDS = 10
ADVICE = "restart the VM"


@pytest.fixture(scope="module", name="interrupted")
def fixture_interrupted(host, guest):
    """How a program ended that was computing when the host was killed, and after how many seconds."""
    assert_computes_like_native(guest)
    job = start_long_generation(guest)
    host.kill()
    return seconds_until_end(job, timeout=60)


def assert_ended_with_advice(seconds, finished):
    assert 0 < finished.status < 128, f"an error, not a crash: {finished}"
    assert ADVICE in finished.errors, finished.errors[-2000:]
    assert seconds < NOTICED_SECONDS


def test_a_running_program_ends(interrupted):
    assert_ended_with_advice(*interrupted)


@pytest.mark.usefixtures("interrupted")
def test_a_new_program_ends(guest):
    assert_ended_with_advice(*seconds_until_end(guest.start(SHORT.guest_command()), timeout=60))
    assert guest.is_alive()
