"""Which plots there are, and what is in each of them."""
from benchmark import gnuplot, micro, samples, tokens
from benchmark.contenders import NAMES
from benchmark.gnuplot import Bars, Lane, Line, Panel

COLOURS = {"native": "#4d4d4d", "virtgpu": "#0067b1", "ggml-rpc": "#c25100", "memcpy": "#8a8a8a"}


def draw(results, folder):
    """Writes an SVG file for each plot that the results have numbers for; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, script in scripts(results).items():
        path = folder / f"{name}.svg"
        path.write_text(gnuplot.svg(script), encoding="utf-8")
        written.append(path)
    return written


def scripts(results):
    """Gnuplot's instructions by the plot's name."""
    found = {}
    if results.get("micro"):
        found["graphs"] = gnuplot.lines(graph_panels(results), columns=2)
        found["transfers"] = gnuplot.lines(transfer_panels(results), columns=2)
    if results.get("tokens"):
        found["tokens"] = gnuplot.bars(token_bars(results))
    for traced in results.get("trace", []):
        model = traced["model"].removesuffix(".gguf")
        found[f"{traced['variant']}-{model}"] = gnuplot.timeline(
            f"A {traced['variant']} of {model}", traced["microseconds"], "us", lanes(traced["events"]))
    return found


def lanes(events):
    """A lane for what each side did on the ring of buffers, the stream's ring, and while it waited."""
    colours = {"guest": COLOURS["virtgpu"], "host": COLOURS["ggml-rpc"]}
    spans = {}
    for event in events:
        name = f"{event['side']}: {event['name']}" + (", inputs" if event["name"] == "wait" and event["ring"] == 0 else "")
        spans.setdefault((event["side"], name), []).append((event["begin"], event["end"]))
    return [Lane(name, colours[side], found) for (side, name), found in sorted(spans.items())]


def graph_panels(results):
    return [Panel(f"{title} graph", "nodes", "us", [_costs(results, name, row) for name in NAMES])
            for row, title in (("unchanged_graph", "An unchanged"), ("changed_graph", "A changed"))]


def transfer_panels(results):
    rows = (("set_bytes", "Set"), ("get_bytes", "Get"))
    copies = ("memcpy", "virtgpu", "memcpy")
    costs = [Panel(f"{title} a tensor's bytes", "bytes", "us", [_costs(results, name, row) for name in NAMES])
             for row, title in rows]
    speeds = [Panel(f"{title}: bytes per second", "bytes", "GB/s",
                    [*(_speeds(results, name, name, row) for name in NAMES), _speeds(results, *copies)])
              for row, title in rows]
    return [*costs, *speeds]


def token_bars(results):
    """Of native's speed, for each model and test."""
    groups, bars = [], {name: [] for name in NAMES}
    standard = [row for row in results["tokens"] if row["variant"] == tokens.STANDARD.name]
    for model, test in dict.fromkeys((row["model"], row["test"]) for row in standard):
        groups.append(f"{model.removesuffix('.gguf')}\n{test}")
        native = tokens.select(results, test, "native", model)
        for name in NAMES:
            speeds = tokens.select(results, test, name, model)
            # Not every peer computes every model.
            bars[name].append((samples.ratio(speeds, native), f"{samples.median(speeds):,.0f}") if speeds else (0, "–"))
    return Bars("Tokens per second (the numbers), relative to native", groups,
                [(name, COLOURS[name], values) for name, values in bars.items()])


def _costs(results, contender, row):
    points = [(size, samples.median(entry["nanoseconds"]) / 1e3)
              for size, entry in micro.series(results, contender, row)]
    return Line(contender, COLOURS[contender], points)


def _speeds(results, label, contender, row):
    points = [(size, size / samples.median(entry["nanoseconds"]))
              for size, entry in micro.series(results, contender, row)]
    return Line(label, COLOURS[label], points)
