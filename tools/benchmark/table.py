"""Medians, ratios and spread of interleaved measurements."""
import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Row:
    model: str
    test: str
    contender: str
    samples: list

    @property
    def median(self):
        return statistics.median(self.samples)

    @property
    def spread(self):
        """Largest minus smallest, in parts of the median."""
        return (max(self.samples) - min(self.samples)) / self.median


def ratio(row, reference):
    """Median of the ratios round by round, so that what the machine did meanwhile cancels out."""
    return statistics.median(ours / theirs for ours, theirs in zip(row.samples, reference.samples))


def text(rows, reference="native"):
    lines = [f"{'model':<22} {'test':<7} {'contender':<10} {'tokens/s':>10} {'spread':>7} {'of native':>10}"]
    for row in rows:
        [base] = [other for other in rows
                  if (other.model, other.test, other.contender) == (row.model, row.test, reference)]
        lines.append(f"{row.model:<22} {row.test:<7} {row.contender:<10} {row.median:>10.1f} {row.spread:>7.0%} "
                     f"{ratio(row, base):>10.3f}")
    return "\n".join(lines)


def as_dictionary(rows):
    return [{**dataclasses.asdict(row), "median": row.median, "spread": row.spread} for row in rows]
