"""What a hostile client does: each function is a kind of sequence, made of what docs and CVEs of such systems name.

A sequence gets a client that has just connected and a source of chance. It may end with Closed at any point.
"""
import fcntl
import os
import struct
import time

from client import (CLOSE_RING, CREATE_REGION, DESTROY_REGION, DOORBELL, FORWARD, GET_RING_EVENTS, HANDSHAKE,
                    HEADER_BYTES, HELLO, LOADLIBRARY, MAX_MESSAGE, OPEN_RING, PING, RECORD_BYTES, REPLY_BYTES,
                    REQUEST_BYTES, REQUEST_TAIL, SUBMIT, Closed)

EDGES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 255, 4095, 4096, 4097, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
WIDE_EDGES = (*EDGES, 2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 4096, 2**64 - 1)
COMMANDS = range(1, 28)
ALLOC_BUFFER, FREE_BUFFER, CLEAR_BUFFER, SET_TENSOR, GET_TENSOR, COPY_TENSOR = 6, 7, 8, 11, 12, 14
OPEN_STREAM, DEFINE_GRAPH, EDIT_GRAPH, RUN_GRAPH, DROP_GRAPH, AWAIT_RING, SHARE_BUFFER = 16, 18, 19, 20, 21, 22, 23
FIRST_GENERATION = struct.pack("<II", 0, 1)


def some_bytes(chance, most):
    return chance.randbytes(chance.randrange(most))


def edge(chance):
    return chance.choice(EDGES) if chance.random() < 0.7 else chance.getrandbits(32)


def wide_edge(chance):
    return chance.choice(WIDE_EDGES) if chance.random() < 0.7 else chance.getrandbits(64)


# Sequences that need no worker.

def leave_at_once(client, chance):
    if chance.random() < 0.5:
        client.make_region(4096)


def message_of_noise(client, chance):
    for _ in range(chance.randrange(1, 20)):
        client.send(some_bytes(chance, 200))


def message_of_wrong_length(client, chance):
    length = chance.choice((0, 1, 4, 7, 8, 9, MAX_MESSAGE - 1, MAX_MESSAGE, MAX_MESSAGE + 1, 4 * MAX_MESSAGE))
    client.send(struct.pack("<II", chance.randrange(6), 1)[:length] + bytes(max(0, length - 8)))


def message_whose_count_lies(client, chance):
    client.send(struct.pack("<III", SUBMIT, 0, edge(chance)) + some_bytes(chance, 64))


def flood_of_descriptors(client, chance):
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(chance.choice((1, 4, 5, 64, 253)))]
    try:
        for _ in range(8):
            client.send(struct.pack("<IIQ", CREATE_REGION, 1, 4096), files)
    finally:
        for file in files:
            os.close(file)


def never_reading(client, chance):
    for serial in range(chance.randrange(2000)):
        client.send(struct.pack("<IIQ", CREATE_REGION, serial, 0))


def level1_of_noise(client, chance):
    client.make_region(4096)
    for _ in range(chance.randrange(1, 30)):
        client.submit(*(edge(chance) for _ in range(chance.randrange(12))))


def level1_command_that_is_too_long(client, chance):
    client.submit(*[chance.choice((HANDSHAKE, LOADLIBRARY, FORWARD))] * chance.choice((1, 2, 3, 1023, 1024, 1025, 4000)))


def unknown_forwards(client, chance):
    for _ in range(20):
        client.command(FORWARD, chance.choice((24, 100, 4095, 4100, 2**31, 2**32 - 1)), *[edge(chance)] * 4)


def replies_into_regions_that_are_not_there(client, chance):
    for _ in range(20):
        client.submit(HANDSHAKE, 0, edge(chance), 0, 2)


def regions_of_all_sizes(client, chance):
    for _ in range(30):
        client.ask(CREATE_REGION, struct.pack("<Q", chance.choice((0, 1, 4095, 4097, 2**30 + 1, 2**63, 2**64 - 1))))


def more_regions_than_allowed(client, chance):
    kept = [client.make_region(4096) for _ in range(chance.randrange(200))]
    for number in kept[::2]:
        client.send(struct.pack("<III", DESTROY_REGION, 0, number))


def region_given_back_twice(client, chance):
    number = client.make_region(4096)
    for _ in range(2):
        client.send(struct.pack("<III", DESTROY_REGION, 0, number))
    client.make_region(4096)


def region_that_is_truncated(client, chance):
    client.make_region(65536)
    for change in (lambda f: os.ftruncate(f, 0), lambda f: os.ftruncate(f, 2**30),
                   lambda f: fcntl.fcntl(f, 1033, 0), lambda f: os.posix_fallocate(f, 0, 2**20)):
        try:
            change(client.files[-1])
        except OSError:
            continue
        raise AssertionError("a client changed the size of a region")


def ring_before_the_worker(client, chance):
    region = client.make_region(HEADER_BYTES + REQUEST_BYTES + REPLY_BYTES)
    client.command(FORWARD, OPEN_RING, edge(chance), region, REQUEST_BYTES, REPLY_BYTES)
    client.submit(FORWARD, CLOSE_RING, 0, edge(chance))
    client.submit(FORWARD, DOORBELL, 0, edge(chance))
    client.ask(GET_RING_EVENTS, struct.pack("<I", edge(chance)))


def many_pings(client, chance):
    for _ in range(chance.randrange(100)):
        client.command(FORWARD, PING)


# Sequences that reach the worker.

def leave_while_loading(client, chance):
    client.make_region(4096)
    for _ in range(chance.randrange(1, 30)):
        client.submit(LOADLIBRARY, 0, 1)
    time.sleep(chance.random() * 0.1)


def rings_of_all_sizes(client, chance):
    client.load()
    for _ in range(30):
        client.command(FORWARD, OPEN_RING, edge(chance), chance.choice((1, 2, edge(chance))), edge(chance), edge(chance))


def ring_positions_that_lie(client, chance):
    client.load()
    region, files = client.open_ring(0)
    for _ in range(chance.randrange(1, 30)):
        struct.pack_into("<Q", client.memory[region], chance.choice((REQUEST_TAIL, 64, 128, 192, 1024, 1088, 1152)),
                         wide_edge(chance))
        client.ring_doorbell(files)


def record_that_lies(client, chance):
    client.load()
    region, files = client.open_ring(0)
    client.write(0, region, edge(chance), some_bytes(chance, 64), after=wide_edge(chance), size=edge(chance))
    client.ring_doorbell(files)
    client.wait_completed(region, 1, 0.2)


def commands_before_hello(client, chance):
    client.load()
    region, files = client.open_ring(0)
    client.write(0, region, chance.choice(COMMANDS), some_bytes(chance, 128))
    client.ring_doorbell(files)
    client.wait_completed(region, 1, 0.2)


def hello_that_lies(client, chance):
    client.load()
    region, files = client.open_ring(0)
    hello = bytearray(HELLO)
    for _ in range(chance.randrange(1, 5)):
        struct.pack_into("<I", hello, chance.randrange(len(hello) // 4) * 4, edge(chance))
    client.write(0, region, 1, bytes(hello))
    client.write(0, region, 1, HELLO)
    client.ring_doorbell(files)
    client.wait_completed(region, 2, 0.2)


class Session:
    """A client that has said HELLO properly and has one stream."""

    def __init__(self, client):
        client.load()
        self.client = client
        self.control, self.control_files = client.open_ring(0)
        self.stream, self.stream_files = client.open_ring(1)
        self.sent = {0: 0, 1: 0}
        self.say(0, 1, HELLO)
        self.say(1, OPEN_STREAM, struct.pack("<I", 0))

    def say(self, ring, command, payload, after=None, wait=0.05):
        region, files = (self.control, self.control_files) if ring == 0 else (self.stream, self.stream_files)
        self.client.write(ring, region, command, payload, self.sent[0] if after is None and ring else after or 0)
        self.sent[ring] += 1
        self.client.ring_doorbell(files)
        # Replies are not read, so that they fill up. A context that was closed completes nothing more.
        if not self.client.wait_completed(region, self.sent[ring], wait) and wait:
            raise Closed


def commands_of_noise(client, chance):
    session = Session(client)
    for _ in range(chance.randrange(1, 8)):
        session.say(chance.randrange(2), chance.choice(COMMANDS), some_bytes(chance, 160))


def commands_of_edges(client, chance):
    session = Session(client)
    for _ in range(chance.randrange(1, 12)):
        words = struct.pack(f"<{28}I", *(edge(chance) for _ in range(28)))
        session.say(chance.randrange(2), chance.choice(COMMANDS), words[:4 * chance.randrange(29)], after=edge(chance) % 3)


def buffers_of_all_sizes(client, chance):
    session = Session(client)
    for _ in range(20):
        session.say(0, ALLOC_BUFFER, struct.pack("<IQ", chance.choice((0, 0, 0, 1, 2**32 - 1)), wide_edge(chance)))


def buffer_given_back_twice(client, chance):
    session = Session(client)
    session.say(0, ALLOC_BUFFER, struct.pack("<IQ", 0, 4096))
    session.say(0, FREE_BUFFER, FIRST_GENERATION)
    session.say(0, chance.choice((FREE_BUFFER, CLEAR_BUFFER)), FIRST_GENERATION + struct.pack("<I", 0))


def foreign_handles(client, chance):
    session = Session(client)
    session.say(0, CLEAR_BUFFER, struct.pack("<III", edge(chance), edge(chance), 0))


def transfers_out_of_bounds(client, chance):
    session = Session(client)
    session.say(0, ALLOC_BUFFER, struct.pack("<IQ", 0, 4096))
    tensor = struct.pack("<I4q4QIIQ", 0, 64, 1, 1, 1, 4, 256, 256, 256, 0, 1, wide_edge(chance))
    span = struct.pack("<IQQ", chance.choice((session.control, session.stream, 99)), wide_edge(chance), wide_edge(chance))
    session.say(0, chance.choice((SET_TENSOR, GET_TENSOR)), (tensor + struct.pack("<Q", wide_edge(chance)) + span)[:112])


def tensor(chance, op, source, lies):
    number = lambda honest: wide_edge(chance) if chance.random() < lies else honest  # noqa: E731
    signed = lambda honest: struct.unpack("<q", struct.pack("<Q", number(honest) & (2**64 - 1)))[0]  # noqa: E731
    word = lambda honest: edge(chance) if chance.random() < lies else honest  # noqa: E731
    return (struct.pack("<III", word(0), word(op), word(0)) + struct.pack("<4q", *map(signed, (64, 1, 1, 1))) +
            struct.pack("<4Q", *map(number, (4, 256, 256, 256))) + some_bytes(chance, 65).ljust(64, b"\0") +
            struct.pack("<II", word(0), word(1)) + struct.pack("<Q", number(0)) + bytes(64) +
            struct.pack("<10I", *([word(source)] * 2 + [word(0)] * 8)) +
            struct.pack("<IQi", word(0), number(0), chance.randrange(-1, 3)))


def graph(chance, lies=0.05):
    count = chance.choice((1, 2, 2, 3, 17))
    tensors = [tensor(chance, 0 if i == 0 else 2, i, lies) for i in range(count)]
    nodes = [edge(chance) if chance.random() < lies else i for i in range(1, count)]
    stated = edge(chance) if chance.random() < lies else count
    return (struct.pack("<I", stated) + b"".join(tensors) + struct.pack("<I", len(nodes)) +
            b"".join(struct.pack("<I", node) for node in nodes))


def graphs_that_lie(client, chance):
    session = Session(client)
    session.say(0, ALLOC_BUFFER, struct.pack("<IQ", 0, 65536))
    region = client.make_region(65536)
    for number in range(chance.randrange(1, 8)):
        encoded = graph(chance)
        client.memory[region][:len(encoded)] = encoded
        session.say(1, DEFINE_GRAPH, struct.pack("<IIQQ", number, region, 0, len(encoded)))
        session.say(1, RUN_GRAPH, struct.pack("<II", number, 1))


def graph_that_changes_while_it_is_read(client, chance):
    session = Session(client)
    session.say(0, ALLOC_BUFFER, struct.pack("<IQ", 0, 65536))
    region = client.make_region(65536)
    encoded = graph(chance, lies=0)
    memory = client.memory[region]
    memory[:len(encoded)] = encoded
    for number in range(4):
        session.say(1, DEFINE_GRAPH, struct.pack("<IIQQ", number, region, 0, len(encoded)), wait=0)
        for _ in range(200):
            struct.pack_into("<I", memory, chance.randrange(len(encoded) // 4) * 4, edge(chance))


def graphs_that_do_not_exist(client, chance):
    session = Session(client)
    session.say(1, chance.choice((RUN_GRAPH, DROP_GRAPH, EDIT_GRAPH)), struct.pack("<IIQQ", edge(chance), edge(chance), 0, 0))
    session.say(1, AWAIT_RING, struct.pack("<IQ", edge(chance), wide_edge(chance)))


def memory_given_back_while_used(client, chance):
    session = Session(client)
    region = client.make_region(1 << 20)
    session.say(0, SHARE_BUFFER, struct.pack("<IIQQ", 0, region, 0, 1 << 20))
    client.send(struct.pack("<III", DESTROY_REGION, 0, region))
    for _ in range(10):
        session.say(0, CLEAR_BUFFER, FIRST_GENERATION + struct.pack("<I", 7))
    client.send(struct.pack("<III", DESTROY_REGION, 0, session.stream))
    session.say(1, AWAIT_RING, struct.pack("<IQ", 0, 1))


def signals_that_are_taken_apart(client, chance):
    session = Session(client)
    for file in (*session.control_files, *session.stream_files):
        fcntl.fcntl(file, fcntl.F_SETFL, chance.choice((0, os.O_NONBLOCK)))
        fcntl.fcntl(file, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            os.write(file, struct.pack("<Q", 2**64 - 2))
        except OSError:
            pass
        fcntl.fcntl(file, fcntl.F_SETFL, 0)
    session.say(0, ALLOC_BUFFER, struct.pack("<IQ", 0, 4096), wait=0.1)


def replies_that_nobody_reads(client, chance):
    session = Session(client)
    for _ in range(REPLY_BYTES // RECORD_BYTES):
        session.say(0, 2, struct.pack("<I", 0), wait=0)
    client.wait_completed(session.control, session.sent[0], 0.2)


def leave_in_the_midst(client, chance):
    session = Session(client)
    for _ in range(20):
        session.say(0, ALLOC_BUFFER, struct.pack("<IQ", 0, 1 << 20), wait=0)


WITHOUT_WORKER = (leave_at_once, message_of_noise, message_of_wrong_length, message_whose_count_lies, flood_of_descriptors,
                  never_reading, level1_of_noise, level1_command_that_is_too_long, unknown_forwards,
                  replies_into_regions_that_are_not_there, regions_of_all_sizes, more_regions_than_allowed,
                  region_given_back_twice, region_that_is_truncated, ring_before_the_worker, many_pings)
WITH_WORKER = (leave_while_loading, rings_of_all_sizes, ring_positions_that_lie, record_that_lies, commands_before_hello,
               hello_that_lies, commands_of_noise, commands_of_edges, buffers_of_all_sizes, buffer_given_back_twice,
               foreign_handles, transfers_out_of_bounds, graphs_that_lie, graph_that_changes_while_it_is_read,
               graphs_that_do_not_exist, memory_given_back_while_used, signals_that_are_taken_apart,
               replies_that_nobody_reads, leave_in_the_midst)
ALL = WITHOUT_WORKER + WITH_WORKER
