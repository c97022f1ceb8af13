"""What a token costs on the way: counters of the frontend and of the host, from runs of two lengths.

What a run costs once (connecting, loading the model, the first graphs) is in both and cancels out. How often somebody
sleeps meanwhile differs from run to run, so the runs are made several times.
"""
import re
import statistics

from harness import processes

FRONTEND = re.compile(r"so far (?P<graphs>\d+) graphs, (?P<defined>\d+) sent whole and (?P<edited>\d+) in part; "
                      r"(?P<requests>\d+) requests, (?P<bytes>\d+) bytes; (?P<waits>\d+) waits "
                      r"that slept (?P<sleeps>\d+) times; (?P<doorbells>\d+) doorbells, (?P<messages>\d+) messages")


def of_frontend(log):
    """The last, and so the sum, of what a program's frontend said that it did; None if it said nothing."""
    found = list(FRONTEND.finditer(log))
    return {name: int(number) for name, number in found[-1].groupdict().items()} if found else None


def of_host(host, before):
    """What the contexts did that ended after the first `before`, summed up."""
    processes.wait_until(lambda: len(host.closed_contexts()) > before, 10, "the end of a context on the host")
    contexts = host.closed_contexts()[before:]
    return {name: sum(context[name] for context in contexts) for name in contexts[0] if name != "context"}


def per(count, shorter, longer):
    """Counters for each of the `count` things that the longer run did more."""
    return {name: (longer[name] - shorter[name]) / count for name in shorter}


def per_graph(shorter, longer):
    return per(longer["graphs"] - shorter["graphs"], shorter, longer)


def of_tokens(count, shorter, longer, rounds):
    """For each side, frontend and host, the counters per graph; `count(tokens)` makes a run and returns both sides."""
    pairs = [(count(shorter), count(longer)) for _ in range(rounds)]
    return {side: medians([per_graph(few[side], many[side]) for few, many in pairs]) for side in pairs[0][0]}


def medians(counters):
    """Of several measurements of the same, counter by counter."""
    return {name: statistics.median(one[name] for one in counters) for name in counters[0]}
