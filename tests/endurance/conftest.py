"""Fixtures; the host's log is below build/*/endurance-logs."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from harness import places  # noqa: E402
from harness.host import HostProgram  # noqa: E402


@pytest.fixture(scope="module")
def host():
    with HostProgram(places.build_folder() / "endurance-logs", serve="--listen") as program:
        yield program
