"""What a tenant can have at most, and a graph that takes too long."""
import struct

import pytest

import attack
from client import HELLO, Client
from harness import places, processes
from harness.host import HostProgram

ALLOC_BUFFER, GET_DEVICE_MEMORY = 6, 2
MEBIBYTE = 1 << 20


@pytest.fixture(name="small_host")
def host_with_small_limits():
    with HostProgram(places.build_folder() / "hostile-logs/limits", serve="--listen", threads=1,
                     arguments=("--memory", "64M", "--max-regions", "4", "--max-queue", "256K", "--max-buffers", "3")) as host:
        yield host


def test_memory_is_limited_and_the_guest_is_told_the_limit(small_host):
    with Client(small_host.socket) as client:
        client.load()
        region, files = client.open_ring(0)
        client.write(0, region, 1, HELLO)
        client.write(0, region, GET_DEVICE_MEMORY, struct.pack("<I", 0))
        client.ring_doorbell(files)
        assert client.wait_completed(region, 2)
        memory = client.memory[region]
        size, = struct.unpack_from("<I", memory, 4096 + 65536)  # HELLO's reply comes first
        place = 4096 + 65536 + (size + 7) // 8 * 8
        assert struct.unpack_from("<QQ", memory, place + 16) == (64 * MEBIBYTE, 64 * MEBIBYTE)
        client.write(0, region, ALLOC_BUFFER, struct.pack("<IQ", 0, 65 * MEBIBYTE))
        client.ring_doorbell(files)
        assert client.wait_completed(region, 3)
        assert struct.unpack_from("<I", memory, place + 32 + 4)[0] == 1, "REFUSED"


def test_regions_are_limited(small_host):
    with Client(small_host.socket) as client:
        numbers = [client.make_region(4096) for _ in range(6)]
    assert [number != 0 for number in numbers] == [True] * 4 + [False] * 2


def test_shared_memory_is_limited(small_host):
    with Client(small_host.socket) as client:
        assert client.make_region(48 * MEBIBYTE)
        assert not client.make_region(48 * MEBIBYTE)


def test_a_queue_is_limited(small_host):
    with Client(small_host.socket) as client:
        client.load()
        assert client.open_ring(0, request_bytes=512 << 10) is None
        assert client.open_ring(0, request_bytes=256 << 10) is not None


def test_a_well_behaved_client_computes_within_the_limits(small_host):
    with attack.Steady(small_host.socket) as client:
        processes.wait_until(lambda: client.rounds() > 0, 30, "a result")


def test_the_log_of_a_guest_has_an_end(small_host):
    for _ in range(3):
        with Client(small_host.socket) as client:
            client.load()
            for _ in range(400):
                client.command(2, 4096, 0, 1, 1, 1)  # rings that cannot be
    processes.wait_until(lambda: not processes.children(small_host.pid), 20, "the end of the tenants")
    assert len(small_host.log().splitlines()) < 1500
