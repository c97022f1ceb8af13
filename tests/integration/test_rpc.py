"""The host computes on a ggml-rpc-server: two hops, and the text is the native one."""
import re

import pytest

from container import Container, assert_text_equals_native
from harness import generation, rpc_server
from harness.host import HostProgram

PASSED = re.compile(r"(\d+)/(\d+) tests passed")
REQUEST = generation.Request(tokens=24, repack=False)  # no ggml-rpc-server repacks


@pytest.fixture(scope="module", name="server")
def started_server(log_folder):
    """HOST:PORT of a ggml-rpc-server with this machine's CPU."""
    log_folder.mkdir(parents=True, exist_ok=True)
    with rpc_server.running(threads=2, log=log_folder / "server.log") as endpoint:
        yield endpoint


@pytest.fixture(scope="module", name="container")
def container_of_the_server(server, log_folder):
    with HostProgram(log_folder, serve="--listen", backend=None, arguments=["--rpc", server]) as host:
        yield Container(host.socket)


def test_text_equals_native(container):
    assert_text_equals_native(REQUEST, lambda: container.generate(REQUEST, "--device", generation.DEVICE))


# GET_ROWS and the others have graphs of views alone, which the host must not pass on: ggml-rpc asserts.
@pytest.mark.parametrize("arguments", [("-o", "ADD", "-p", "nf=16"), ("-o", "GET_ROWS", "-p", "type=q4_0"),
                                       ("-o", "ROPE", "-p", "type=f32,ne_a=.128,32,2,1.,n_dims=128,mode=0")])
def test_ops_agree_with_the_cpu(container, arguments):
    finished = container.test_ops(*arguments)
    passed, tried = map(int, PASSED.search(finished.output).groups())
    assert finished.status == 0 and passed == tried > 0, finished.output[-3000:]
