"""Units that let no gradient through, counted over the batch and held against what is normal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Final

import numpy as np

from gradcli.core.arrays import Array, Parameters
from gradcli.core.op import Activation
from gradcli.spec.plan import NodePlan

__all__ = ["FLAT", "Normal", "Shares", "normal_shares", "unit_shares", "unusual"]

FLAT: Final = 0.1
"""A slope below this share of the activation's largest slope counts as flat."""

_DEVIATIONS: Final = 4.0
_EXCESS: Final = 0.1
"""Units beyond the expected share: this many standard deviations, and this share of the layer."""


@dataclass(frozen=True)
class Shares:
    """Shares of a layer's units: without a slope, and nearly without, on every row of the batch."""

    dead: float
    saturated: float


@dataclass(frozen=True)
class Normal:
    """What is normal for an activation: its largest slope, and `Shares` for one row of N(0, 1).

    In a deep network all rows of a batch point the same way, so that a unit that is off for one is
    off for all: half of the units of a healthy ReLU layer. `saturates` says that the activation
    levels off toward a finite end of its range, `on_both_sides` that it does so at both.
    """

    largest_slope: float
    expected: Shares
    saturates: bool
    on_both_sides: bool


@cache
def _quantiles() -> Array:
    """N(0, 1) as 401 equally likely points."""
    normal = NormalDist()
    return np.array([[normal.inv_cdf((i + 0.5) / 401)] for i in range(401)])


def normal_shares(node: NodePlan, parameters: Parameters) -> Normal:
    """The reference of an elementwise activation, from its own claims and its slope on N(0, 1)."""
    x = _quantiles()
    _, pullback = node.op.evaluate((x,), parameters, x.ndim, node.options)
    slopes = pullback(np.ones_like(x))[0][0]
    traits = node.op.traits_at(node.options) if isinstance(node.op, Activation) else None
    ends = (-1.0, 1.0) if traits is None else traits.range
    finite = [math.isfinite(end) for end in ends]
    largest = float(np.max(np.abs(slopes))) if traits is None else traits.lipschitz
    both = traits is not None and all(finite)
    return Normal(
        largest,
        unit_shares(slopes.T, Normal(largest, Shares(0.0, 0.0), any(finite), both)),
        any(finite),
        both,
    )


def unit_shares(slopes: Array, normal: Normal) -> Shares:
    """Dead and saturated units for slopes (rows..., units).

    A unit without any slope is saturated where the activation levels off at both ends of its range
    (hard_tanh), and dead where it does not (ReLU).
    """
    largest = np.max(np.abs(slopes.reshape(-1, slopes.shape[-1])), axis=0)
    dead = np.zeros(largest.shape, bool) if normal.on_both_sides else largest == 0
    flat = largest < FLAT * normal.largest_slope if normal.saturates else np.zeros_like(dead)
    return Shares(float(np.mean(dead)), float(np.mean(flat & ~dead)))


def unusual(share: float, expected: float, units: int) -> bool:
    """Whether more units are affected than chance explains: four standard deviations and a tenth.

    All units of a layer being affected is never normal, since nothing passes it any more.
    """
    deviation = math.sqrt(expected * (1 - expected) / units)
    return share == 1.0 or share > expected + max(_DEVIATIONS * deviation, _EXCESS)
