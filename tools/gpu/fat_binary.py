"""Device code in a library made by nvcc: taking out what one GPU does not need.

The section .nv_fatbin is a sequence of containers, one for each source file. A container is a header and entries, each
of them machine code for one kind of GPU or PTX, which the driver compiles when it is first used. Debian's CUDA backend
has entries for a dozen kinds; with one of them it is a tenth of the size once compressed.

    container: u32 magic, u16 version, u16 size of this header, u64 size of the entries
    entry:     u16 kind, u16 version, u32 size of this header, u64 size of the code, …, at 28: u32 compute capability
"""
import dataclasses
import struct

MAGIC = 0xBA55ED50
CONTAINER = struct.Struct("<IHHQ")
ENTRY = struct.Struct("<HHIQ8xII")
ALIGNMENT = 8
PTX = 1


@dataclasses.dataclass(frozen=True)
class Entry:
    begin: int  # of its header, in the section
    end: int
    kind: int
    capability: int  # 90 for compute capability 9.0


@dataclasses.dataclass(frozen=True)
class Container:
    begin: int
    header_size: int
    end: int
    entries: tuple

    @property
    def first_entry(self):
        return self.begin + self.header_size


class Malformed(Exception):
    """Bytes that are no fat binary of the kind described above."""


def containers(section):
    """Those in the bytes of .nv_fatbin, in order. Between them there may be zeroes for alignment."""
    found, position = [], 0
    while position + CONTAINER.size <= len(section):
        magic, _, header_size, size = CONTAINER.unpack_from(section, position)
        if magic == 0:
            position += ALIGNMENT
            continue
        first, end = position + header_size, position + header_size + size
        if magic != MAGIC or header_size < CONTAINER.size or end > len(section):
            raise Malformed(f"no container at byte {position} of the device code")
        found.append(Container(position, header_size, end, tuple(_entries(section, first, end))))
        position = end
    return found


def _entries(section, position, end):
    while position < end:
        if position + ENTRY.size > end:
            raise Malformed(f"an entry at byte {position} of the device code goes beyond its container")
        kind, _, header_size, size, _, capability = ENTRY.unpack_from(section, position)
        behind = position + header_size + size
        if header_size < ENTRY.size or behind > end:
            raise Malformed(f"no entry at byte {position} of the device code")
        yield Entry(position, behind, kind, capability)
        position = behind


def best_ptx(container, capability):
    """The PTX entry nearest to what the GPU can do, or None."""
    fitting = [entry for entry in container.entries if entry.kind == PTX and entry.capability <= capability]
    return max(fitting, key=lambda entry: entry.capability, default=None)


def slim(section, capability):
    """The section with the best PTX for `capability` in each container and zeroes for all else, of the same length."""
    slimmed = bytearray(len(section))
    for container in containers(section):
        kept = best_ptx(container, capability)
        if kept is None:
            raise Malformed(f"device code without PTX for compute capability {capability}")
        code = section[kept.begin:kept.end]
        slimmed[container.begin:container.first_entry] = section[container.begin:container.first_entry]
        slimmed[container.first_entry:container.first_entry + len(code)] = code
        # The size of the entries, the last field of the header's fixed part.
        struct.pack_into("<Q", slimmed, container.begin + CONTAINER.size - 8, len(code))
    return bytes(slimmed)
