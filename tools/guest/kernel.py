"""Finds the guest's kernel in a root folder, and the modules a driver needs, in the order they have to be loaded.

modules.dep would say it, but depmod writes that when a package is installed, and ours are only unpacked. Every module
names what it depends on in its .modinfo section; that is all there is to it.
"""
import lzma
import re
import subprocess


class KernelError(Exception):
    pass


class Kernel:
    def __init__(self, root):
        """The newest kernel under `root` that has both an image and modules."""
        candidates = []
        for folder in (root / "usr/lib/modules").glob("*"):
            for image in (folder / "vmlinuz", root / "boot" / f"vmlinuz-{folder.name}"):
                if image.is_file() and (folder / "kernel").is_dir():
                    candidates.append((_sortable(folder.name), folder, image))
        if not candidates:
            raise KernelError(f"no kernel with modules in {root}")
        _, self._folder, self.image = max(candidates)
        self.version = self._folder.name
        self._files = {}
        for file in (self._folder / "kernel").rglob("*.ko*"):
            self._files[_module_name(file.name.split(".ko")[0])] = file
        builtin = (self._folder / "modules.builtin").read_text(encoding="ascii").split()
        self._builtin = {_module_name(path.rpartition("/")[2].removesuffix(".ko")) for path in builtin}

    def modules_for(self, names):
        """[(name, uncompressed content)], each after the ones it depends on."""
        ordered = {}
        for name in names:
            self._collect(_module_name(name), ordered)
        return list(ordered.items())

    def _collect(self, name, ordered):
        if name in ordered or name in self._builtin:
            return
        if name not in self._files:
            raise KernelError(f"kernel {self.version} has no module {name}")
        content = _uncompressed(self._files[name])
        for dependency in _dependencies(content):
            self._collect(dependency, ordered)
        ordered[name] = content


def _module_name(text):
    return text.replace("-", "_")  # the kernel takes both for the same


def _sortable(version):
    return [int(number) for number in re.findall(r"\d+", version)]


def _dependencies(content):
    start = content.find(b"\0depends=")
    if start < 0:
        return []
    start += len(b"\0depends=")
    listed = content[start:content.index(b"\0", start)].decode("ascii")
    return [_module_name(name) for name in listed.split(",") if name]


def _uncompressed(file):
    if file.suffix == ".xz":
        return lzma.decompress(file.read_bytes())
    if file.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", file], stdout=subprocess.PIPE, check=True).stdout
    return file.read_bytes()
