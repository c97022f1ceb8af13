"""The parts of a run, in the order in which they are measured."""
from benchmark import changed_graph, clients, endurance, idle, loading, micro, texts, token_trace, tokens, virtual_machine


def _counts(settings):
    return {"unchanged graph": idle.measure_counts(settings), "request, all asleep": micro.measure_counts(settings),
            "tokens": tokens.measure_counts(settings)}


SECTIONS = {
    "micro": micro.measure,
    "changed graph": changed_graph.measure,
    "counts": _counts,
    "idle": idle.measure,
    "tokens": tokens.measure,
    "loading": loading.measure,
    "texts": texts.measure,
    "clients": clients.measure,
    "trace": token_trace.measure,
    "virtual machine": virtual_machine.measure,
    "endurance": endurance.measure,
}
# Left out where they are not asked for by name: conformance compares a CPU's texts, and a GPU's host is no machine
# that boots guests.
ABOUT_GPUS = {"texts", "clients", "trace"}
ABOUT_CPUS = {"changed graph", "counts", "idle", "virtual machine"}


def chosen(names, settings):
    """(name, how it is measured) of `names`, or of all that the settings ask for."""
    left_out = set(ABOUT_GPUS if settings.backend == "cpu" else ABOUT_CPUS)
    if settings.quick:
        left_out.add("virtual machine")  # tests/vm boots machines enough
    if not settings.tokens:
        left_out.add("endurance")
    return [(name, measure) for name, measure in SECTIONS.items()
            if (name in names if names else name not in left_out)]
