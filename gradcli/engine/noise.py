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
_WIDEST = 2e-2  # of the scale of x: a staircase with wider steps is no noise
_HALVINGS = 22
_STEPS = 2.0**16  # of a staircase that one spacing may hold; the halvings leave less of a slope
_STRAIGHT_ULPS = 8
_DEVIATION = 12**-0.5  # standard deviation of values rounded to steps of one
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
    are tried together, since rounding can look smooth at one; where it does at both, the values are
    looked at for jumps. A level that shrinks with the spacing is no noise but a bend or a pole
    within reach, so finer ones are tried until it stays, and some more where it is far above
    rounding. Three times the level is returned, since the level is itself an estimate.
    """
    floor = 0.5 * eps * np.abs(value)
    spacing = np.broadcast_to(spacing, floor.shape)
    finest = _FINEST * eps * spacing / SPACING
    first = _larger_level(along, spacing, eps, _ATTEMPTS)
    noise = first.noise
    if first.is_straight.any():
        stairs = jump(along, first.offsets, first.values) * _DEVIATION
        noise = np.where(first.is_straight, stairs, noise)
    for _ in range(_REFINEMENTS):
        spacing = spacing / _REFINEMENT
        is_open = (noise > _ROUNDING * floor) & (spacing >= finest)
        if not np.any(is_open):
            break
        finer = _larger_level(along, spacing, eps, 1)
        known = (finer.noise > 0) | finer.is_straight
        shrinks = is_open & known & (finer.noise < noise / np.sqrt(_REFINEMENT))
        noise = np.where(shrinks, finer.noise, noise)
        level = is_open & finer.is_still
        if level.any():
            bends = jump(along, first.offsets, first.values) == 0
            noise = np.where(level & bends, 0.0, noise)
        if not np.any(shrinks | ((noise > _ROUGH * floor) & ~finer.is_still)):
            break
    return np.maximum(floor, _SAFETY * noise)


class _Level(Record):
    """The noise (E,) that shows at some spacing, 0 where none does, and the last values (n, E).

    `is_still` says that none does since most values were the same, `is_straight` that they lay on
    a line up to rounding.
    """

    noise: Array
    is_still: Mask
    is_straight: Mask
    offsets: Array
    values: Array


def _larger_level(
    along: Callable[[Array], Array], spacing: Array, eps: float, attempts: int
) -> _Level:
    one = _level(along, spacing, eps, attempts)
    if one.is_still.all():
        return one
    other = _level(along, spacing * np.e, eps, attempts)
    return one.replace(
        noise=np.maximum(one.noise, other.noise),
        is_still=one.is_still & other.is_still,
        is_straight=one.is_straight & other.is_straight,
    )


def _level(along: Callable[[Array], Array], spacing: Array, eps: float, attempts: int) -> _Level:
    """The level at a spacing, or at another near it where none shows at this."""
    noise = np.zeros(spacing.shape)
    pending = np.ones(spacing.shape, bool)
    grow = np.zeros(spacing.shape, bool)
    places = np.arange(POINTS, dtype=float)[:, None] - POINTS // 2
    widest = _WIDEST * spacing / SPACING
    for attempt in range(attempts):
        offsets = places * spacing
        with np.errstate(all="ignore"):
            values = along(offsets)
            finite = np.isfinite(values).all(axis=0)
            level, status = ecnoise(np.where(finite, values, 0.0))
        found = pending & finite & (status == 1)
        if (found & grow).any():
            level = np.where(grow & (jump(along, offsets, values) == 0), 0.0, level)
        noise = np.where(found, level, noise)
        pending &= ~found
        grow = (status == 0) & finite
        is_widest = np.all(grow | ~pending) and np.all((spacing >= widest)[pending])
        if not pending.any() or is_widest or attempt == attempts - 1:
            break
        wider = np.minimum(spacing * 64, widest)
        spacing = np.where(pending, np.where(grow, wider, spacing / 64), spacing)
    is_still = pending & grow
    with np.errstate(invalid="ignore"):
        bend = np.abs(np.diff(values, 2, axis=0)).max(axis=0)
        straight = finite & (bend <= _STRAIGHT_ULPS * eps * np.abs(values).max(axis=0))
    return _Level(noise, is_still, straight & ~is_still, offsets, values)


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
