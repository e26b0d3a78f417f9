"""What the entries of an array are like in a wide network of random weights.

Every rule takes the statistics of what goes into an op to those of what comes out, to leading
order in one over the width (Poole et al. 2016; Schoenholz et al. 2017; batch normalization as in
Yang et al. 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gradcli.analysis.flow.products import log2
from gradcli.analysis.flow.theory.curve import Curve
from gradcli.analysis.flow.theory.normal import Averages, averages, hermite_coefficients
from gradcli.core.arrays import Array
from gradcli.core.traits import Normalization

__all__ = [
    "STILL",
    "Entries",
    "Spread",
    "after_activation",
    "after_noise",
    "after_normalization",
    "after_scaling",
    "after_weights",
    "power_of_two",
    "sum_of",
]

_TERMS: Final = 80
"""Terms of the series for what two rows share: further ones count as the last."""


def power_of_two(exponent: float) -> float:
    """2**exponent, infinite or zero beyond the range of a float; NaN of NaN."""
    if exponent >= 1024:
        return math.inf
    return 2.0**exponent if exponent > -1075 or math.isnan(exponent) else 0.0


@dataclass(frozen=True)
class Spread:
    """Mean and mean square of the numbers of a parameter."""

    mean: float
    square: float

    @classmethod
    def of(cls, values: Array) -> Spread:
        return cls(float(np.mean(values)), float(np.mean(np.square(values))))


@dataclass(frozen=True)
class Entries:
    """Of an array (rows, units): `log2_rms` of its entries, and two parts of their mean square.

    `mean` is the mean of all entries over their rms; `shared` the mean product of one unit's
    entries on two different rows, over their mean square.
    """

    log2_rms: float
    mean: float
    shared: float

    @classmethod
    def of(cls, values: Array) -> Entries:
        """Of the numbers themselves."""
        values = values.reshape(-1, values.shape[-1]).astype(np.float64)
        rows = len(values)
        square = float(np.mean(values**2))
        if not square:
            return STILL
        together = float(np.mean(values.sum(axis=0) ** 2))
        shared = (together - rows * square) / (rows * (rows - 1)) if rows > 1 else 0.0
        return cls(log2(square) / 2, float(values.mean()) / math.sqrt(square), shared / square)

    @property
    def deviation(self) -> float:
        """The variance of the entries, as a part of their mean square."""
        return max(1 - self.mean**2, 0.0)

    @property
    def alike(self) -> float:
        """The part of the entries' variance that all rows have in common."""
        return (self.shared - self.mean**2) / self.deviation if self.deviation else 0.0


STILL: Final = Entries(-math.inf, 0.0, 0.0)
"""No entry but zero."""


def _entries(unit: float, square: float, mean: float, shared: float) -> Entries:
    """From numbers relative to 2**unit: mean square, mean, mean product on two rows."""
    if not square > 0:
        return STILL if square == 0 else Entries(math.nan, math.nan, math.nan)
    return Entries(unit + log2(square) / 2, mean / math.sqrt(square), shared / square)


def after_weights(x: Entries, gain: float, bias: Spread) -> Entries:
    """After W x + b with independent weights of mean 0 and variance gain/fan_in."""
    unit = max(x.log2_rms + log2(gain) / 2, log2(bias.square) / 2)
    if unit == -math.inf:
        return STILL
    own = power_of_two(2 * (x.log2_rms - unit) + log2(gain))
    of_bias = power_of_two(log2(bias.square) - 2 * unit)
    mean = math.copysign(power_of_two(log2(abs(bias.mean)) - unit), bias.mean)
    return _entries(unit, own + of_bias, mean, x.shared * own + of_bias)


def after_activation(x: Entries, curve: Curve, *, shared: bool) -> tuple[Entries, Averages]:
    """After f, for normal entries, with its averages over them.

    These are over x as it is or, where f(s·x) = s·f(x), in a unit of its size. What rows share is
    only worked out where it is asked for.
    """
    unit = x.log2_rms if curve.homogeneous and math.isfinite(x.log2_rms) else 0.0
    rms, deviation = power_of_two(x.log2_rms - unit), math.sqrt(x.deviation)
    own = averages(curve, x.mean * rms, deviation * rms)
    if not own.rms:
        return STILL, own
    together = math.nan
    if shared:
        terms = hermite_coefficients(curve, x.mean * rms, deviation * rms, _TERMS)
        squares, powers = (np.array(terms) / own.rms) ** 2, x.alike ** np.arange(_TERMS)
        together = float(squares @ powers) + (1 - float(squares.sum())) * float(powers[-1])
    return Entries(unit + log2(own.rms), own.mean / own.rms, together), own


def after_noise(x: Entries, noise: float) -> Entries:
    """After factors of mean 1 and this variance, drawn for each entry: dropout."""
    return _entries(x.log2_rms, 1 + noise, x.mean, x.shared)


def sum_of(terms: Sequence[tuple[float, Entries]]) -> Entries:
    """Σ c·x over arrays of which no two entries have more in common than their means."""
    unit = max(x.log2_rms for _, x in terms)
    if unit == -math.inf:
        return STILL
    square = shared = mean = 0.0
    for c, x in terms:
        size = c * power_of_two(x.log2_rms - unit)
        crossed = 2 * mean * size * x.mean
        square += size * size + crossed
        shared += size * size * x.shared + crossed
        mean += size * x.mean
    return _entries(unit, square, mean, shared)


def after_normalization(
    x: Entries, claim: Normalization, count: int, weight: Spread, bias: Spread
) -> tuple[Entries, float]:
    """After statistics over `count` entries, then times a weight plus a bias each.

    With log2 of the factor on the squared gradient. Of a gradient that knows nothing of x the
    directions of x itself and of its mean are taken out, and one over the mean square of few normal
    numbers is more on average than one over its mean: together (n − 2)/(n − 3), the factor of
    linear networks with batch normalization (Yang et al. 2019).
    """
    level, alike = x.mean**2 if claim.centred else 0.0, x.shared
    if claim.over == "rows":
        left = (1 - alike) * (1 - 1 / count)
        alike = -1 / (count - 1)
    else:
        left = 1 - level
        alike = (alike - level) / left if left > 0 else 0.0
    log2_square = 2 * x.log2_rms + log2(max(left, 0.0))
    size = 1 / (1 + claim.eps * power_of_two(-log2_square))
    mean = bias.mean if claim.centred else bias.mean + weight.mean * x.mean * math.sqrt(size)
    square = weight.square * size
    free = count - (2 if claim.centred else 1)
    lost = free / (free - 1) if free > 1 else math.nan
    after = _entries(0.0, square + bias.square, mean, alike * square + bias.square)
    return after, log2(square * lost) - log2_square


def after_scaling(x: Entries, scale: Array, shift: Array) -> tuple[Entries, float]:
    """After scale·x + shift by unit; with log2 of the factor on the squared gradient."""
    unit = max(x.log2_rms, 0.0)
    rms, down = power_of_two(x.log2_rms - unit), power_of_two(-unit)
    scaled, moved = Spread.of(scale), Spread.of(shift * down)
    crossed = 2 * rms * x.mean * float(np.mean(scale * shift * down))
    own = scaled.square * rms**2
    mean = scaled.mean * rms * x.mean + moved.mean
    level = crossed + moved.square
    return _entries(unit, own + level, mean, own * x.shared + level), log2(scaled.square)
