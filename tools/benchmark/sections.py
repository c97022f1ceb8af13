"""The parts of a run, in the order in which they are measured."""
from benchmark import endurance, idle, loading, micro, tokens, virtual_machine


def _counts(settings):
    return {"unchanged graph": idle.measure_counts(settings), "request, all asleep": micro.measure_counts(settings),
            "tokens": tokens.measure_counts(settings)}


SECTIONS = {
    "micro": micro.measure,
    "counts": _counts,
    "idle": idle.measure,
    "tokens": tokens.measure,
    "loading": loading.measure,
    "virtual machine": virtual_machine.measure,
    "endurance": endurance.measure,
}


def chosen(names, settings):
    """(name, how it is measured) of `names`, or of all that the settings ask for."""
    left_out = set()
    if settings.quick:
        left_out.add("virtual machine")  # tests/vm boots machines enough
    if not settings.tokens:
        left_out.add("endurance")
    return [(name, measure) for name, measure in SECTIONS.items()
            if (name in names if names else name not in left_out)]
