"""Medians, spread and comparisons of interleaved measurements.

Samples are lists in the order of the rounds, with None where a contender gave nothing. Comparisons are made round by
round, so that what the machine did meanwhile cancels out.
"""
import math
import statistics


def median(samples):
    return statistics.median(_there(samples))


def spread(samples):
    """Largest minus smallest, in parts of the median."""
    samples = _there(samples)
    middle = median(samples)
    return (max(samples) - min(samples)) / middle if middle else 0.0


def ratio(samples, reference):
    return median([ours / theirs for ours, theirs in _pairs(samples, reference)])


def difference(samples, reference):
    return median([ours - theirs for ours, theirs in _pairs(samples, reference)])


def percentile(samples, percent):
    """The smallest sample that at least `percent` of a hundred do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _there(samples):
    return [sample for sample in samples if sample is not None]


def _pairs(samples, reference):
    return [pair for pair in zip(samples, reference) if None not in pair]
