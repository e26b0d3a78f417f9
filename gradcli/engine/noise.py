"""How noisy a computed function is: ECnoise.

Moré and Wild, "Estimating computational noise", SIAM Journal on Scientific Computing 33, 2011.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record

__all__ = ["FINEST", "POINTS", "SPACING", "Noise", "ecnoise", "jump", "measure_noise"]

SPACING = 1e-7 * float(np.sqrt(2))
"""Spacing of the points, of the scale of x; irrational, so that no rounded value's grid is hit."""

POINTS = 9
_SAFETY = 3.0
_ATTEMPTS = 5
_REFINEMENTS = 5
_REFINEMENT = 256.0
_WIDEST = 2e-2  # of the scale of x: a staircase with wider steps is no noise
_LASTING = 5  # halvings that leave a jump as it is, and of a slope or a root less than a fifth
_OWN_ULPS = 2  # of a value, which it is rounded to
_ASIDE = 32  # spacings to another window, where a single jump is not met again
_STRAIGHT_ULPS = 8
_DEVIATION = 12**-0.5  # standard deviation of values rounded to steps of one
FINEST = 16
"""Ulps: points closer than that see the rounding of their own positions."""

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
    finest = FINEST * eps * spacing / SPACING
    first = _larger_level(along, spacing, eps, _ATTEMPTS)
    noise, last = first.noise, first
    if first.is_straight.any():
        steps = jump(along, first.offsets, first.values, finest, eps) * _DEVIATION
        noise = np.where(first.is_straight, steps, noise)
    stairs = np.zeros(noise.shape, bool)
    for _ in range(_REFINEMENTS):
        spacing = spacing / _REFINEMENT
        is_open = (noise > _ROUNDING * floor) & (spacing >= finest) & ~stairs
        if not np.any(is_open):
            break
        finer = _larger_level(along, spacing, eps, 1)
        known = (finer.noise > 0) | finer.is_straight
        shrinks = is_open & known & (finer.noise < noise / np.sqrt(_REFINEMENT))
        shrinks |= is_open & finer.is_still
        if shrinks.any():
            stairs |= shrinks & _has_stairs(along, last, finest, eps)
            shrinks &= ~stairs
        noise = np.where(shrinks, finer.noise, noise)
        last = finer
        if not np.any(shrinks | ((noise > _ROUGH * floor) & ~finer.is_still)):
            break
    return np.maximum(floor, _SAFETY * noise)


def _has_stairs(along: Callable[[Array], Array], level: _Level, finest: Array, eps: float) -> Mask:
    """Whether a function jumps here and there (E,): between its jumps it only looks calm."""
    stairs: Mask = jump(along, level.offsets, level.values, finest, eps) > 0
    if stairs.any():
        aside = level.offsets + _ASIDE * (level.offsets[1] - level.offsets[0])
        with np.errstate(all="ignore"):
            values = along(aside)
        stairs &= jump(along, aside, values, finest, eps) > 0
    return stairs


class _Level(Record):
    """The noise (E,) that shows at some spacing, 0 where none does, and the values (n, E) it is of.

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
    larger = other.noise > one.noise
    return _Level(
        np.where(larger, other.noise, one.noise),
        one.is_still & other.is_still,
        one.is_straight & other.is_straight,
        np.where(larger, other.offsets, one.offsets),
        np.where(larger, other.values, one.values),
    )


def _level(along: Callable[[Array], Array], spacing: Array, eps: float, attempts: int) -> _Level:
    """The level at a spacing, or at another near it where none shows at this."""
    noise = np.zeros(spacing.shape)
    pending = np.ones(spacing.shape, bool)
    grow = np.zeros(spacing.shape, bool)
    places = np.arange(POINTS, dtype=float)[:, None] - POINTS // 2
    widest, finest = _WIDEST * spacing / SPACING, FINEST * eps * spacing / SPACING
    for attempt in range(attempts):
        offsets = places * spacing
        with np.errstate(all="ignore"):
            values = along(offsets)
            finite = np.isfinite(values).all(axis=0)
            level, status = ecnoise(np.where(finite, values, 0.0))
        found = pending & finite & (status == 1)
        if (found & grow).any():
            calm = jump(along, offsets, values, finest, eps) == 0
            level = np.where(grow & calm, 0.0, level)
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


def jump(
    along: Callable[[Array], Array], offsets: Array, values: Array, finest: Array, eps: float
) -> Array:
    """How far the function jumps (E,), as rounded ones do, where neighbours (n, E) differ most.

    The larger half is followed until it is as short as `finest`. Zero where nothing is left there
    but a slope, which shrinks with the distance, or the rounding of the values themselves.
    """
    column = np.arange(values.shape[1])
    at = np.abs(np.diff(values, axis=0)).argmax(axis=0)
    low, high = offsets[at, column], offsets[at + 1, column]
    f_low, f_high = values[at, column], values[at + 1, column]
    left = [np.abs(f_high - f_low)]
    halvings = np.log2(np.max(np.abs(high - low) / finest, initial=1.0))
    for _ in range(max(int(np.ceil(halvings)), _LASTING)):
        middle = (low + high) / 2
        with np.errstate(all="ignore"):
            f = along(middle[None])[0]
        is_lower = np.abs(f - f_low) >= np.abs(f_high - f)
        low, f_low = np.where(is_lower, low, middle), np.where(is_lower, f_low, f)
        high, f_high = np.where(is_lower, middle, high), np.where(is_lower, f, f_high)
        left.append(np.abs(f_high - f_low))
    lasts = left[-1] > left[-1 - _LASTING] / _LASTING
    rounding = _OWN_ULPS * eps * np.fmax(np.abs(f_low), np.abs(f_high))
    return np.where(lasts & (left[-1] > rounding), left[-1], 0.0)
