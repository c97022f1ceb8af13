"""Debian's ggml-rpc-server on loopback."""
import contextlib
import socket

from harness import places, processes

PROGRAM = f"usr/libexec/{places.TRIPLET}/llama/bin/ggml-rpc-server"


@contextlib.contextmanager
def running(threads, log):
    """HOST:PORT of a server that computes on this machine's CPU and writes to the file `log`."""
    port = _free_port()
    server = processes.start([*places.command_for(places.root() / PROGRAM), "-H", "127.0.0.1", "-p", port, "-d", "CPU",
                              "-t", threads], log)
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
