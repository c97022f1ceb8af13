"""Medians, counters and what Google Benchmark and llama-bench say."""
import dataclasses
import json
import pathlib

import pytest

from benchmark import endurance, llama_bench, micro, results, samples, sections, token_trace, traffic
from benchmark.settings import Settings

LINE = ("ggml-virtgpu: socket: so far {} graphs, 2 sent whole and 5 in part; 300 requests, {} bytes; 60 waits "
        "that slept 3 times; {} doorbells, 7 messages\n")
SETTINGS = Settings(folder=pathlib.Path("/nowhere"), model_folder=pathlib.Path("/nowhere"), processors=4, threads=3)


def test_spread_is_a_part_of_the_median():
    assert samples.spread([90, 100, 120]) == pytest.approx(0.3)
    assert samples.spread([0, 0]) == 0


def test_comparisons_are_made_round_by_round():
    ours, native = [10, 200, 12], [5, 100, 4]
    assert samples.ratio(ours, native) == 2
    assert samples.difference(ours, native) == 8


@pytest.mark.parametrize("percent, expected", [(0, 1), (50, 50), (99, 99), (99.9, 100), (100, 100)])
def test_percentiles(percent, expected):
    assert samples.percentile(range(1, 101), percent) == expected


def test_the_last_line_of_the_frontend_counts():
    found = traffic.of_frontend("other\n" + LINE.format(10, 1000, 1) + LINE.format(20, 1500, 2))
    assert found == {"graphs": 20, "defined": 2, "edited": 5, "requests": 300, "bytes": 1500, "waits": 60, "sleeps": 3,
                     "doorbells": 2, "messages": 7}
    assert traffic.of_frontend("nothing of the kind") is None


def test_what_a_run_costs_once_is_no_part_of_a_token():
    shorter, longer = {"graphs": 10, "bytes": 5000}, {"graphs": 110, "bytes": 25000}
    assert traffic.per_graph(shorter, longer) == {"graphs": 1, "bytes": 200}


def test_counters_per_token_are_medians_over_rounds():
    once = iter([7, 3, 900])  # what a run happens to cost besides

    def count(tokens):
        extra = next(once) if tokens == 10 else 5
        return {"frontend": {"graphs": tokens, "doorbells": 2 * tokens + extra}}

    assert traffic.of_tokens(count, 10, 110, rounds=3) == {"frontend": {"graphs": 1, "doorbells": 1.98}}


def test_repetitions_are_samples_and_aggregates_are_not():
    rows = [{"run_name": "set_bytes/64/real_time", "run_type": "iteration", "real_time": 32.0, "bytes_per_second": 2e9},
            {"run_name": "set_bytes/64/real_time", "run_type": "iteration", "real_time": 64.0, "bytes_per_second": 1e9},
            {"run_name": "set_bytes/64/real_time", "run_type": "aggregate", "real_time": 48.0}]
    assert micro.samples(rows) == {"set_bytes/64": {"nanoseconds": [32.0, 64.0], "bytes": 64}}


@pytest.mark.parametrize("name, plain", [
    ("round_trip_asleep/iterations:100/manual_time", "round_trip_asleep"), ("memcpy/64/real_time", "memcpy/64"),
    ("unchanged_graph/1300/repeats:3/real_time", "unchanged_graph/1300")])
def test_names_of_rows(name, plain):
    assert micro.plain_name(name) == plain


def test_a_sweep_is_ordered_by_size():
    rows = {"set_bytes/1024": {}, "set_bytes/64": {}, "set_bytes_other/1": {}, "memcpy/64": {}}
    found = micro.series({"micro": {"spare": {"native": rows}}}, "native", "set_bytes")
    assert [size for size, _ in found] == [64, 1024]


def test_speeds_are_named_by_test():
    output = json.dumps([{"n_prompt": 512, "n_gen": 0, "avg_ts": 10.0}, {"n_prompt": 0, "n_gen": 128, "avg_ts": 5.0}])
    assert llama_bench.speeds(output) == {"pp512": 10.0, "tg128": 5.0}


def test_latencies_of_the_first_and_the_last_tenth():
    found = endurance.latencies({"nanoseconds": [100] * 10 + [150] * 80 + [200] * 10})
    assert {(first, last) for _, first, last in found} == {(100, 200)}


def test_growth_counts_from_the_end_of_the_warm_up():
    memory = {"application": [0, 5, *[7] * 18], "worker": [0, 10, *[20] * 17, 24]}
    assert endurance.growth_kib(memory, is_host=True) == 4
    assert endurance.growth_kib(memory, is_host=False) == 0


def test_parts_that_were_asked_for():
    def names(asked, **changes):
        return [name for name, _ in sections.chosen(asked, dataclasses.replace(SETTINGS, **changes))]

    assert "endurance" not in names([]) and "endurance" in names([], tokens=1000)
    assert "virtual machine" not in names([], quick=True)
    assert "virtual machine" in names(["virtual machine"], quick=True)
    assert names(["idle", "micro"]) == ["micro", "idle"]


def test_parts_are_kept_while_machine_and_settings_are_the_same(tmp_path):
    path = tmp_path / "results.json"
    found = results.begin(path, SETTINGS)
    results.add(found, "idle", {"native": 0.0})
    results.save(found, path)
    assert results.begin(path, SETTINGS)["idle"] == {"native": 0.0}
    assert "idle" not in results.begin(path, dataclasses.replace(SETTINGS, threads=2))


def test_rows_of_other_variants_are_kept():
    found = {"measured": {}}
    row = {"model": "a", "variant": "standard", "test": "tg8"}
    results.add(found, "tokens", [row])
    results.add(found, "tokens", [{**row, "variant": "repacked"}])
    results.add(found, "tokens", [{**row, "test": "tg16"}])
    assert [(row["variant"], row["test"]) for row in found["tokens"]] == [("repacked", "tg8"), ("standard", "tg16")]


def test_a_traced_graph_of_median_length_is_chosen_from_the_second_half():
    begins = [0, 900, 1000, 1100, 1300, 1400]
    events = [{"side": "guest", "ring": 1, "name": "graph_compute", "begin": begin, "end": begin + 1} for begin in begins]
    length, chosen = token_trace.usual_graph(events)
    assert (length, [event["begin"] for event in chosen]) == (100, [0])
    assert token_trace.usual_graph([]) == (0.0, [])


def test_what_only_concerns_gpus_is_measured_there_and_on_request():
    cpu, cuda = ({name for name, _ in sections.chosen([], settings_for(backend))} for backend in ("cpu", "cuda"))
    assert "texts" not in cpu and "micro" in cpu
    assert "texts" in cuda and "changed graph" not in cuda
    assert [name for name, _ in sections.chosen(["texts"], settings_for("cpu"))] == ["texts"]


def settings_for(backend):
    return Settings(folder=pathlib.Path(), model_folder=pathlib.Path(), processors=2, threads=1, backend=backend)
