"""Debian's ggml-rpc-server on loopback."""
import contextlib
import os
import socket

from harness import places, processes

PROGRAM = f"usr/libexec/{places.TRIPLET}/llama/bin/ggml-rpc-server"


@contextlib.contextmanager
def running(threads, log, device="CPU", environment=None):
    """HOST:PORT of a server that computes on a device of this machine and writes to the file `log`.

    `environment` is added to ours.
    """
    port = _free_port()
    server = processes.start([*places.command_for(places.root() / PROGRAM), "-H", "127.0.0.1", "-p", port, "-d", device,
                              "-t", threads], log, environment={**os.environ, **(environment or {})})
    try:
        processes.wait_until(lambda: _accepts(port), 20, "the start of ggml-rpc-server")
        yield f"127.0.0.1:{port}"
    finally:
        processes.end(server)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


def _accepts(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
