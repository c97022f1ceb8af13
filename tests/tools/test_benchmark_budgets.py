"""Which budgets a run has met, from results with known numbers."""
import made_up_results
import pytest

from benchmark import budgets, report


@pytest.fixture
def results():
    return made_up_results.everything()


def verdicts(results):
    return {budget.name: budget.verdict for budget in budgets.budgets(results)}


def named(results, name):
    [found] = [budget for budget in budgets.budgets(results) if budget.name == name]
    return found


def test_a_run_that_measured_nothing_has_no_verdicts():
    empty = {"machine": {}, "measured": {}}
    assert set(verdicts(empty).values()) == {"not measured"}
    assert len(verdicts(empty)) >= 18


def test_everything_that_was_measured_has_a_verdict(results):
    assert "not measured" not in verdicts(results).values()


def test_a_round_trip_is_the_median_in_microseconds(results):
    awake = named(results, "round trip, both awake")
    assert (awake.measured.value, awake.measured.native, awake.measured.rpc) == (2, 1, 4)
    assert awake.measured.spread == pytest.approx(0.3)
    assert awake.verdict == "met"


def test_a_tokens_overhead_is_what_the_fastest_models_token_takes_longer(results):
    overhead = named(results, "overhead of a token, a processor to spare")
    assert overhead.measured.value == pytest.approx(1e6 / 3000 * (1 / 0.98 - 1), rel=0.02)
    assert overhead.verdict == "met"
    assert named(results, "overhead of a token, every processor computing").measured.value == pytest.approx(8.1, rel=0.05)


def test_a_changed_graph_is_judged_on_each_side(results):
    assert named(results, "a changed graph of 1,300 nodes: to encode it, guest").verdict == "met"
    assert named(results, "a changed graph of 1,300 nodes: to check and build it, host").verdict == "missed"


def test_memcpy_is_no_measure_of_a_gpus_transfers(results):
    results["machine"]["backend"] = "cuda"
    assert not [name for name in verdicts(results) if "memcpy" in name]


def test_a_peer_that_gives_nothing_takes_no_verdict_with_it(results):
    results["tokens"] = [row for row in results["tokens"] if row["contender"] != "ggml-rpc"]
    found = verdicts(results)
    assert found["tg of small.gguf, of native"] == "met"
    assert found["tg of small.gguf, of ggml-rpc"] == "not measured"


def test_a_round_without_a_contender_is_not_compared(results):
    for row in results["tokens"]:
        if (row["model"], row["contender"], row["test"]) == ("small.gguf", "ggml-rpc", "tg128"):
            row["samples"] = [None, row["samples"][1]]
    assert named(results, "tg of small.gguf, of ggml-rpc").measured.value == pytest.approx(0.98 / 0.9)


def test_every_command_that_leaves_a_guest_counts(results):
    assert named(results, "commands to the device per token in a virtual machine, whole").measured.value == 2


def test_transfers_are_parts_of_memcpy_and_of_native(results):
    assert named(results, "set 256 MiB, of memcpy").measured.value == pytest.approx(0.5)
    assert named(results, "get 256 MiB, of the backend's own").measured.rpc == pytest.approx(0.25)
    assert named(results, "set 256 MiB, of memcpy").verdict == "missed"


def test_the_budget_for_speed_depends_on_natives_speed(results):
    found = verdicts(results)
    assert found["tg of small.gguf, of native"] == "met"  # 0.98 of 1,500 tokens per second
    assert found["tg of large.gguf, of native"] == "missed"  # 0.98 of 80
    assert found["pp of small.gguf, of native"] == "missed"
    assert found["tg of small.gguf, of ggml-rpc"] == "met"
    assert [name for name in found if "tiny" in name] == ["pp of tiny.gguf, of ggml-rpc", "tg of tiny.gguf, of ggml-rpc"]


@pytest.mark.parametrize("speed, limit", [(2001, None), (2000, 0.97), (501, 0.97), (500, 0.99), (1, 0.99)])
def test_limits_of_speed(speed, limit):
    assert budgets.speed_limit(speed) == limit


def test_a_counter_may_miss_zero_by_its_tolerance_only(results):
    name = "doorbells per token, a processor to spare"
    assert named(results, name).verdict == "met"
    results["counts"]["tokens"]["spare"]["frontend"]["doorbells"] = 0.2
    assert named(results, name).verdict == "missed"


def test_a_known_reason_is_given_for_a_miss_only(results):
    name = "round trip, both asleep"
    assert named(results, name).verdict == "missed" and named(results, name).reason
    for rows in results["micro"]["full"].values():
        rows["round_trip_asleep"]["nanoseconds"] = [10000]
    assert named(results, name).verdict == "met" and not named(results, name).reason


def test_reasons_are_for_budgets_that_exist(results):
    assert set(budgets.REASONS) <= set(verdicts(results))


def test_growth_after_the_warm_up_is_a_miss(results):
    name = "growth of the host's memory over 100,000 graphs"
    assert named(results, name).verdict == "met"
    results["endurance"]["memory_kib"]["ggml-virtgpu-worker 12"] = [2000 + 100 * i for i in range(50)]
    assert named(results, name).verdict == "missed"


def test_the_report_has_every_budget_and_every_table(results):
    text = report.text(results)
    for budget in budgets.budgets(results):
        assert f"| {budget.name} " in text
    for head in ("single things, a processor to spare", "tokens/s", "start, load, one token", "counted per",
                 "in a virtual machine (TCG", "100,000 tokens in one process", "after the warm-up"):
        assert head in text


def test_a_report_of_nothing_is_the_budgets():
    machine = made_up_results.everything()["machine"]
    assert "not measured" in report.text({"machine": machine, "measured": {}})


def test_tables_are_aligned():
    assert report.table(["a", "long"], [["wide", 1]]).splitlines() == [
        "| a    | long |", "|------|-----:|", "| wide |    1 |"]
