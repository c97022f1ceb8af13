"""The results of a run as text, in Markdown's tables."""
from benchmark import endurance, samples
from benchmark.budgets import budgets
from benchmark.tokens import select

MODES = {"spare": "a processor to spare", "full": "on every processor"}


def text(results):
    parts = (_machine, _budgets, _micro, _tokens, _loading, _counts, _guest, _endurance)
    return "\n\n".join(part for part in (write(results) for write in parts) if part)


def table(heads, rows):
    """Columns as wide as they need to be; numbers and all else but the first to the right."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]

    def line(row):
        padded = [cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 1) + (':' if i else '-') for i, width in enumerate(widths))}|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def number(value, unit=""):
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def _ratio(value, _unit=""):
    return "–" if value is None else f"{value:.3f}"


def _part(value):
    return "–" if value is None else f"{value:.0%}"


def _machine(results):
    machine = results["machine"]
    return (f"Commit {machine.get('commit')}; {machine['processor']}, {machine['processors']} processors, Linux {machine['kernel']}; "
            f"{machine['threads']} threads where a processor is to spare; medians of {machine['rounds']} rounds")


def _budgets(results):
    rows = []
    for budget in budgets(results):
        measured = budget.measured
        write = _ratio if budget.at_least else number
        limit = f"{'≥' if budget.at_least else '≤'} {write(budget.limit, budget.unit)}"
        values = [write(measured.value, budget.unit), _part(measured.spread), write(measured.native),
                  write(measured.rpc)] if measured else ["–"] * 4
        rows.append([budget.name, limit, *values, budget.verdict, budget.reason])
    return table(["budget", "limit", "measured", "spread", "native", "ggml-rpc", "verdict", "reason"], rows)


def _micro(results):
    tables = []
    for mode, contenders in results.get("micro", {}).items():
        rows = dict.fromkeys(row for found in contenders.values() for row in found)
        tables.append(table([f"single things, {MODES[mode]}", *contenders],
                            [[row, *(_cost(found.get(row)) for found in contenders.values())] for row in rows]))
    return "\n\n".join(tables)


def _cost(entry):
    if entry is None:
        return "–"
    nanoseconds = samples.median(entry["nanoseconds"])
    cost = f"{number(nanoseconds / 1e3)} us ± {samples.spread(entry['nanoseconds']) / 2:.0%}"
    if entry["bytes"] and nanoseconds > 20000:
        return f"{entry['bytes'] / nanoseconds:.2f} GB/s, {cost}"
    return cost


def _tokens(results):
    rows = []
    for row in results.get("tokens", []):
        found = row["samples"]
        native = select(results, row["test"], "native", row["model"], row["variant"])
        rows.append([row["model"], row["variant"], row["test"], row["contender"], number(samples.median(found)),
                     _part(samples.spread(found)), f"{samples.ratio(found, native):.3f}" if native else "–"])
    return rows and table(["model", "variant", "test", "contender", "tokens/s", "spread", "of native"], rows)


def _loading(results):
    loading = results.get("loading")
    if not loading:
        return ""
    rows = [[name, f"{samples.median(seconds):.2f} s", _part(samples.spread(seconds)),
             f"{samples.ratio(seconds, loading['seconds']['native']):.2f}"]
            for name, seconds in loading["seconds"].items()]
    return table([f"{loading['model']}: start, load, one token, end", "time", "spread", "of native"], rows)


def _counts(results):
    counts = results.get("counts")
    if not counts:
        return ""
    columns = {**{name: counts[name] for name in ("unchanged graph", "request, all asleep")},
               **{f"token, {MODES[mode]}": sides["frontend"] for mode, sides in counts["tokens"].items()},
               **{f"token, {MODES[mode]}, by the host": sides["host"] for mode, sides in counts["tokens"].items()}}
    return _counters("counted per", columns)


def _counters(head, columns):
    names = dict.fromkeys(name for numbers in columns.values() for name in numbers)
    return table([head, *columns],
                 [[name, *(number(numbers.get(name)) for numbers in columns.values())] for name in names])


def _guest(results):
    machine = results.get("virtual machine")
    if not machine:
        return ""
    head = f"in a virtual machine ({machine['accelerator'].upper()}, {machine['processors']} processors)"
    devices = machine["devices"]
    sides = {f"{kind}: token, by the {side}": numbers
             for kind, found in devices.items() for side, numbers in found["per token"].items()}
    speeds = [[f"{kind}: {name}", number(samples.median(found)), _part(samples.spread(found))]
              for kind, device in devices.items() for name, found in device["tokens per second"].items()]
    rows = dict.fromkeys(row for found in devices.values() for row in found["single things"])
    costs = [[row, *(_cost(found["single things"].get(row)) for found in devices.values())] for row in rows]
    return "\n\n".join([_counters(head, sides), table([head, "tokens/s", "spread"], speeds),
                        table([head, *devices], costs)])


def _endurance(results):
    result = results.get("endurance")
    if not result:
        return ""
    latencies = table([f"{result['tokens']:,} tokens in one process: percentile", "first tenth", "last tenth"],
                      [[f"{percent:g}", f"{first / 1e3:.1f} us", f"{last / 1e3:.1f} us"]
                       for percent, first, last in endurance.latencies(result)])
    memory = table(["memory", "after the warm-up", "at the end", "most"],
                   [[name, *(f"{kib / 1024:.1f} MiB" for kib in (found[int(len(found) * endurance.WARM)], found[-1],
                                                                   max(found)))]
                    for name, found in result["memory_kib"].items()])
    return f"{latencies}\n\n{memory}"
