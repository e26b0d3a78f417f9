"""The rule: when a gradient entry passes, fails, or cannot be decided. In this one place.

a is the analytic value, the numeric value lies between `low` and `high` (equal unless at a kink)
with the uncertainty u; u_a is how far a itself moves when the parameters move by their last
digits.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record

__all__ = [
    "Gap",
    "Outcome",
    "Scale",
    "detectable",
    "graded_error",
    "judge",
    "noticeable",
]

_ROUNDING = 64  # ulps of an entry that two correct computations of it may differ by
_NEARLY = 4  # times the required error: an agreement that is hardly less than what is asked for
_FLOOR = 4096  # ulps of the function's value that a difference quotient cannot see
_SINGLE = 1e-12  # precision that tells float32 from float64
_NOTHING = 1e-150  # an uncertainty that leaves two zeros equal
_NOTICEABLE = 8  # times the uncertainty: a real difference


class Outcome(IntEnum):
    """What was found for one entry."""

    PASS = 0
    BELOW_RESOLUTION = 1  # passes, since the arithmetic can tell no difference
    KINK = 2  # passes as a subgradient
    UNDECIDED = 3
    FAIL = 4


class Scale(Record):
    """What is large and what is small at this point.

    `required` is the worst relative error that passes; `eps` the precision of the gradient;
    `noise` (E,) how finely the function is known: an ulp of its value, or more where its noise was
    measured; `position` (E,) the size ρ of each entry's coordinate; `largest` the largest resolved
    numeric entry of the tensor.
    """

    required: float
    eps: float
    noise: Array
    position: Array
    largest: float

    @property
    def resolution(self) -> Array:
        """Largest uncertainty with which an entry may pass as below resolution."""
        return np.maximum(self.required / 100 * self.largest, _FLOOR * self.noise / self.position)

    def take(self, entries: Array, noise: Array | None = None) -> Scale:
        """The same for some of the entries, with a measured noise if there is one."""
        known = self.noise[entries]
        return Scale(
            self.required,
            self.eps,
            known if noise is None else np.maximum(known, noise),
            self.position[entries],
            self.largest,
        )


class Gap(Record):
    """How far claims are from the numeric values, and how large the larger of the two is, (E,).

    NaN and infinity are infinitely far.
    """

    distance: Array
    magnitude: Array

    @classmethod
    def between(cls, a: Array, low: Array, high: Array) -> Gap:
        """The gap from a to [low, high]."""
        with np.errstate(invalid="ignore"):
            if low is high:
                outside, size = np.abs(a - low), np.abs(low)
            else:
                outside = np.maximum(np.maximum(low - a, a - high), 0.0)
                size = np.maximum(np.abs(low), np.abs(high))
            magnitude = np.maximum(np.abs(a), size)
        if not np.isfinite(outside).all():
            outside = np.where(np.isfinite(outside), outside, np.inf)
        return cls(outside, magnitude)

    def take(self, entries: Array) -> Gap:
        return Gap(self.distance[entries], self.magnitude[entries])

    def rounding(self, eps: float) -> Array:
        """The difference that two correct computations of these entries may show."""
        return _rounding(self.magnitude, eps)


def _rounding(magnitude: Array, eps: float) -> Array:
    return _ROUNDING * eps * magnitude + _underflow(eps)


def _underflow(eps: float) -> float:
    """Size below which numbers of this precision lose digits, or have lost them on the way."""
    return float(np.finfo(np.float32 if eps > _SINGLE else np.float64).tiny) / eps


def judge(gap: Gap, u: Array, u_a: Array, scale: Scale) -> Array:
    """Outcome of each entry (PASS, BELOW_RESOLUTION, UNDECIDED or FAIL)."""
    d, m = gap.distance, gap.magnitude
    with np.errstate(invalid="ignore"):
        passes = (d + u <= scale.required * m) | ((m == 0) & (u <= _NOTHING))
    passes &= np.isfinite(d)
    outcome = np.full(d.shape, Outcome.PASS, np.int8)
    rest = np.flatnonzero(~passes)
    if len(rest):
        outcome[rest] = _unless_passed(gap.take(rest), u[rest], u_a[rest], scale.take(rest))
    return outcome


def _unless_passed(gap: Gap, u: Array, u_a: Array, scale: Scale) -> Array:
    d, m = gap.distance, gap.magnitude
    slack = gap.rounding(scale.eps)
    with np.errstate(invalid="ignore"):
        fails = (d - u - u_a > scale.required * m) & (d > slack)
        resolution = np.maximum(scale.resolution, _NEARLY * scale.required * m)
        below = (d <= u + u_a + slack) & (u <= resolution) & np.isfinite(u)
    outcome = np.full(d.shape, Outcome.UNDECIDED, np.int8)
    outcome[below] = Outcome.BELOW_RESOLUTION
    outcome[fails | ~np.isfinite(d)] = Outcome.FAIL
    return outcome


def graded_error(gap: Gap, u: Array, u_a: Array) -> Array:
    """Relative error beyond what the uncertainties explain; 0/0 is 0."""
    with np.errstate(invalid="ignore"):
        excess: Array = np.maximum(gap.distance - u - u_a, 0.0)
    real = np.flatnonzero(excess)
    d, m = gap.distance[real], gap.magnitude[real]
    with np.errstate(invalid="ignore"):
        excess[real] = np.where(np.isfinite(d), excess[real] / m, np.inf)
    return excess


def noticeable(gap: Gap, u: Array, u_a: Array, eps: float) -> Mask:
    """Entries whose difference is real, far above the uncertainty."""
    found: Mask = gap.distance > _NOTICEABLE * (u + u_a)
    some = np.flatnonzero(found)
    found[some] = gap.distance[some] > gap.take(some).rounding(eps)
    return found


def detectable(n: Array, u: Array, u_a: Array, eps: float) -> Array:
    """The largest absolute error of each entry that would go unnoticed."""
    return np.asarray(np.maximum(_NOTICEABLE * (u + u_a), _rounding(np.abs(n), eps)))
