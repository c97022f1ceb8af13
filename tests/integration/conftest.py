"""Fixtures of the tests over the container socket; the host's logs are below build/*/integration-logs."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from harness import places  # noqa: E402
from harness.host import HostProgram  # noqa: E402
from container import Container  # noqa: E402


@pytest.fixture(scope="module")
def log_folder(request):
    return places.build_folder() / "integration-logs" / pathlib.Path(request.node.fspath).stem


@pytest.fixture(scope="module")
def host(log_folder):
    with HostProgram(log_folder, serve="--listen") as program:
        yield program


@pytest.fixture(scope="module")
def container(host):
    return Container(host.socket)
