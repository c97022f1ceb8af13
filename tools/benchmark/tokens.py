"""Tokens per second of llama.cpp, and what a token costs on the way."""
import collections
import dataclasses
import sys

from benchmark import contenders, llama_bench, models, traffic
from harness import places


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    mode: str = "spare"
    repack: bool = False


STANDARD = Variant("standard")
VARIANTS = (STANDARD, Variant("all processors", mode="full"), Variant("repacked", repack=True))
SHORTER, LONGER = 64, 576  # tokens


def measure(settings):
    """[{"model", "variant", "test", "contender", "samples"}]"""
    rows = []
    for variant in VARIANTS:
        if variant.name in chosen_variants(settings):
            for model in models.chosen(settings):
                rows += _measure_model(settings, variant, model)
    return rows


def chosen_variants(settings):
    """Only a CPU's weights can be repacked, and only there it matters who has the processors."""
    every = VARIANTS if settings.backend == "cpu" else (STANDARD,)
    return settings.variants or [variant.name for variant in every]


def measure_counts(settings, model=places.MODEL):
    """By mode: what frontend and host counted for each token."""
    found = {}
    for mode in ("spare", "full"):
        threads = settings.threads_in(mode)
        with contenders.virtgpu(threads, settings.logs / f"tokens-{mode}", backend=settings.backend) as ours:
            found[mode] = traffic.of_tokens(lambda tokens, ours=ours, threads=threads:
                                            _counted(ours, model, threads, tokens), SHORTER, LONGER, settings.rounds)
    return found


def select(results, test, contender, model=None, variant=STANDARD.name):
    """Samples of the first row that fits, or None. `test` is a test's name or how it begins, as "pp"."""
    for row in results.get("tokens", []):
        if row["test"].startswith(test) and (row["contender"], row["variant"]) == (contender, variant) \
                and model in (None, row["model"]):
            return row["samples"]
    return None


def _measure_model(settings, variant, model):
    rounds = collections.defaultdict(dict)  # speeds by test and contender, and then by the round's number
    threads = settings.threads_in(variant.mode)
    logs = settings.logs / variant.name.replace(" ", "-")
    with contenders.everybody(threads, logs, variant.repack, settings.backend) as everybody:
        for number in range(1, settings.rounds + 1):
            for contender in everybody:
                if not settings.measures(contender):
                    continue
                print(f"{model.name} ({variant.name}), round {number} of {settings.rounds}: {contender.name}",
                      file=sys.stderr)
                finished = _run(contender, model, threads, settings)
                for test, speed in finished.speeds.items():
                    rounds[test, contender.name][number] = speed
    return [{"model": model.name, "variant": variant.name, "test": test, "contender": name,
             "samples": [speeds.get(number) for number in range(1, settings.rounds + 1)]}
            for (test, name), speeds in rounds.items()]


def _run(contender, model, threads, settings):
    """One run; none of the speeds where a peer of ours cannot compute the model at all."""
    try:
        return llama_bench.run(contender, model, threads, settings.prompt, settings.generate,
                               ("-r", str(settings.repetitions)))
    except RuntimeError as error:
        if contender.name != contenders.PEER:
            raise
        print(error, file=sys.stderr)
        return llama_bench.Finished({}, 0.0, None)


def _counted(ours, model, threads, tokens):
    before = len(ours.host.closed_contexts())
    finished = llama_bench.run(ours, model, threads, 0, tokens, count=True)
    return {"frontend": finished.frontend, "host": traffic.of_host(ours.host, before)}
