"""How noisy a computed function is: ECnoise.

Moré and Wild, "Estimating computational noise", SIAM Journal on Scientific Computing 33, 2011.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record

__all__ = ["POINTS", "SPACING", "Noise", "ecnoise", "jump", "measure_noise"]

SPACING = 1e-7 * float(np.sqrt(2))
"""Spacing of the points, of the scale of x; irrational, so that no rounded value's grid is hit."""

POINTS = 9
_SAFETY = 3.0
_ATTEMPTS = 5
_REFINEMENTS = 5
_REFINEMENT = 256.0
_WIDEST = 4e-3  # of the scale of x: a staircase with wider steps is no noise
_HALVINGS = 12
_STEPS = 128  # of a staircase that one spacing may hold; twelve halvings leave 1/4096 of a slope
_FINEST = 16  # ulps: points closer than that see the rounding of their own positions
_ROUNDING = 16  # times half an ulp: a level that no finer spacing can explain away
_ROUGH = 1e4


class Noise(Record):
    """Absolute noise (E,) of a function near a point and, where `reach` is finite, that far away.

    Between the two it is taken to grow with the root of the distance, which is more than the
    proportional growth of numbers that start near zero.
    """

    near: Array
    far: Array
    reach: Array

    def at(self, steps: Array) -> Array:
        """Noise (K, E) at steps (K, E) from the point."""
        with np.errstate(invalid="ignore"):
            share = np.sqrt(np.minimum(steps / self.reach, 1.0))
        return np.asarray(np.fmax(self.near, self.far * share))

    def take(self, entries: Array) -> Noise:
        return Noise(self.near[entries], self.far[entries], self.reach[entries])

    @classmethod
    def even(cls, near: Array) -> Noise:
        """The same everywhere."""
        return cls(near, np.zeros_like(near), np.full_like(near, np.inf))


def ecnoise(values: Array) -> tuple[Array, Array]:
    """Standard deviation of the noise in function values (n, E) at evenly spaced points.

    Returns the level (E,) and a status (E,): 1 found, 0 spacing too small (over half of the
    differences are zero), -1 not found (the function varies too much over the points).
    """
    count, entries = values.shape
    size = np.abs(values).max(axis=0, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    difference = values / size  # so that no square overflows or vanishes
    gamma = 1.0
    levels, signs = [], []
    still = (np.diff(values, axis=0) == 0).sum(axis=0) > (count - 1) / 2
    for order in range(1, count):
        difference = np.diff(difference, axis=0)
        gamma *= 0.5 * order / (2 * order - 1)
        levels.append(np.sqrt(gamma * np.mean(difference**2, axis=0)))
        signs.append((difference.min(axis=0) < 0) & (difference.max(axis=0) > 0))
    level = np.full(entries, np.nan)
    for order in range(count - 4, -1, -1):
        three = np.stack(levels[order : order + 3])
        plausible = (three.max(axis=0) <= 4 * three.min(axis=0)) & signs[order]
        level = np.where(plausible, levels[order], level)
    status = np.where(still, 0, np.where(np.isnan(level), -1, 1))
    return np.where(status == 1, level * size, 0.0), status


def measure_noise(
    along: Callable[[Array], Array], value: Array, spacing: Array, eps: float
) -> Array:
    """Absolute noise (E,) of a function near a point, never below half an ulp of its value.

    `along(offsets (n, E))` gives the function at these offsets along a direction. Two spacings
    are tried together, since rounding can look smooth at one. A level that shrinks with the
    spacing is no noise but a kink or a pole within reach, so finer ones are tried until it stays,
    and some more where it is far above rounding. Three times the level is returned, since the level
    is itself an estimate.
    """
    floor = 0.5 * eps * np.abs(value)
    spacing = np.broadcast_to(spacing, floor.shape)
    finest = _FINEST * eps * spacing / SPACING
    level, _ = _larger_level(along, spacing, _ATTEMPTS)
    for _ in range(_REFINEMENTS):
        spacing = spacing / _REFINEMENT
        if not np.any((level > _ROUNDING * floor) & (spacing >= finest)):
            break
        finer, is_still = _larger_level(along, spacing, 1)
        shrinks = (finer > 0) & (finer < level / np.sqrt(_REFINEMENT))
        shrinks &= (level > _ROUNDING * floor) & (spacing >= finest)
        level = np.where(shrinks, finer, level)
        if not np.any(shrinks | ((level > _ROUGH * floor) & ~is_still)):
            break
    return np.maximum(floor, _SAFETY * level)


def _larger_level(
    along: Callable[[Array], Array], spacing: Array, attempts: int
) -> tuple[Array, Mask]:
    one, is_still = _level(along, spacing, attempts)
    if is_still.all():
        return one, is_still
    other, also = _level(along, spacing * np.e, attempts)
    return np.maximum(one, other), is_still & also


def _level(along: Callable[[Array], Array], spacing: Array, attempts: int) -> tuple[Array, Mask]:
    """The level at a spacing, or at another near it where none shows at this; 0 if none does.

    Also whether that is because most values are the same there.
    """
    noise = np.zeros(spacing.shape)
    pending = np.ones(spacing.shape, bool)
    grow = np.zeros(spacing.shape, bool)
    places = np.arange(POINTS, dtype=float)[:, None] - POINTS // 2
    widest = _WIDEST * spacing / SPACING
    for _ in range(attempts):
        with np.errstate(all="ignore"):
            values = along(places * spacing)
            finite = np.isfinite(values).all(axis=0)
            level, status = ecnoise(np.where(finite, values, 0.0))
        found = pending & finite & (status == 1)
        if (found & grow).any():
            jumps = jump(along, places * spacing, values) > 0
            level = np.where(grow & ~jumps, 0.0, level)
        noise = np.where(found, level, noise)
        pending &= ~found
        if not pending.any():
            break
        grow = (status == 0) & finite
        if np.all(grow | ~pending) and np.all((spacing >= widest)[pending]):
            break
        wider = np.minimum(spacing * 64, widest)
        spacing = np.where(pending, np.where(grow, wider, spacing / 64), spacing)
    return noise, pending & grow


def jump(along: Callable[[Array], Array], offsets: Array, values: Array) -> Array:
    """How far the function jumps (E,), as rounded ones do, where neighbours (n, E) differ most.

    Zero where it does not: there it is level on one side and bends.
    """
    column = np.arange(values.shape[1])
    at = np.abs(np.diff(values, axis=0)).argmax(axis=0)
    low, high = offsets[at, column], offsets[at + 1, column]
    f_low, f_high = values[at, column], values[at + 1, column]
    whole = np.abs(f_high - f_low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        with np.errstate(all="ignore"):
            f = along(middle[None])[0]
        is_lower = np.abs(f - f_low) >= np.abs(f_high - f)
        low, f_low = np.where(is_lower, low, middle), np.where(is_lower, f_low, f)
        high, f_high = np.where(is_lower, middle, high), np.where(is_lower, f, f_high)
    left = np.abs(f_high - f_low)
    return np.where(left > whole / _STEPS, left, 0.0)
