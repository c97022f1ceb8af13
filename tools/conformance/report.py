"""The last words: a table, every failure, and whether all is well."""
SHOWN_FAILURES = 40


def text(rows, wall_seconds, journals):
    """`rows` are (backend, Totals)."""
    lines = [f"{'backend':<8} {'part':<8} {'shards':>7} {'failed':>7} {'before':>7} {'cases':>8} {'shard time':>11}"]
    for backend, totals in rows:
        lines.append(f"{backend:<8} {totals.part:<8} {totals.shards:>7} {totals.failed:>7} {totals.repeated:>7} "
                     f"{totals.cases:>8} {totals.seconds:>9.0f} s")
    failures = [f"{backend} {failure}" for backend, totals in rows for failure in totals.failures]
    if failures:
        lines += ["", f"{len(failures)} failures:", *(f"  {failure}" for failure in failures[:SHOWN_FAILURES])]
        if len(failures) > SHOWN_FAILURES:
            lines.append(f"  ... and {len(failures) - SHOWN_FAILURES} more")
    verdict = "FAILED" if failures else "All passed" if rows else "Nothing was run"
    lines += ["", f"{verdict}, in {_duration(wall_seconds)} of wall-clock time. Every shard: {journals}"]
    return "\n".join(lines)


def is_good(rows):
    return bool(rows) and not any(totals.failed for _, totals in rows)


def _duration(seconds):
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
