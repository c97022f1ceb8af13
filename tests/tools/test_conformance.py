import dataclasses
import struct

import pytest

from conformance import report, whisper_model
from conformance.journal import Journal
from conformance.parts import archs, devices, ops, server, texts, whisper
from conformance.runner import Runner, Totals
from conformance.session import ending, repeated_until_whole, run
from conformance.shard import Outcome, Shard, pieces, spread
from harness import backends, places
from harness.channel import Finished

NATIVE = {"ADD(type=f32)": True, "ADD(type=f16)": False}
OK, FAIL = "\x1b[1;32mOK\x1b[0m", "\x1b[1;31mFAIL\x1b[0m"


@pytest.mark.parametrize("count, size, expected", [(0, 3, []), (3, 3, [3]), (4, 3, [2, 2]), (10, 4, [3, 3, 4])])
def test_pieces_are_even_and_complete(count, size, expected):
    cut = pieces(list(range(count)), size)
    assert [len(piece) for piece in cut] == expected
    assert [item for piece in cut for item in piece] == list(range(count))


def test_a_spread_is_from_all_over():
    assert spread([1, 2], 5) == [1, 2]
    assert spread(list(range(100)), 4) == [0, 25, 50, 75]


class Counted:
    """Shards that write down when they run."""

    def __init__(self, outcomes):
        self.outcomes = outcomes
        self.runs = []

    def shards(self):
        return [Shard("part", name, lambda name=name: self.run(name)) for name in self.outcomes]

    def run(self, name):
        self.runs.append(name)
        outcome = self.outcomes[name]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def run_all(folder, counted, binaries="a"):
    [totals] = Runner(Journal(folder, binaries), 2, say=lambda line: None).run(counted.shards())
    return totals


def test_a_rerun_skips_what_passed(tmp_path):
    counted = Counted({"good": Outcome(3), "bad": Outcome(1, ("wrong",))})
    assert (run_all(tmp_path, counted).failed, sorted(counted.runs)) == (1, ["bad", "good"])
    counted.runs.clear()
    counted.outcomes["bad"] = Outcome(1)
    totals = run_all(tmp_path, counted)
    assert counted.runs == ["bad"]
    assert (totals.shards, totals.repeated, totals.failed, totals.cases) == (2, 1, 0, 4)


def test_other_binaries_run_everything(tmp_path):
    counted = Counted({"good": Outcome(3)})
    run_all(tmp_path, counted, "a")
    run_all(tmp_path, counted, "b")
    run_all(tmp_path, counted, "b")
    assert counted.runs == ["good", "good"]


def test_starting_over_forgets(tmp_path):
    counted = Counted({"good": Outcome(3)})
    run_all(tmp_path, counted)
    Journal(tmp_path, "a").start_over("part")
    run_all(tmp_path, counted)
    assert counted.runs == ["good", "good"]


def test_a_torn_last_line_is_a_shard_that_did_not_end(tmp_path):
    run_all(tmp_path, Counted({"one": Outcome(1), "two": Outcome(1)}))
    file = tmp_path / "part.jsonl"
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert len(Journal(tmp_path, "a").passed("part")) == 1


def test_a_later_failure_counts_more_than_an_earlier_success(tmp_path):
    journal, shard = Journal(tmp_path, "a"), Shard("part", "one", None)
    journal.write(shard, Outcome(1), 1)
    journal.write(shard, Outcome(1, ("wrong",)), 1)
    assert not journal.passed("part")


def test_an_exception_is_that_shards_failure(tmp_path):
    totals = run_all(tmp_path, Counted({"bad": OSError("gone"), "good": Outcome(1)}))
    assert (totals.shards, totals.failed) == (2, 1)
    assert totals.failures == ["part bad: OSError in run: gone"]


def test_the_report_counts_and_names_failures():
    rows = [("cpu", Totals("ops", shards=2, failed=1, cases=7, seconds=3.2, failures=["ops ADD: wrong"]))]
    text = report.text(rows, 75, "folder")
    assert "cpu ops ADD: wrong" in text and "FAILED, in 1 min 15 s" in text
    assert not report.is_good(rows)
    assert report.is_good([("cpu", Totals("ops", shards=1))])
    assert not report.is_good([])


def test_supported_cases_are_read_from_csv():
    text = ('"backend_name","op_name","op_params","test_mode","supported","error_message","backend_reg_name"\n'
            '"CPU","ADD","type=f32","support","1","yes","CPU"\n"CPU","ADD","type=f16","support","0","no","CPU"\n')
    assert ops.supported(text) == NATIVE


def test_support_is_compared_case_by_case():
    assert not list(ops.support_differences(NATIVE, dict(NATIVE)))
    remote = {"ADD(type=f32)": False, "SUB()": True}
    assert list(ops.support_differences(NATIVE, remote)) == [
        "ADD(type=f32): supported natively, not supported remotely",
        "ADD(type=f16): not supported natively, no case remotely",
        "SUB(): no case natively, supported remotely"]


def test_results_are_read_and_the_worst_counts():
    found = ops.results(f"  ADD(type=f32): {OK}\n  ADD(type=f32): [ADD] NMSE = 1 {FAIL}\n  ADD(type=f32): {OK}\n"
                        "  ADD(type=f16): not supported [virtgpu0]\n  Backend virtgpu0: OK\n")
    assert found == {"ADD(type=f32)": "[ADD] NMSE = 1 FAIL", "ADD(type=f16)": "not supported [virtgpu0]"}


@pytest.mark.parametrize("found, failures", [
    ({"ADD(type=f32)": "OK", "ADD(type=f16)": "not supported [virtgpu0]"}, 0),
    ({"ADD(type=f32)": "not supported [CPU]", "ADD(type=f16)": "not supported [virtgpu0]"}, 0),
    ({"ADD(type=f32)": "not supported [virtgpu0]", "ADD(type=f16)": "not supported [virtgpu0]"}, 1),
    ({"ADD(type=f32)": "OK", "ADD(type=f16)": "OK"}, 1),
    ({"ADD(type=f32)": "OK"}, 1)])
def test_passed_is_what_the_host_supports(found, failures):
    assert len(list(ops.result_failures(NATIVE, found))) == failures


def test_a_program_that_dies_is_a_failure():
    outcome = ops.tested(Finished(-6, f"  ADD(type=f32): {OK}\n  ADD(type=f16): not supported [virtgpu0]\n", "abort"),
                         NATIVE)
    assert outcome.cases == 1 and not outcome.passed


def table(device="OK", remote="AMD (remote)"):
    return archs.rows("|arch|Device|Config|NMSE vs. CPU|Roundtrip|Mixed batch|\n|----|----|----|----|----|----|\n"
                      f"|  phi3|  AMD|Dense|{OK} (0.0e+0)|{OK}|{OK} (1e-8)|\n"
                      f"|  phi3|{remote}|Dense|{device} (0.0e+0)|{OK}|{OK} (1e-8)|\n")


WELL = {("phi3", "Dense"): {"AMD": ("OK", "OK", "OK")}}


def test_architectures_are_read_from_the_table():
    assert table() == {("phi3", "Dense"): {"AMD": ("OK", "OK", "OK"), "AMD (remote)": ("OK", "OK", "OK")}}
    assert not list(archs.table_failures(table(), WELL))


@pytest.mark.parametrize("changed", [table(FAIL), table("SKIP"), table(remote="Meta")])
def test_the_device_has_to_do_what_its_host_does(changed):
    assert list(archs.table_failures(changed, WELL))
    assert list(archs.table_failures(changed, {}))


def test_llama_cpp_leaves_things_out_when_it_splits_tensors():
    both = {("phi3", "Dense"): {**table()[("phi3", "Dense")], "Meta": ("OK", "SKIP", "OK")}}
    assert not list(archs.table_failures(both, WELL))


def test_an_architecture_is_cut_into_pieces_as_natively():
    log = "0.01 I sched_reserve: graph: nodes = 134, splits = {}, input objects = 4"
    batches = "0.01 I sched_reserve: graph (pp bs=256, tg bs=1): nodes = 134 / 134, splits = {} / 2, input objects = 4 / 4"
    assert archs.pieces_difference("granite-moe", log.format(2), log.format(2)) is None
    assert "['5'] pieces, natively into ['2']" in archs.pieces_difference("granite-moe", log.format(2), log.format(5))
    assert archs.pieces_difference("granite-moe", batches.format(51), batches.format(51)) is None
    assert archs.pieces_difference("granite-moe", batches.format(51), batches.format(52))
    assert archs.pieces_difference("granite-moe", "", "")


def test_what_fails_natively_may_fail():
    native = {("phi3", "Dense"): {"llvmpipe": ("FAIL", "OK", "OK")}}
    remote = {("phi3", "Dense"): {"llvmpipe (remote)": ("FAIL", "OK", "OK")}}
    assert not list(archs.table_failures(remote, native))
    assert list(archs.table_failures({("phi3", "Dense"): {"llvmpipe (remote)": ("FAIL", "OK", "FAIL")}}, native))
    # What it gets wrong by itself does not excuse another row.
    split = {("phi3", "Dense"): {**remote[("phi3", "Dense")], "Meta": ("FAIL", "SKIP", "OK")}}
    assert list(archs.table_failures(split, native))
    native[("phi3", "Dense")]["Meta"] = ("FAIL", "SKIP", "OK")
    assert not list(archs.table_failures(split, native))


def test_a_table_that_breaks_off_is_a_failure():
    assert list(archs.table_failures({("phi3", "Dense"): {"AMD (remote)": ("OK",)}}, WELL))


def test_a_row_without_an_end_is_read():
    broken = archs.rows("|  phi3|  AMD (remote)|Dense|")
    assert list(archs.table_failures(broken, WELL))


def test_architectures_are_named_once():
    text = ("I save_models: Saving gemma2 model (dense) to x...\nI save_models: Saving llama model (dense) to x...\n"
            "I save_models: Saving llama model (MoE) to x...\nI save_models: bert model (dense) is unsupported, skipping\n")
    assert archs.names(text) == ["gemma2", "llama", "bert"]


def test_perplexity_is_whole_or_nothing():
    chunks, last = "0.00 minutes\n[1]5.1,[2]4.2,\n", "0.1 I Final estimate: PPL = 4.2 +/- 0.1"
    assert texts.perplexity(Finished(0, chunks, last)) == ("[1]5.1,[2]4.2,", "Final estimate: PPL = 4.2 +/- 0.1")
    assert texts.perplexity(Finished(0, chunks, "")) is None


@pytest.mark.parametrize("native, remote, failures", [
    ("ab", "ab", 0),
    ("ab", "ax", 1),  # the remote server lets others change an answer, the native one does not
    ("ax", "ay", 0)])  # both do
def test_answers_at_once(native, remote, failures):
    alone = {"native": list("ab"), "remote": list("ab")}
    assert len(list(server.judge(alone, {"native": list(native), "remote": list(remote)}))) == failures


def test_answers_one_at_a_time_are_the_same():
    alone = {"native": ["a"], "remote": ["b"]}
    assert len(list(server.judge(alone, alone))) == 1


def test_whisper_has_to_use_the_device():
    native, remote = Finished(0, "w1", ""), Finished(0, "w1", "whisper_backend_init_gpu: using virtgpu0 backend")
    assert not list(whisper.failures(native, remote))
    assert list(whisper.failures(native, native))
    assert list(whisper.failures(native, dataclasses.replace(remote, output="w2")))


def test_a_whisper_model_begins_with_its_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(whisper_model, "WORDS", 300)
    whisper_model.write_model(tmp_path / "model")
    magic, words, context = struct.unpack_from("<3i", (tmp_path / "model").read_bytes())
    assert (magic, words, context) == (0x67676D6C, 300, 1500)


def test_missing_vulkan_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "root", lambda: tmp_path)
    with pytest.raises(backends.Unavailable, match="sysroot --with conformance"):
        backends.vulkan(tmp_path, 2)


def test_a_program_that_hangs_is_ended():
    finished = run(["/bin/sleep", "60"], {}, 0.2)
    assert finished.status == 124 and "still running" in ending(finished)


def test_an_ending_has_what_the_frontend_said():
    errors = "ggml-virtgpu: no devices\n" + "".join(f"line {number}\n" for number in range(9))
    assert ending(Finished(1, "", errors)) == "exit status 1: ggml-virtgpu: no devices | line 6 | line 7 | line 8"


def test_a_program_without_its_last_words_is_asked_again():
    runs = iter([Finished(0, "half", ""), Finished(0, "whole", "")])
    assert repeated_until_whole(lambda: next(runs), lambda finished: finished.output == "whole").output == "whole"
    assert repeated_until_whole(lambda: Finished(1, "half", ""), lambda finished: False).status == 1
    with pytest.raises(RuntimeError, match="last words"):
        repeated_until_whole(lambda: Finished(0, "half", ""), lambda finished: False)


def events_of(worker, ring, *spans, name="RUN_GRAPH"):
    return [{"ph": "X", "pid": worker, "tid": ring, "name": name, "ts": begin, "dur": end - begin,
             "args": {"sequence": number}} for number, (begin, end) in enumerate(spans, start=1)]


def test_devices_compute_when_their_workers_say_so():
    workers = [{"ph": "M", "pid": worker, "name": "process_name", "args": {"name": f"host-{worker}"}} for worker in (1, 2)]
    first, second = devices.computing([
        *workers, *events_of(1, 0, (0, 1000), name="SET_TENSOR"), *events_of(1, 3, (0, 100), (2000, 3000)),
        *events_of(1, 3, (150, 1500), name="wait"), *events_of(1, 4, (500, 900)),
        *events_of(1, 4, (900, 1200), name="AWAIT_RING"), *events_of(1, 4, (1200, 1210), name="EDIT_GRAPH"),
        *events_of(2, 1, (10000, 11000)), *events_of(2, 2, (12000, 13000))])
    assert first == [(0, 1500), (2000, 3000), (10000, 11000)]
    assert second == [(500, 900), (12000, 13000)]
    assert devices.shared(first, second) == 400


def test_devices_that_take_turns_do_not_pass():
    one, other = [(0, 10), (20, 30)], [(10, 20), (29, 60)]
    assert [*devices.parallel_failures(one, other)] == [
        "both compute for 1 us of 20 and 41 us, which is less than 50%"]
    assert not [*devices.parallel_failures(one, [(5, 25)])]
    assert "computed nothing" in [*devices.parallel_failures(one, [])][0]
