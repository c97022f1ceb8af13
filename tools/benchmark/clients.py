"""Several programs at once on one device: what each of them gets, natively and through one host."""
import collections
import concurrent.futures
import sys

from benchmark import contenders, llama_bench, models

CLIENTS = 4
REPETITIONS = 6  # of the generation test in each program: long enough that starting up counts little


def measure(settings):
    """{"model": name, "clients": number, "speeds": {contender: [[tokens/s of each client] of each round]}}"""
    model = models.of_many_clients(settings)
    speeds = collections.defaultdict(list)
    logs = settings.logs / "clients"
    with contenders.virtgpu(settings.threads, logs, backend=settings.backend) as ours:
        everybody = (contenders.native(backend=settings.backend), ours)
        for number in range(1, settings.rounds + 1):
            for contender in everybody:
                print(f"{CLIENTS} clients, round {number} of {settings.rounds}: {contender.name}", file=sys.stderr)
                speeds[contender.name].append(_at_once(contender, model, settings))
    return {"model": model.name, "clients": CLIENTS, "speeds": dict(speeds)}


def _at_once(contender, model, settings):
    def run(_number):
        options = ("-r", str(REPETITIONS))
        [speed] = llama_bench.run(contender, model, settings.threads, 0, settings.generate, options).speeds.values()
        return speed

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, range(CLIENTS)))
