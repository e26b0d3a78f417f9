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
    "Outcome",
    "Scale",
    "detectable",
    "distance",
    "graded_error",
    "judge",
    "noticeable",
    "rounding",
]

_ROUNDING = 64  # ulps of an entry that two correct computations of it may differ by
_FLOOR = 1024  # ulps of the function's value that a difference quotient cannot see
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


def distance(a: Array, low: Array, high: Array) -> Array:
    """How far a lies outside [low, high]; NaN and infinity are infinitely far."""
    with np.errstate(invalid="ignore"):
        outside = np.maximum(np.maximum(low - a, a - high), 0.0)
    return np.where(np.isfinite(outside), outside, np.inf)


def _magnitude(a: Array, low: Array, high: Array) -> Array:
    return np.maximum(np.abs(a), np.maximum(np.abs(low), np.abs(high)))


def rounding(a: Array, low: Array, high: Array, eps: float) -> Array:
    """The difference that two correct computations of this entry may show."""
    return _ROUNDING * eps * _magnitude(a, low, high) + _underflow(eps)


def _underflow(eps: float) -> float:
    """Size below which numbers of this precision lose digits, or have lost them on the way."""
    return float(np.finfo(np.float32 if eps > _SINGLE else np.float64).tiny) / eps


def judge(a: Array, low: Array, high: Array, u: Array, u_a: Array, scale: Scale) -> Array:
    """Outcome of each entry (PASS, BELOW_RESOLUTION, UNDECIDED or FAIL)."""
    d = distance(a, low, high)
    m = _magnitude(a, low, high)
    slack = rounding(a, low, high, scale.eps)
    finite = np.isfinite(a)
    with np.errstate(invalid="ignore"):
        fails = (d - u - u_a > scale.required * m) & (d > slack)
        passes = (d + u <= scale.required * m) | ((m == 0) & (u <= _NOTHING))
        below = (d <= u + u_a + slack) & (u <= scale.resolution)
    outcome = np.full(a.shape, Outcome.UNDECIDED)
    outcome[below] = Outcome.BELOW_RESOLUTION
    outcome[passes] = Outcome.PASS
    outcome[fails | ~finite] = Outcome.FAIL
    return outcome


def graded_error(a: Array, low: Array, high: Array, u: Array, u_a: Array) -> Array:
    """Relative error beyond what the uncertainties explain; 0/0 is 0."""
    m = _magnitude(a, low, high)
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = np.maximum(distance(a, low, high) - u - u_a, 0.0)
        return np.where(excess == 0, 0.0, np.where(np.isfinite(a), excess / m, np.inf))


def noticeable(a: Array, n: Array, u: Array, u_a: Array, eps: float) -> Mask:
    """Entries whose difference is real, far above the uncertainty."""
    d = distance(a, n, n)
    found: Mask = (d > _NOTICEABLE * (u + u_a)) & (d > rounding(a, n, n, eps))
    return found


def detectable(a: Array, n: Array, u: Array, u_a: Array, eps: float) -> Array:
    """The largest absolute error of each entry that would go unnoticed."""
    return np.asarray(np.maximum(_NOTICEABLE * (u + u_a), rounding(n, n, n, eps)))
