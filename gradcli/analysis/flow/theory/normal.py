"""Averages of an activation over a normal distribution, to rounding.

Gauss-Legendre panels over z ~ N(0, 1), split where the activation has kinks and halved until each
is resolved. Gauss-Hermite nodes, the usual choice, are as good for smooth activations of moderate
inputs only: at a kink their error falls as 1/n, and a tanh of wide inputs is a step to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

import numpy as np

from gradcli.analysis.flow.theory.curve import Curve
from gradcli.core.arrays import Array

__all__ = ["Averages", "averages", "hermite_coefficients"]

_NODES: Final = 20
_TOLERANCE: Final = 1e-13
"""Part of an average by which the last Legendre coefficients of a panel may count."""

_NARROWEST: Final = 2.0**-50
"""Width of a panel, for inputs of unit size, around a jump at an unknown place that no longer
counts."""

_NEARER: Final = 1 / 64
"""The next edge toward a feature, as a part of the way to it."""

_MOST_PANELS: Final = 4096
_EDGES: Final = (0.0, 1.3, 2.6, 3.9, 5.3, 7.0, 9.0, 12.0, 18.0, 38.0)
"""Edges of panels right of zero; beyond 38 the density is zero in double precision."""


@dataclass(frozen=True)
class Averages:
    """Of an activation f over x ~ N(mean, std²).

    `mean` is E f, `rms` √E f², `slope_rms` √E f'², `kurtosis` E f'⁴/(E f'²)² and `stretch`
    d(E f²)/d(std²) = E[f'² + f·f''], which is ½E[(z² − 1)f²]/std² by Stein's lemma (NaN at
    std = 0). `moved_mean` and `moved_rms` are of f'(x)·(x − mean): of how the values move when x
    is stretched. What the panels cannot resolve, or what is not finite, is NaN.
    """

    mean: float
    rms: float
    slope_rms: float
    kurtosis: float
    stretch: float
    moved_mean: float
    moved_rms: float


_UNKNOWN: Final = Averages(*[math.nan] * 7)


@dataclass(frozen=True)
class _Sample:
    """Nodes z with their weights under N(0, 1), and value and slope there."""

    z: Array
    weights: Array
    y: Array
    slope: Array


@lru_cache(maxsize=4096)
def averages(curve: Curve, mean: float, std: float) -> Averages:
    """The averages, each to about 1e-13 of itself. `std` may be anything from 0 on."""
    if not (math.isfinite(mean) and math.isfinite(std)):
        return _UNKNOWN
    if std == 0:
        (y,), (slope,) = curve(np.array([mean]))
        return Averages(float(y), abs(float(y)), abs(float(slope)), 1.0, math.nan, 0.0, 0.0)
    if curve.homogeneous and std != 1:
        unit = averages(curve, mean / std, 1.0)
        sizes = ("mean", "rms", "moved_mean", "moved_rms")
        return replace(unit, **{size: std * getattr(unit, size) for size in sizes})
    with np.errstate(all="ignore"):
        sample = _sampled(curve, mean, std)
        if sample is None:
            return _UNKNOWN
        largest = float(np.max(np.abs(sample.y), initial=0.0)) or 1.0
        square, slope_square = (sample.y / largest) ** 2, sample.slope**2
        slopes = float(sample.weights @ slope_square)
        return Averages(
            float(sample.weights @ sample.y),
            largest * math.sqrt(sample.weights @ square),
            math.sqrt(slopes),
            float(sample.weights @ (slope_square / slopes) ** 2) if slopes else math.nan,
            _finite(np.square(largest / std) * (sample.weights @ (square * (sample.z**2 - 1))) / 2),
            std * float(sample.weights @ (sample.slope * sample.z)),
            std * math.sqrt(sample.weights @ (slope_square * sample.z**2)),
        )


def _finite(value: float) -> float:
    """The number, or NaN for one that arithmetic has lost."""
    return float(value) if math.isfinite(value) else math.nan


@lru_cache(maxsize=256)
def hermite_coefficients(curve: Curve, mean: float, std: float, count: int) -> tuple[float, ...]:
    """a_k = E[f(mean + std·z)·He_k(z)]/√k! for k < count.

    For two such inputs of correlation ρ, E[f·f] = Σ a_k²·ρ^k (Mehler's formula).
    """
    if std == 0:
        return (averages(curve, mean, std).mean, *(count - 1) * (0.0,))
    with np.errstate(all="ignore"):
        sample = _sampled(curve, mean, std)
        if sample is None:
            return (math.nan,) * count
        product = sample.weights * sample.y
        before, polynomial = np.zeros_like(sample.z), np.ones_like(sample.z)
        found = []
        for k in range(1, count + 1):
            found.append(float(product @ polynomial))
            following = (sample.z * polynomial - math.sqrt(k - 1) * before) / math.sqrt(k)
            before, polynomial = polynomial, following
        return tuple(found)


@cache
def _legendre() -> tuple[Array, Array, Array]:
    """Nodes and weights on [−1, 1], and the functionals of the two highest coefficients."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    degrees = np.arange(_NODES - 2, _NODES)
    values = np.polynomial.legendre.legvander(nodes, _NODES - 1)[:, degrees]
    return nodes, weights, values * weights[:, None] * (degrees + 0.5)


@dataclass(frozen=True)
class _Panels:
    """Ends of panels, and their nodes (panels, nodes) with the density times half the width."""

    lower: Array
    upper: Array
    z: Array
    density: Array

    @classmethod
    def between(cls, lower: Array, upper: Array) -> _Panels:
        half = (upper - lower)[:, None] / 2
        z = (upper + lower)[:, None] / 2 + half * _legendre()[0]
        return cls(lower, upper, z, half * np.exp(-z * z / 2) / math.sqrt(2 * math.pi))

    def halved(self, which: Array) -> _Panels:
        lower, upper = self.lower[which], self.upper[which]
        middle = (lower + upper) / 2
        return self.between(np.concatenate([lower, middle]), np.concatenate([middle, upper]))


def _panels(curve: Curve, mean: float, std: float) -> _Panels:
    """The panels to begin with, split at kinks and narrower toward x = 0.

    There activations have their features: the wider x is, the more of a step they are in z.
    """
    narrowing = range(math.ceil(-math.log(max(std, 1), _NEARER)))
    features = (0.0, *(side * _NEARER**k for k in narrowing for side in (-1, 1)))
    within = [(kink - mean) / std for kink in curve.kinks]
    within += [z - mean / std for z in features]
    return _split(tuple(z for z in within if 0 < abs(z) < _EDGES[-1]))


@lru_cache(maxsize=64)
def _split(within: tuple[float, ...]) -> _Panels:
    edges = np.array(sorted({*_EDGES, *(-edge for edge in _EDGES), *within}))
    return _Panels.between(edges[:-1], edges[1:])


def _sampled(curve: Curve, mean: float, std: float) -> _Sample | None:
    """Nodes that resolve f² and f'² under the density; None where that cannot be had."""
    panels = _panels(curve, mean, std)
    _, weights, highest = _legendre()
    narrowest = _NARROWEST / max(std, 1)
    kept: list[tuple[Array, ...]] = []
    settled: Array = np.zeros(2)
    scale, count = 0.0, 0
    while panels.lower.size:
        count += panels.lower.size
        y, slope = curve(mean + std * panels.z)
        scale = scale or float(np.max(np.abs(y))) or 1.0
        if not math.isfinite(scale) or count > _MOST_PANELS:
            return None
        squares = np.stack([(y / scale) ** 2, slope**2]) * panels.density
        parts = squares @ weights
        totals = settled + parts.sum(axis=1)
        unresolved = np.abs(squares @ highest).max(axis=2) > _TOLERANCE * totals[:, None]
        again = unresolved.any(axis=0)
        narrow = again & (panels.upper - panels.lower <= narrowest)
        if (parts[:, narrow] > _NARROWEST**0.5 * totals[:, None]).any():
            return None  # the average does not exist
        again &= ~narrow
        settled = settled + parts[:, ~again].sum(axis=1)
        sample = (panels.z, panels.density * weights, y, slope)
        kept.append(tuple(values[~again].ravel() for values in sample))
        if not again.any():
            break
        panels = panels.halved(again)
    return _Sample(*(np.concatenate(values) for values in zip(*kept, strict=True)))
