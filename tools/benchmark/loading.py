"""How long it takes to load a model: a llama-bench that loads the largest one, computes one token and ends.

That is what all three do alike. Natively llama.cpp maps the file and reads what the first token needs; so loading
without a token would compare nothing. The file is in the page cache, because the first, unmeasured run put it there.
"""
import collections
import sys

from benchmark import contenders, llama_bench, models

OPTIONS = ("--no-warmup",)


def measure(settings):
    """{"model": name, "seconds": {contender: samples}}"""
    model = models.largest(settings)
    seconds = collections.defaultdict(list)
    with contenders.everybody(settings.threads, settings.logs / "loading", backend=settings.backend) as everybody:
        _load(everybody[0], model, settings)
        for number in range(1, settings.rounds + 1):
            for contender in everybody:
                if not settings.measures(contender):
                    continue
                print(f"loading {model.name}, round {number} of {settings.rounds}: {contender.name}", file=sys.stderr)
                seconds[contender.name].append(_load(contender, model, settings))
    return {"model": model.name, "seconds": dict(seconds)}


def _load(contender, model, settings):
    return llama_bench.run(contender, model, settings.threads, 0, 1, OPTIONS).seconds
