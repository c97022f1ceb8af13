"""Fixtures; the host's log is below build/*/hostile-logs."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from harness import places  # noqa: E402
from harness.host import HostProgram  # noqa: E402


@pytest.fixture(scope="module")
def host():
    with HostProgram(places.build_folder() / "hostile-logs", serve="--listen", threads=1,
                     arguments=("--memory", "1G", "--window", "256M")) as program:
        yield program
