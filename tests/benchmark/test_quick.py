"""The benchmark's quick run: every part that needs no virtual machine gives numbers, for every contender."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "tools/benchmark/benchmark"
CONTENDERS = {"native", "virtgpu", "ggml-rpc"}
NOT_IN_A_QUICK_RUN = ("256 MiB", "virtual machine", "every processor computing")

sys.path.insert(0, str(REPOSITORY / "tools"))
from benchmark import budgets  # noqa: E402


@pytest.fixture(scope="module")
def output():
    build = pathlib.Path(os.environ.get("VIRTGPU_BUILD", REPOSITORY / "build/default"))
    return build / "benchmark-quick/benchmark.json"


@pytest.fixture(scope="module")
def run(output):
    output.unlink(missing_ok=True)
    finished = subprocess.run([PROGRAM, "--quick", "--tokens", "1000", "--output", output], capture_output=True,
                              text=True, timeout=240, check=False)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


@pytest.fixture(scope="module")
def results(run, output):
    return json.loads(output.read_text(encoding="utf-8"))


def test_every_budget_that_can_be_measured_is(results):
    missing = [budget.name for budget in budgets.budgets(results) if budget.verdict == "not measured"]
    assert not [name for name in missing if not any(part in name for part in NOT_IN_A_QUICK_RUN)]


def test_every_contender_is_measured(results):
    assert set(results["micro"]["spare"]) == set(results["idle"]) == CONTENDERS
    assert {row["contender"] for row in results["tokens"]} == CONTENDERS
    assert set(results["loading"]["seconds"]) == CONTENDERS


def test_the_same_rows_for_every_contender(results):
    native, *others = ({row for row in rows if "pinned" not in row} for rows in results["micro"]["spare"].values())
    assert all(rows == native for rows in others)


def test_an_unchanged_graph_is_not_sent_again(results):
    counted = results["counts"]["unchanged graph"]
    assert counted["defined"] == counted["edited"] == 0
    assert 0 < counted["bytes"] < 1000


def test_memory_is_watched_in_all_processes(results):
    names = {name.split()[0] for name in results["endurance"]["memory_kib"]}
    assert names == {"application", "ggml-virtgpu-host", "ggml-virtgpu-worker"}


def test_the_results_can_be_printed_again(run, output):
    finished = subprocess.run([PROGRAM, "--from", output], capture_output=True, text=True, timeout=60, check=True)
    assert finished.stdout == run
