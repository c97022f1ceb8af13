"""A client of the container socket that says whatever it likes: messages, level 1 commands and ring records by hand."""
import array
import contextlib
import mmap
import os
import select
import socket
import struct

CREATE_REGION, DESTROY_REGION, SUBMIT, GET_RING_EVENTS = 1, 2, 3, 4
HANDSHAKE, LOADLIBRARY, FORWARD = 0, 1, 2
OPEN_RING, CLOSE_RING, DOORBELL, PING = 4096, 4097, 4098, 4099
FORWARD_SUCCESS = 4
HEADER_BYTES = 4096  # RingHeader
REQUEST_TAIL, REPLY_HEAD, WAITING_FOR, REPLY_TAIL, COMPLETED = 0, 64, 128, 1088, 1152
RECORD_BYTES = 16  # RequestHeader
REQUEST_BYTES, REPLY_BYTES = 65536, 4096
MAX_MESSAGE = 16384


class Closed(Exception):
    """The host has closed the connection, as it may."""


class Client:
    """Waits for nothing longer than `patience` seconds. Whatever fails closes nothing but this client."""

    def __init__(self, path, patience=20):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(patience)
        self.socket.connect(str(path))
        self.serial = 0
        self.memory = {}  # of regions, by number
        self.files = []
        self.replies = None
        self.tail = {}  # of rings

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()
        for memory in self.memory.values():
            with contextlib.suppress(BufferError):
                memory.close()
        for file in self.files:
            with contextlib.suppress(OSError):
                os.close(file)

    def send(self, message, files=()):
        attached = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        try:
            self.socket.sendmsg([message], attached)
        except (BrokenPipeError, ConnectionError) as error:
            raise Closed from error
        except OSError as error:  # too long for a packet, or too many descriptors on their way
            if not files and len(message) <= MAX_MESSAGE:
                raise Closed from error

    def ask(self, number, fields):
        """The fields of the answer, and its descriptors."""
        self.serial += 1
        self.send(struct.pack("<II", number, self.serial) + fields)
        while True:
            answer, files = self.receive()
            if len(answer) >= 8 and struct.unpack_from("<I", answer, 4)[0] == self.serial:
                return answer[8:], files

    def receive(self):
        try:
            answer, control, *_ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64))
        except (OSError, TimeoutError) as error:
            raise Closed from error
        if not answer:
            raise Closed
        files = array.array("i")
        for _, _, data in control:
            files.frombytes(data[:len(data) - len(data) % files.itemsize])
        self.files += files
        return answer, list(files)

    def make_region(self, size):
        """The number of a region, 0 when it is refused."""
        fields, files = self.ask(CREATE_REGION, struct.pack("<Q", size))
        number, granted = struct.unpack_from("<IQ", fields)
        if number:
            self.memory[number] = mmap.mmap(files[0], granted)
        return number

    def submit(self, *words):
        self.send(struct.pack("<II", SUBMIT, 0) + struct.pack("<I", len(words)) +
                  b"".join(struct.pack("<I", word & 0xFFFFFFFF) for word in words))

    def command(self, kind, flags, *words, seconds=20):
        """Submits a level 1 command; returns its code and the payload."""
        if self.replies is None:
            self.replies = self.make_region(4096)
        page = self.memory[self.replies]
        page[:4] = bytes(4)
        self.submit(kind, flags, self.replies, *words)
        # Nothing tells of a reply but the page.
        for _ in range(int(seconds * 1000)):
            code, = struct.unpack_from("<I", page)
            if code:
                return code - 1, page[4:64]
            if select.select([self.socket], [], [], 0.001)[0]:
                self.receive()
        raise Closed

    def load(self):
        return self.command(LOADLIBRARY, 0)[0] == 0

    def open_ring(self, ring, request_bytes=REQUEST_BYTES, reply_bytes=REPLY_BYTES):
        """The ring's region, or None; with it (doorbell, completion)."""
        region = self.make_region(HEADER_BYTES + request_bytes + reply_bytes)
        code, payload = self.command(FORWARD, OPEN_RING, ring, region, request_bytes, reply_bytes)
        if code != FORWARD_SUCCESS or struct.unpack_from("<I", payload)[0] != 0:
            return None
        fields, files = self.ask(GET_RING_EVENTS, struct.pack("<I", ring))
        if struct.unpack_from("<I", fields)[0] != 0 or len(files) != 2:
            return None
        self.tail[ring] = 0
        return region, files

    def write(self, ring, region, command, payload=b"", after=0, size=None):
        """Puts one record into a ring of REQUEST_BYTES; `size` may lie."""
        memory = self.memory[region]
        record = struct.pack("<IIQ", RECORD_BYTES + len(payload) if size is None else size, command, after) + payload
        record += bytes(-len(record) % 8)
        for i, byte in enumerate(record):
            memory[HEADER_BYTES + (self.tail[ring] + i) % REQUEST_BYTES] = byte
        self.tail[ring] += len(record)
        struct.pack_into("<Q", memory, REQUEST_TAIL, self.tail[ring])

    def ring_doorbell(self, files):
        with contextlib.suppress(OSError):
            os.write(files[0], struct.pack("<Q", 1))

    def wait_completed(self, region, sequence, seconds=5):
        """Whether the host says that so many requests are done."""
        memory = self.memory[region]
        for _ in range(int(seconds * 1000) or 1):
            if struct.unpack_from("<Q", memory, COMPLETED)[0] >= sequence:
                return True
            if seconds and select.select([self.socket], [], [], 0.001)[0]:
                self.receive()
        return False


def text(value):
    encoded = value.encode()
    return struct.pack("<I", len(encoded)) + encoded + bytes(-len(encoded) % 4)


def names(pairs):
    return struct.pack("<I", len(pairs)) + b"".join(struct.pack("<I", number) + text(name) for number, name in pairs)


HELLO = (struct.pack("<I", 1) + text("hostile") + text("0.27.0") +
         names([(0, "NONE"), (2, "ADD"), (25, "MUL_MAT"), (40, "CPY"), (1, "DUP"), (60, "GET_ROWS")]) +
         names([(0, "f32"), (1, "f16"), (2, "q4_0"), (26, "i32")]) + names([(0, "ABS")]) + names([(0, "REGLU")]))
