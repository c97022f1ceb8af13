"""The plots show every series, by name."""
import shutil
import xml.etree.ElementTree as ElementTree

import made_up_results
import pytest

from benchmark import gnuplot, plots


@pytest.fixture
def results():
    return made_up_results.everything()


def texts(path):
    """All that is written in an SVG file."""
    root = ElementTree.parse(path).getroot()
    return ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_there_is_a_plot_for_everything_that_was_measured(results):
    assert list(plots.scripts(results)) == ["graphs", "transfers", "tokens"]
    del results["micro"]
    assert list(plots.scripts(results)) == ["tokens"]


def test_graphs_show_all_contenders(results):
    for panel in plots.graph_panels(results):
        assert [line.name for line in panel.lines] == ["native", "virtgpu", "ggml-rpc"]
        assert [x for x, _ in panel.lines[0].points] == [100, 1300, 10000]
        assert panel.lines[1].points[0] == (100, pytest.approx(20))


def test_bytes_per_second_show_memcpy_too(results):
    speeds = plots.transfer_panels(results)[2:]
    assert [[line.name for line in panel.lines] for panel in speeds] == [
        ["native", "virtgpu", "ggml-rpc", "memcpy"]] * 2
    assert speeds[0].lines[0].points[-1] == (256 << 20, pytest.approx(10))


def test_bars_are_parts_of_native_with_the_speed_above(results):
    bars = plots.token_bars(results)
    assert bars.groups[0] == "small\npp512" and len(bars.groups) == 6
    assert [name for name, _, _ in bars.series] == ["native", "virtgpu", "ggml-rpc"]
    assert bars.series[1][2][0] == (pytest.approx(0.98), "1,485")


def test_names_keep_apart():
    assert gnuplot.apart([0.5, 0.1, 0.51], 0.1) == [0.5, 0.1, pytest.approx(0.6)]


@pytest.mark.skipif(not shutil.which("gnuplot"), reason="gnuplot draws them")
def test_drawn_plots_are_white_and_named(results, tmp_path):
    written = plots.draw(results, tmp_path)
    assert sorted(path.name for path in written) == ["graphs.svg", "tokens.svg", "transfers.svg"]
    for path in written:
        assert {"native", "virtgpu", "ggml-rpc"} <= set(texts(path))
        assert "#ffffff" in path.read_text(encoding="utf-8").lower()
    assert "256 MiB" in texts(tmp_path / "transfers.svg")


def test_a_trace_becomes_a_lane_for_everything_that_was_done(results):
    results["trace"] = [{"model": "small.gguf", "variant": "token", "microseconds": 100.0, "events": [
        {"side": "guest", "ring": 1, "name": "wait", "begin": 5.0, "end": 90.0},
        {"side": "host", "ring": 0, "name": "wait", "begin": 10.0, "end": 20.0},
        {"side": "host", "ring": 1, "name": "wait", "begin": 60.0, "end": 88.0}]}]
    assert [lane.name for lane in plots.lanes(results["trace"][0]["events"])] == [
        "guest: wait", "host: wait", "host: wait, inputs"]
    assert 'to 90,2.35' in plots.scripts(results)["token-small"]


def test_a_peer_that_cannot_compute_a_model_has_no_bar(results):
    results["tokens"] = [row for row in results["tokens"] if row["contender"] != "ggml-rpc"]
    assert {text for name, _, values in plots.token_bars(results).series if name == "ggml-rpc"
            for _, text in values} == {"–"}
