"""Slopes of a function that takes real numbers only: users' Python, in the middle of a network.

What a node passes back is the derivative of ⟨c, f(x)⟩, with c the numeric cotangent of its output
held fixed. It is found entry by entry with real differences: a few steps where these settle it, the
whole ladder elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record
from gradcli.engine.ladder import Estimate, Ladder, climb, position_scale, rungs
from gradcli.engine.noise import SPACING, Noise, measure_noise
from gradcli.engine.replicas import chunks

__all__ = ["UNKNOWN", "Projection"]

UNKNOWN = 1e100
"""An uncertainty that says nothing is known, small enough to be multiplied and squared."""

_EPS = float(np.finfo(np.float64).eps)
_QUICK_RUNGS = slice(4, 8)  # of the ladder: they settle most smooth functions,
_QUICK = 1e-9  # to this relative uncertainty,
_OF_LARGEST = 0.1  # of an entry, or of this share of the largest


class Projection(Record):
    """⟨cotangent, f(x)⟩ near a tensor x, where f(x) is y.

    `run` evaluates f at copies of x; NaN where it cannot. `doubt` is how far off each entry of the
    cotangent may be. `rng` chooses the direction along which noise is measured.
    """

    run: Callable[[Array], Array]
    x: Array
    y: Array
    cotangent: Array
    doubt: Array
    rng: np.random.Generator

    def slopes(self) -> Estimate:
        """The derivative by every entry of x, flat.

        To the uncertainty of the differences is added what the cotangent's own amounts to. It spans
        both slopes at a kink, and is UNKNOWN where the differences tell nothing.
        """
        noise = self._noise()
        value, uncertainty = self._told(np.arange(self.x.size), noise, _QUICK_RUNGS)
        size = np.maximum(np.abs(value), _OF_LARGEST * np.abs(value).max(initial=0.0))
        rest = np.flatnonzero(~(uncertainty <= _QUICK * size))
        if len(rest):
            value[rest], uncertainty[rest] = self._told(rest, noise)
        return Estimate(value, uncertainty)

    def _told(self, entries: Array, noise: Noise, part: slice = slice(None)) -> tuple[Array, Array]:
        """Slopes by some entries and how sure they are, from the ladder or a part of its rungs."""
        x = self.x.ravel()[entries]
        steps = rungs(x, position_scale(self.x.ravel())[entries], _EPS)[part]
        secants = np.full((2 * len(steps), len(entries)), np.nan)

        def probe(wanted: Array, points: Array) -> Array:
            found = np.full(points.shape, np.nan)
            rung, column = np.nonzero(np.isfinite(points))
            for taken in chunks(len(rung), 24 * (self.x.size + self.y.size)):
                at = rung[taken], column[taken]
                count = len(at[0])
                copies = np.repeat(self.x.reshape(1, -1), count, axis=0)
                copies[np.arange(count), wanted[at[1]]] = points[at]
                found[at], moved = self._projected(copies.reshape(count, *self.x.shape))
                secants[at] = moved / np.abs(points[at] - x[at[1]])
            return found

        value = np.full(len(entries), np.sum(self.cotangent * self.y))
        ladder = climb(probe, entries, x, value, steps, noise.take(entries), _EPS)
        return ladder.central.value, _uncertainty(ladder) + _median(secants)

    def _projected(self, copies: Array) -> tuple[Array, Array]:
        """The projection at copies of x, and Σ doubt·|∂y|: how far off it may be, above y's."""
        own = tuple(range(-self.y.ndim, 0))
        with np.errstate(all="ignore"):
            y = self.run(copies)
            return (
                np.asarray((self.cotangent * y).sum(axis=own)),
                np.asarray((self.doubt * np.abs(y - self.y)).sum(axis=own)),
            )

    def _noise(self) -> Noise:
        """Noise of the projection along a random direction."""
        x = self.x
        direction = self.rng.standard_normal(x.shape)
        scale = float(np.sqrt(np.mean(x**2))) or 1.0

        def along(offsets: Array) -> Array:
            return self._projected(x + offsets.reshape(-1, *(1,) * x.ndim) * direction)[0][:, None]

        value = np.array([np.sum(self.cotangent * self.y)])
        level = measure_noise(along, value, np.array([SPACING * scale]), _EPS)
        return Noise.even(np.full(x.size, level[0]))


def _uncertainty(ladder: Ladder) -> Array:
    gap = np.where(ladder.kink, np.abs(ladder.right.value - ladder.left.value), 0.0)
    doubt = np.minimum(ladder.central.uncertainty + gap, UNKNOWN)
    return np.where(ladder.blind, UNKNOWN, doubt)


def _median(secants: Array) -> Array:
    """Over the steps: large ones leave the tangent, and small ones drown in rounding."""
    found = np.full(secants.shape[1], UNKNOWN)
    known = np.isfinite(secants).any(axis=0)
    found[known] = np.minimum(np.nanmedian(secants[:, known], axis=0), UNKNOWN)
    return found
