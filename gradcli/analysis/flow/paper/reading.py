"""What is read of every draw, and the number that comes of all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.estimate import (
    Estimate,
    growth_of,
    largest_of,
    mean_of,
    next_draw_of,
    variance_of,
)
from gradcli.core.record import Record

__all__ = [
    "Reading",
    "as_drawn",
    "exponent",
    "factor_a_layer",
    "factor_in_all",
    "largest",
    "mean",
    "variance",
]


class Reading(Record):
    """A number of each draw, and what is made of them."""

    of: Callable[[Draw], float]
    estimate: Callable[[Sequence[float], Size], Estimate]


def mean(of: Callable[[Draw], float]) -> Reading:
    """The mean of a number over endless draws."""
    return Reading(of, lambda values, size: mean_of(values))


def as_drawn(of: Callable[[Draw], float]) -> Reading:
    """A number of a single draw, which is what is published."""
    return Reading(of, lambda values, size: next_draw_of(values))


def largest(of: Callable[[Draw], float]) -> Reading:
    """The largest of a number, which is published as a bound."""
    return Reading(of, lambda values, size: largest_of(values))


def variance(
    of: Callable[[Draw], float], then: Callable[[float], float] = lambda value: value
) -> Reading:
    """The variance of a number over draws, or what rises with it."""
    return Reading(of, lambda values, size: _mapped(variance_of(values), then))


def factor_a_layer(begin: float = 0.0, end: float = 1.0, power: float = 1.0) -> Reading:
    """The mean factor on a squared gradient, or on this power of it, for each layer."""

    def estimate(values: Sequence[float], size: Size) -> Estimate:
        first, last = size.between(begin, end)
        return _mapped(growth_of(values), lambda log: math.exp(power * log / (last - first)))

    return Reading(lambda draw: draw.log_gain(begin, end), estimate)


def factor_in_all(power: float = 1.0) -> Reading:
    """The mean factor on a squared gradient, or on this power of it, over all layers."""

    def estimate(values: Sequence[float], size: Size) -> Estimate:
        return _mapped(growth_of(values), lambda log: math.exp(power * log))

    return Reading(lambda draw: draw.log_gain(), estimate)


def exponent(begin: float, end: float) -> Reading:
    """p where a gradient's root mean square goes as the depth to the power of p."""

    def estimate(values: Sequence[float], size: Size) -> Estimate:
        decades = 2 * math.log(end / begin)
        return _mapped(growth_of(values), lambda log: log / decades)

    return Reading(lambda draw: draw.log_gain(begin, end), estimate)


def _mapped(estimate: Estimate, rising: Callable[[float], float]) -> Estimate:
    return Estimate(*(rising(value) for value in estimate.as_dict().values()))
