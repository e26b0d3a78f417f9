"""A user's function of one of its arguments, as real differences see it: values and their noise."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.core.arrays import Array
from gradcli.engine.ladder import Estimate, position_scale
from gradcli.engine.line import slope_at_zero
from gradcli.engine.model import generator
from gradcli.engine.noise import POINTS, SPACING, Noise, measure_noise

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.callables import Arrays, Callables

__all__ = ["Probes", "moved", "probes_of", "widened"]

_FAR = 0.25  # of the size of the arguments, still where the function is of the same kind
_FAR_BELOW = 1e-3  # of the noise in float32, for a function that computes in float64
_AROUND = 32.0  # steps of the differences around a kink that it is away, so that few lead across
_POINTS_AROUND = 24
_SAME = 64  # times the noise in float32: the same value in both


class Probes:
    """The function near `point`, where it has this `value`; numbers in an argument's own format."""

    def __init__(self, callables: Callables, name: str, point: Arrays, value: float) -> None:
        self._callables = callables
        self._name = name
        self.point = point
        self.value = value
        self.eps = float(np.finfo(point[name].dtype).eps)

    def probe(self, entries: Array, points: Array) -> Array:
        """Values (K, E) with one coordinate each replaced by its points (K, E)."""
        values = np.full(points.shape, np.nan)
        tensor = self.point[self._name]
        for (rung, column), point in np.ndenumerate(points):
            if np.isfinite(point):
                moved = tensor.copy()
                moved.reshape(-1)[entries[column]] = point
                values[rung, column] = self._at(moved)
        return values

    def noise(self, entries: Array) -> Noise:
        """The noise along a random direction, the same for all entries."""
        count = len(entries)
        near, far, reach = self.near, self._far, _FAR * self._scale
        return Noise(np.full(count, near), np.full(count, far), np.full(count, reach))

    def own_noise(self, entries: Array) -> Noise:
        """The noise along each entry's own coordinate, where that is more.

        To an entry that is added to a far larger one, this one's rounding is noise. Along with all
        the others it moves too little for it to be seen.
        """
        x, dtype = self._tensor.ravel(), self.point[self._name].dtype
        spacing = max(SPACING, 4 * self.eps) * position_scale(x)[entries]

        def along(offsets: Array) -> Array:
            return self.probe(entries, _evenly(x[entries], offsets, 1.0, dtype))

        noise = self.noise(entries)
        value = np.full(len(entries), self.value)
        near = np.maximum(noise.near, measure_noise(along, value, spacing, self.eps))
        return noise.replace(near=near)

    def slope_along(self, direction: Array) -> tuple[float, float]:
        """The derivative along a direction (E,) in the argument, and how far off it may be."""
        size = float((np.abs(direction) / position_scale(self._tensor.ravel())).max())
        unit = (direction / size).reshape(self._tensor.shape)
        dtype = self.point[self._name].dtype

        def along(offsets: Array) -> Array:
            values = [self._at(np.asarray(self._tensor + t * unit, dtype)) for t in offsets.ravel()]
            return np.array(values).reshape(offsets.shape)

        slope, doubt = slope_at_zero(along, self.value, self.eps)
        return slope * size, doubt * size

    def slopes_around(self, direction: Array, away: float) -> Estimate:
        """The slopes along a direction (E,) in the argument, at random points around this one.

        All arguments are moved by up to a share `away` of their size. The limits of such slopes
        span the generalized gradient at a kink (Clarke, "Optimization and Nonsmooth Analysis",
        1983, theorem 2.5.1).
        """
        callables = self._callables
        rng = generator(callables.options.seed, f"around the kinks of {self._name}")
        along = direction.reshape(self._tensor.shape)
        step = (
            away / _AROUND / float(np.abs(direction / position_scale(self._tensor.ravel())).max())
        )
        slopes = np.zeros(_POINTS_AROUND)
        for at in range(_POINTS_AROUND):
            moves = {name: rng.uniform(-1, 1, self.point[name].shape) for name in callables.wrt}
            around = moved(self.point, moves, away)
            x, dtype = around[self._name].astype(float), around[self._name].dtype
            ends = [np.asarray(x + side * step * along, dtype) for side in (1, -1)]
            above, below = (callables.safely({**around, self._name: end}) for end in ends)
            slopes[at] = (above - below) / (2 * step)
        slopes = slopes[np.isfinite(slopes)]
        return Estimate(slopes, np.full(slopes.shape, self.near / step))

    @cached_property
    def near(self) -> float:
        """The noise at the point."""
        return self._level(self._tensor)

    @cached_property
    def _far(self) -> float:
        """The noise a part of the argument's size away."""
        return self._level(self._tensor + _FAR * self._scale * self._direction)

    @cached_property
    def _tensor(self) -> Array:
        return self.point[self._name].astype(float)

    @cached_property
    def _scale(self) -> float:
        return (float(np.sqrt(np.mean(self._tensor**2))) if self._tensor.size else 0.0) or 1.0

    @cached_property
    def _direction(self) -> Array:
        """By entry as far as the entry is large, so that none changes its sign."""
        rng = generator(self._callables.options.seed, f"noise of {self._name}")
        size = np.where(self._tensor == 0, 1.0, np.abs(self._tensor) / self._scale)
        return np.asarray(rng.standard_normal(self._tensor.shape) * size)

    def _level(self, centre: Array) -> float:
        dtype = self.point[self._name].dtype

        def along(offsets: Array) -> Array:
            points = _evenly(centre.ravel(), offsets, self._direction.ravel(), dtype)
            tensors = points.reshape(len(offsets), *centre.shape)
            return np.array([[self._at(np.asarray(at, dtype))] for at in tensors])

        value = along(np.zeros(1))[0]
        spacing = np.array([max(SPACING, 4 * self.eps) * self._scale])
        if not np.isfinite(value):
            return 0.0
        return float(measure_noise(along, value, spacing, self.eps)[0])

    def _at(self, tensor: Array) -> float:
        return self._callables.safely({**self.point, self._name: tensor})


def probes_of(callables: Callables, name: str) -> Probes:
    """The function at its point, in float64 if it computes the same in it, and as precisely."""
    own = Probes(callables, name, callables.point, callables.at_point)
    if callables.point[name].dtype != np.float32:
        return own
    point = widened(callables.point)
    wide = Probes(callables, name, point, callables.safely(point))
    if not abs(wide.value - own.value) <= _SAME * own.near:
        return own
    return wide if wide.near <= _FAR_BELOW * own.near else own


def moved(point: Arrays, moves: Arrays, share: float) -> Arrays:
    """A copy of a point with some arguments moved, by such a share of their size."""
    found = {name: value.copy() for name, value in point.items()}
    for name, move in moves.items():
        value = found[name]
        away = share * position_scale(value.astype(float)).reshape(value.shape)
        found[name] = np.asarray(value + away * move, value.dtype)
    return found


def widened(point: Arrays) -> Arrays:
    """The same numbers in float64 where they are in float32."""
    return {
        name: value.astype(np.float64 if value.dtype == np.float32 else value.dtype)
        for name, value in point.items()
    }


def _evenly(x: Array, offsets: Array, direction: Array | float, dtype: np.dtype[Any]) -> Array:
    """Points (n, E) at offsets (n, E) from x (E,); as even as these, if noise is measured on them.

    Rounded points are not evenly spaced, and the differences of a steep function over them look
    like noise that it does not have. So each step leads from x to numbers of this format.
    """
    if len(offsets) != POINTS:
        return np.asarray(x + offsets * direction)
    spacing = np.ptp(offsets, axis=0) / (POINTS - 1)
    step = spacing * direction
    grid = np.spacing((np.abs(x) + POINTS * np.abs(step)).astype(dtype)).astype(float)
    return np.asarray(x + np.round(offsets / spacing) * (np.round(step / grid) * grid))
