"""Writes cpio archives in the "newc" format, which is what the Linux kernel unpacks as its first file system.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel. Each entry is a header of 110 ASCII
characters, the name with a closing NUL, and the data; the latter two are padded to 4 bytes.
"""
import stat

MAGIC = "070701"


class Archive:
    def __init__(self, file):
        self._file = file
        self._offset = 0
        self._inode = 0
        self._folders = set()

    def add_file(self, path, data, executable=False):
        self._add(path, stat.S_IFREG | (0o755 if executable else 0o644), data)

    def add_link(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def add_folder(self, path):
        if path and path not in self._folders:
            self._folders.add(path)
            self._add(path, stat.S_IFDIR | 0o755, b"")

    def close(self):
        self._entry("TRAILER!!!", 0, b"")

    def _add(self, path, mode, data):
        parent = path.rpartition("/")[0]
        self.add_folder(parent)
        self._entry(path, mode, data)

    def _entry(self, path, mode, data):
        self._inode += 1
        name = path.encode() + b"\0"
        # inode, mode, uid, gid, nlink, mtime, file size, device major and minor, rdev major and minor, name size, check
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        self._write(MAGIC.encode() + "".join(f"{field:08x}" for field in fields).encode() + name)
        self._write(data)

    def _write(self, data):
        padding = -(self._offset + len(data)) % 4
        self._file.write(data)
        self._file.write(b"\0" * padding)
        self._offset += len(data) + padding
