"""L-BFGS: steps by an inverse Hessian that the last few gradients tell (Liu and Nocedal, 1989).

The direction is Nocedal and Wright's algorithm 7.4 ("Numerical Optimization", 2006), started from
(sᵀy/yᵀy)·I; the length of a step meets the strong Wolfe conditions, found as in their algorithms
3.5 and 3.6 with cubic interpolation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["Descent", "direction", "minimise"]

_DECREASE, _SLOPE = 1e-4, 0.9  # of the Wolfe conditions
_LONGEST = 1e10  # times the first length tried
_TRIES = 30  # lengths tried in a step

Function = Callable[[Array], tuple[float, Array]]
"""A point to the value and the gradient there."""


class Pair(NamedTuple):
    """A step s and the change y of the gradient over it."""

    s: Array
    y: Array


class Descent(Record):
    """The points of a run, the start first, values and gradients' norms there, and its cost.

    `predicted` is the decrease that the model of each step promised, in all. `evaluations` counts
    values with gradients beyond the one at the start.
    """

    points: tuple[Array, ...]
    values: tuple[float, ...]
    norms: tuple[float, ...]
    predicted: float
    evaluations: int


def direction(gradient: Array, pairs: Sequence[Pair]) -> Array:
    """-B·gradient, B the inverse Hessian that the pairs tell, the latest last; by two loops."""
    q = gradient.copy()
    shares = []
    for s, y in reversed(pairs):
        share = float(s @ q) / float(s @ y)
        q -= share * y
        shares.append(share)
    if pairs:
        s, y = pairs[-1]
        q *= float(s @ y) / float(y @ y)
    for (s, y), share in zip(pairs, reversed(shares), strict=True):
        q += (share - float(y @ q) / float(s @ y)) * s
    return -q


def minimise(function: Function, start: Array, steps: int, memory: int) -> Descent:
    """At most so many steps; fewer where the gradient vanishes or no step descends."""
    value, gradient = function(start)
    points, values, norms = [start], [value], [float(np.linalg.norm(gradient))]
    pairs: deque[Pair] = deque(maxlen=memory)
    predicted, evaluations = 0.0, 0
    for _ in range(steps):
        if not norms[-1]:
            break
        along = direction(gradient, pairs)
        slope = float(gradient @ along)
        search = _Search(function, points[-1], along, value, slope)
        length = search.length(1.0 if pairs else 1 / norms[-1])
        evaluations += search.evaluations
        if length is None:
            break
        predicted += -slope * length * (1 - length / 2)
        value, after = search.at[length][0], search.gradients[length]
        s, y = length * along, after - gradient
        if float(s @ y) > np.finfo(float).eps * float(y @ y):
            pairs.append(Pair(s, y))
        points.append(points[-1] + s)
        gradient = after
        values.append(value)
        norms.append(float(np.linalg.norm(gradient)))
    return Descent(tuple(points), tuple(values), tuple(norms), predicted, evaluations)


class _Search:
    """Lengths along a direction: values and slopes by length, and the gradients found there."""

    def __init__(
        self, function: Function, start: Array, along: Array, value: float, slope: float
    ) -> None:
        self._function = function
        self._start = start
        self._along = along
        self.at: dict[float, tuple[float, float]] = {0.0: (value, slope)}
        self.gradients: dict[float, Array] = {}
        self.evaluations = 0

    def length(self, first: float) -> float | None:
        """A length by the strong Wolfe conditions, or else one that descends; None if none does."""
        before, tried = 0.0, first
        while self.evaluations < _TRIES and tried < _LONGEST * first:
            value, slope = self._try(tried)
            if not self._descends(tried) or (before and value >= self.at[before][0]):
                return self._zoom(before, tried)
            if self._is_flat(slope):
                return tried
            if slope >= 0:
                return self._zoom(tried, before)
            before, tried = tried, 2 * tried
        return before or None

    def _zoom(self, low: float, high: float) -> float | None:
        """Between two lengths, `low` the better one, the slope there toward `high`.

        At a kink the two may meet before a length is found.
        """
        while self.evaluations < _TRIES and low != high:
            tried = self._between(low, high)
            value, slope = self._try(tried)
            if not self._descends(tried) or value >= self.at[low][0]:
                high = tried
            else:
                if self._is_flat(slope):
                    return tried
                if slope * (high - low) >= 0:
                    high = low
                low = tried
        return low if low and self._descends(low) else None

    def _try(self, length: float) -> tuple[float, float]:
        self.evaluations += 1
        value, gradient = self._function(self._start + length * self._along)
        self.gradients[length] = gradient
        self.at[length] = value, float(gradient @ self._along)
        return self.at[length]

    def _descends(self, length: float) -> bool:
        """Sufficient decrease; a value that is no number is none."""
        value, slope = self.at[0.0]
        return self.at[length][0] <= value + _DECREASE * length * slope

    def _is_flat(self, slope: float) -> bool:
        return abs(slope) <= -_SLOPE * self.at[0.0][1]

    def _between(self, low: float, high: float) -> float:
        """The minimum of the cubic through values and slopes at both ends, well within."""
        (f, df), (g, dg) = self.at[low], self.at[high]
        first, last = sorted((low, high))
        margin = 0.1 * (last - first)
        with np.errstate(all="ignore"):
            bend = df + dg - 3 * (f - g) / (low - high)
            root = np.sqrt(max(bend * bend - df * dg, 0.0)) * np.sign(high - low)
            least = high - (high - low) * (dg + root - bend) / (dg - df + 2 * root)
        if not np.isfinite(least):
            least = (low + high) / 2
        return float(min(max(least, first + margin), last - margin))
