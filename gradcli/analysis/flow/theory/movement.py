"""How the entries of an array move when a signal somewhere before them is stretched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gradcli.analysis.flow.products import log2
from gradcli.analysis.flow.theory.entries import Entries, power_of_two
from gradcli.analysis.flow.theory.normal import Averages

__all__ = ["RESTING", "Movement", "moved_by_activation", "moved_by_weights", "moved_sum"]


@dataclass(frozen=True)
class Movement:
    """Of an array: log2 of the rms of how far each entry moves, and the mean over that rms.

    `overlap` is the cosine between the movement and the entries themselves.
    """

    log2_rms: float
    mean: float
    overlap: float

    @classmethod
    def of(cls, x: Entries) -> Movement:
        """Of a signal that is stretched itself."""
        return cls(x.log2_rms, x.mean, 1.0)


RESTING: Final = Movement(-math.inf, 0.0, 0.0)


def moved_by_weights(t: Movement, x: Entries, after: Entries, gain: float) -> Movement:
    """After W x + b, for weights of variance gain/fan_in: biases do not move."""
    if t.log2_rms == -math.inf:
        return RESTING
    own = log2(gain) / 2
    still = power_of_two(x.log2_rms + own - after.log2_rms)
    return Movement(t.log2_rms + own, 0.0, t.overlap * still)


def moved_by_activation(t: Movement, x: Entries, after: Entries, own: Averages) -> Movement:
    """After f: of what moves along with x, and of the rest, which is independent of it.

    `own` are averages of f over x, in any unit in which f is the same function.
    """
    deviation = math.sqrt(x.deviation)
    if t.log2_rms == -math.inf or not deviation or not own.rms:
        return RESTING
    unit = after.log2_rms - log2(own.rms)
    std = power_of_two(x.log2_rms - unit) * deviation
    size = power_of_two(t.log2_rms - x.log2_rms) / deviation
    likeness = min(1.0, max(-1.0, t.overlap / deviation))
    along, beside = size * likeness, size * math.sqrt(1 - likeness**2)
    rms = math.hypot(along * own.moved_rms, beside * std * own.slope_rms)
    if not rms:
        return RESTING
    overlap = along * own.stretch * (std / rms) * (std / own.rms)
    return Movement(unit + log2(rms), along * own.moved_mean / rms, overlap)


def moved_sum(terms: Sequence[tuple[float, Movement, Entries]], after: Entries) -> Movement:
    """After Σ c·x over arrays that have no more in common than their means."""
    unit = max(t.log2_rms for _, t, _ in terms)
    if unit == -math.inf:
        return RESTING
    square = mean = product = 0.0
    for c, t, _ in terms:
        size = c * power_of_two(t.log2_rms - unit)
        square += size * size + 2 * mean * size * t.mean
        mean += size * t.mean
    for place, (c, t, _) in enumerate(terms):
        size = c * power_of_two(t.log2_rms - unit)
        for other, (d, _, y) in enumerate(terms):
            of_entries = d * power_of_two(y.log2_rms - after.log2_rms)
            product += size * of_entries * (t.overlap if other == place else t.mean * y.mean)
    if not square > 0:
        return RESTING
    rms = math.sqrt(square)
    return Movement(unit + log2(rms), mean / rms, product / rms)
