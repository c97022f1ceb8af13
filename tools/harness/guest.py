"""A virtual machine: stock QEMU, a stock kernel, and commands run inside it."""
import os
import pathlib
import socket
import tempfile

from harness import acceleration, processes, qemu
from harness.channel import Channel, GuestGone
from harness.qmp import Qmp, QmpError

MEMORY = "2G"
BOOT_SECONDS = 180  # a loaded machine under TCG; the usual time is 5 to 10


def best_accelerator(image):
    """"kvm" when the guest boots with it on this machine, else "tcg"; tried once, then known."""
    return acceleration.best(lambda seconds: _boots_under_kvm(image, seconds))


def _boots_under_kvm(image, seconds):
    with tempfile.TemporaryDirectory(prefix="virtgpu-kvm-") as logs:
        try:
            with Guest(image, logs, accelerator="kvm", boot_seconds=seconds):
                return True
        except (processes.Timeout, GuestGone, QmpError, OSError):
            return False


class Guest:
    """Boots in the constructor's `with`; ends with it.

    `devices` are sockets of ggml-virtgpu-hosts, each a virtio-gpu device of its own, of the kind `device_kind`
    (qemu.device_kinds()) or the usual one. `options` are given to QEMU as
    they are, `boot_parameters` to the kernel. With `on_console` the kernel speaks, and what it has said so far is passed on while it boots.
    """

    def __init__(self, image, log_folder, devices=(), accelerator=None, boot_seconds=BOOT_SECONDS, processors=2,
                 options=(), boot_parameters="", on_console=None, device_kind=None):
        self._image = pathlib.Path(image)
        self._logs = pathlib.Path(log_folder)
        self._devices = devices
        self._device_kind = device_kind
        self._accelerator = accelerator
        self._boot_seconds = boot_seconds
        self._processors = processors
        self._more_options = options
        self._boot_parameters = boot_parameters
        self._on_console = on_console
        self._process = None
        self._qmp = None
        self._channel = None
        # Not below the logs: the path of a Unix socket may have 107 characters only.
        self._sockets = tempfile.TemporaryDirectory(prefix="virtgpu-vm-")

    def __enter__(self):
        try:
            self._start()
            self._wait_for_boot(1)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *unused):
        self.close()

    def run(self, command, timeout=120):
        """Runs a shell command in the guest; returns its Finished."""
        return self._channel.run(command, timeout)

    def start(self, command):
        """Starts a shell command in the guest; returns its Job."""
        return self._channel.start(command)

    def reboot(self):
        """Reboots the machine from inside and waits until it is up again."""
        boots = self._channel.boots
        self._channel.send("run 0 " + "cmVib290IC1m")  # "reboot -f"; it cannot answer any more
        self._wait_for_boot(boots + 1)

    def reset(self):
        """Pulls the reset line, whatever the guest is doing, and waits until it is up again."""
        boots = self._channel.boots
        self._qmp.execute("system_reset")
        self._wait_for_boot(boots + 1)

    def pause(self):
        self._qmp.execute("stop")

    def resume(self):
        self._qmp.execute("cont")

    def is_alive(self):
        return self._process is not None and self._process.poll() is None

    def console(self):
        """What the kernel has said so far."""
        return (self._logs / "console.log").read_text(encoding="utf-8", errors="replace")

    def close(self):
        """Ends the machine; safe to call twice."""
        if self._process is not None and self._process.poll() is None:
            try:
                if self._qmp is not None:
                    self._qmp.execute("quit")
                    self._process.wait(5)
            except (QmpError, OSError, ValueError, processes.subprocess.TimeoutExpired):
                pass
            processes.end(self._process)
        if self._qmp is not None:
            self._qmp.close()
            self._qmp = None
        self._sockets.cleanup()

    def _start(self):
        self._logs.mkdir(parents=True, exist_ok=True)
        for name in ("qemu.log", "console.log"):
            (self._logs / name).unlink(missing_ok=True)
        accelerator = self._accelerator or best_accelerator(self._image)
        with _Listener(self._sockets.name, "commands") as commands, _Listener(self._sockets.name, "qmp") as qmp:
            command = [*qemu.command(), *self._options(accelerator, commands.path, qmp.path)]
            self._process = processes.start(command, self._logs / "qemu.log",
                                            environment=qemu.environment(accelerator))
            try:
                self._channel = Channel(commands.accept(self.is_alive), self.is_alive)
                self._qmp = Qmp(qmp.accept(self.is_alive))
            except GuestGone:
                said = (self._logs / "qemu.log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise GuestGone(f"QEMU did not start: {said}") from None

    def _options(self, accelerator, commands, qmp):
        options = ["-accel", accelerator, "-cpu", "max", "-smp", str(self._processors),
                   # The device process works in the guest's memory, so it has to be shareable.
                   "-machine", "q35,memory-backend=memory", "-m", MEMORY,
                   "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
                   "-nodefaults", "-no-user-config", "-display", "none",
                   "-kernel", self._image / "vmlinuz", "-initrd", self._image / "initramfs",
                   # An emulated timer that gets no time while Linux tries it out is none to Linux, which then panics.
                   "-append", f"console=ttyS0 no_timer_check {self._boot_parameters} " +
                   ("loglevel=7" if self._on_console else "quiet loglevel=4"),
                   "-serial", f"file:{self._logs / 'console.log'}",
                   "-chardev", f"socket,id=commands,path={commands}", "-serial", "chardev:commands",
                   "-qmp", f"unix:{qmp}"]
        for number, device in enumerate(self._devices):
            options += ["-chardev", f"socket,id=virtgpu{number},path={device}",
                        "-device", qemu.device(f"virtgpu{number}", self._device_kind)]
        return [*options, *self._more_options]

    def _has_booted(self, boots):
        if self._on_console and (self._logs / "console.log").exists():
            self._on_console(self.console())
        return self._channel.boots >= boots

    def _wait_for_boot(self, boots):
        try:
            self._channel.receive_until(lambda: self._has_booted(boots), self._boot_seconds, "the guest's boot")
        except (GuestGone, processes.Timeout) as error:
            said = (self._logs / "qemu.log").read_text(encoding="utf-8", errors="replace")[-1000:]
            raise type(error)(f"{error}\nconsole: ...{self.console()[-1500:]}\nQEMU: {said}") from None


class _Listener:
    """A socket that QEMU connects to while it starts."""

    def __init__(self, folder, name):
        self.path = f"{folder}/{name}"
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self):
        self._socket.bind(self.path)
        self._socket.listen(1)
        self._socket.settimeout(0.2)
        return self

    def __exit__(self, *unused):
        self._socket.close()

    def accept(self, is_alive, seconds=20):
        for _ in range(int(seconds / 0.2)):
            try:
                connection = self._socket.accept()[0]
                connection.setblocking(True)
                return connection
            except TimeoutError:
                if not is_alive():
                    break
        raise GuestGone("QEMU did not connect")
