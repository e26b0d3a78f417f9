"""From what draws show to a number with a band, wide enough for any seed to be within it.

The numbers of the draws count as normal. Logarithms of squared gradients are, for long networks
(Hanin and Nica 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from gradcli.analysis.flow.verdict import student_t
from gradcli.core.record import Record

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "growth_of",
    "largest_of",
    "mean_of",
    "next_draw_of",
    "variance_of",
]

CONFIDENCE: Final = 0.9999
"""Chance that a band holds the truth: fifty of them do in 199 of 200 runs."""


class Estimate(Record):
    """A number with the band in which the truth, or one more draw, is to be expected."""

    value: float
    low: float
    high: float


def mean_of(values: Sequence[float]) -> Estimate:
    """The mean of endless draws, by Student's t."""
    center, deviation = _moments(values)
    half = _quantile(values) * deviation / math.sqrt(len(values))
    return Estimate(center, center - half, center + half)


def next_draw_of(values: Sequence[float]) -> Estimate:
    """The first draw, and where another one may lie."""
    center, deviation = _moments(values)
    half = _quantile(values) * deviation * math.sqrt(1 + 1 / len(values))
    return Estimate(values[0], center - half, center + half)


def growth_of(values: Sequence[float]) -> Estimate:
    """The logarithm of the mean factor of which these are logarithms: mean + variance/2.

    With Cox's band, of the variances of both terms.
    """
    center, deviation = _moments(values)
    square, degrees = deviation**2, len(values) - 1
    log = center + square / 2
    half = _quantile(values) * math.sqrt(square / len(values) + square**2 / (2 * degrees))
    return Estimate(log, log - half, log + half)


def variance_of(values: Sequence[float]) -> Estimate:
    """The variance, with the band of its logarithm.

    That varies by (kurtosis - 1)/(draws - 1); the kurtosis counts as 3, as of normal numbers, or as
    more where the draws have more.
    """
    center, deviation = _moments(values)
    degrees, variance = len(values) - 1, deviation**2
    kurtosis = math.fsum((value - center) ** 4 for value in values) / len(values) / variance**2
    factor = math.exp(_quantile(values) * math.sqrt((max(kurtosis, 3.0) - 1) / degrees))
    return Estimate(variance, variance / factor, variance * factor)


def largest_of(values: Sequence[float]) -> Estimate:
    """The largest of all, which a bound has to reach, however far above it may be."""
    largest = max(values)
    return Estimate(largest, largest, math.inf)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    center = math.fsum(values) / len(values)
    squares = math.fsum((value - center) ** 2 for value in values)
    return center, math.sqrt(squares / (len(values) - 1))


def _quantile(values: Sequence[float]) -> float:
    return student_t(len(values) - 1, (1 + CONFIDENCE) / 2)
