"""Instructions for gnuplot: lines over logarithmic axes and bars, with their names beside them, black on white."""
import dataclasses
import math
import subprocess

PANEL = (560, 380)  # pixels
HEAD = 'set terminal svg size {},{} font "sans-serif,13" background rgb "white" noenhanced'
SMALLEST_GAP = 0.055  # between the names of two lines, in parts of a panel's height
ROOM_FOR_NAMES = 12  # of the longest one, in characters


@dataclasses.dataclass(frozen=True)
class Line:
    name: str
    colour: str
    points: list  # (x, y)


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    x: str
    y: str
    lines: list


@dataclasses.dataclass(frozen=True)
class Bars:
    title: str
    groups: list  # their names
    series: list  # (name, colour, [(value, what to write above it)])


@dataclasses.dataclass(frozen=True)
class Lane:
    name: str
    colour: str
    spans: list  # (begin, end)


def svg(script):
    finished = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"gnuplot failed: {finished.stderr[-2000:]}")
    return finished.stdout


def lines(panels, columns):
    rows = -(-len(panels) // columns)
    script = [HEAD.format(PANEL[0] * columns, PANEL[1] * rows),
              f"set multiplot layout {rows},{columns}", "unset key", "set logscale xy", "set border 3",
              "set tics nomirror", 'set grid lt 1 lc rgb "#dddddd"', f"set rmargin {ROOM_FOR_NAMES}"]
    for panel in panels:
        script += _panel(panel)
    return "\n".join([*script, "unset multiplot"]) + "\n"


def bars(plot):
    highest = max(value for _, _, values in plot.series for value, _ in values)
    script = [HEAD.format(max(640, 110 * len(plot.groups)), PANEL[1]), f"set title {_quoted(plot.title)}",
              "set style data histograms", "set style histogram clustered gap 1", "set style fill solid",
              "set boxwidth 0.9 relative", f"set yrange [0:{1.3 * highest:.2f}]", "set border 3", "set tics nomirror",
              "set key outside top center horizontal", 'set grid y lt 1 lc rgb "#dddddd"', "set xtics scale 0",
              "set bmargin 4"]
    script += _block("$bars", [[_quoted(group), *(values[i][0] for _, _, values in plot.series)]
                               for i, group in enumerate(plot.groups)])
    width = 1 / (len(plot.series) + 1)
    for position, (_, _, values) in enumerate(plot.series):
        for i, (value, text) in enumerate(values):
            x = i + (position - (len(plot.series) - 1) / 2) * width
            script.append(f'set label {_quoted(text)} at {x:.3f},{value:.4f} left rotate by 90 offset 0,0.4 font ",11"')
    clauses = [f"$bars using {column}:xtic(1) title {_quoted(name)} lc rgb {_quoted(colour)}"
               for column, (name, colour, _) in enumerate(plot.series, start=2)]
    return "\n".join([*script, f"plot {', '.join(clauses)}"]) + "\n"


def timeline(title, end, unit, lanes):
    """Spans of time, a lane for each kind of them, the first one on top."""
    rows = list(reversed(lanes))
    script = [HEAD.format(900, 70 + 26 * len(rows)), f"set title {_quoted(title)}", "unset key",
              f"set xrange [0:{end:g}]", f"set yrange [-0.5:{len(rows) - 0.5}]", f"set xlabel {_quoted(unit)}",
              "set border 1", "set tics nomirror", 'set grid x lt 1 lc rgb "#dddddd"',
              f"set ytics ({', '.join(f'{_quoted(lane.name)} {row}' for row, lane in enumerate(rows))}) scale 0"]
    for row, lane in enumerate(rows):
        for begin, finish in lane.spans:
            script.append(f"set object rectangle from {max(begin, 0):g},{row - 0.35} to {min(finish, end):g},{row + 0.35} "
                          f"fc rgb {_quoted(lane.colour)} fs solid noborder")
    return "\n".join([*script, "plot NaN"]) + "\n"


def apart(heights, gap):
    """The heights, moved as little as a sweep from below does it, so that none is nearer to another than `gap`."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    moved, lowest = list(heights), -math.inf
    for i in order:
        moved[i] = max(heights[i], lowest + gap)
        lowest = moved[i]
    return moved


def _panel(panel):
    present = [line for line in panel.lines if line.points]
    xs = [x for line in present for x, _ in line.points]
    low, high = _limits([y for line in present for _, y in line.points])
    script = ["unset label", f"set title {_quoted(panel.title)}", f"set xlabel {_quoted(panel.x)}",
              f"set xrange [{min(xs)}:{max(xs)}]", f"set yrange [{low * 0.999:g}:{high * 1.001:g}]", _sizes(min(xs), max(xs)),
              _decades(low, high, panel.y)]
    for number, line in enumerate(present):
        script += _block(f"$line{number}", line.points)
    script += _names(present, low, high)
    clauses = [f"$line{number} using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb {_quoted(line.colour)}"
               for number, line in enumerate(present)]
    return [*script, f"plot {', '.join(clauses)}"]


def _names(present, low, high):
    """At the end of each line."""
    height = math.log10(high / low)
    ends = apart([math.log10(line.points[-1][1] / low) / height for line in present], SMALLEST_GAP)
    return [f"set label {_quoted(line.name)} at graph 1.02,{end:.4f} left textcolor rgb {_quoted(line.colour)}"
            for line, end in zip(present, ends)]


def _limits(values):
    """The powers of ten around."""
    return 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values) * 1.01))


def _decades(low, high, unit):
    exponents = range(round(math.log10(low)), round(math.log10(high)) + 1)
    named = ", ".join(f"{_quoted(_in_unit(exponent, unit))} 1e{exponent}" for exponent in exponents)
    return f"set ytics ({named})"


def _in_unit(exponent, unit):
    """A power of ten, in the unit or in the one that is natural for so many microseconds."""
    if unit == "us" and exponent < 0:
        exponent, unit = exponent + 3, "ns"
    elif unit == "us" and exponent >= 3:
        exponent, unit = (exponent - 3, "ms") if exponent < 6 else (exponent - 6, "s")
    return f"{10.0 ** exponent:g} {unit}"


def _sizes(low, high):
    """Sizes in bytes span more than a thousandfold and are named as such."""
    if high < 1 << 20:
        return 'set xtics auto; set format x "%g"'
    named = [(64, "64 B"), (1 << 10, "1 KiB"), (1 << 14, "16 KiB"), (1 << 18, "256 KiB"), (1 << 22, "4 MiB"),
             (1 << 28, "256 MiB")]
    return f"set xtics ({', '.join(f'{_quoted(name)} {size}' for size, name in named if low <= size <= high)})"


def _block(name, rows):
    return [f"{name} << END", *(" ".join(map(str, row)) for row in rows), "END"]


def _quoted(text):
    # Between double quotes gnuplot reads \n as a new line.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
