"""Medians, spread and comparisons of interleaved measurements.

Samples are lists in the order of the rounds. Comparisons are made round by round, so that what the machine did
meanwhile cancels out.
"""
import math
import statistics

median = statistics.median


def spread(samples):
    """Largest minus smallest, in parts of the median."""
    middle = median(samples)
    return (max(samples) - min(samples)) / middle if middle else 0.0


def ratio(samples, reference):
    return median([ours / theirs for ours, theirs in zip(samples, reference)])


def difference(samples, reference):
    return median([ours - theirs for ours, theirs in zip(samples, reference)])


def percentile(samples, percent):
    """The smallest sample that at least `percent` of a hundred do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
