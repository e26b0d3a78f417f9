"""Curves of a loss and its gradient, where the gradient vanishes, and how hard mistakes pull."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

import numpy as np

from gradcli.analysis.losses.axes import Axis, Side, slopes
from gradcli.analysis.losses.report import Curve, Pull, Zero
from gradcli.core.arrays import Array
from gradcli.core.op import Loss, Options

__all__ = ["curves", "pulls", "zeros"]

POINTS: Final = 241
"""Of a curve: more than a terminal has columns."""

_REACH: Final = 36.0
"""Within it, no slope of a loss in double precision is zero by rounding alone."""

_SEARCHED: Final = 2001
_FAR_OUT: Final = (1e60, 300.0)
_FADED: Final = 1e-3
"""What is left of a gradient that fades, far out."""

Gradient = Callable[[Array], Array]


def curves(op: Loss, options: Options, axis: Axis, window: tuple[float, float]) -> list[Curve]:
    """One curve for each side of the axis."""
    x = np.linspace(*window, POINTS)
    found = []
    for side in axis.sides:
        value, gradient = slopes(op, options, side, x)
        lists = (tuple(map(float, array)) for array in (x, value, gradient))
        found.append(Curve(axis.name, axis.over, side.target, *lists))
    return found


def pulls(op: Loss, options: Options, axis: Axis) -> list[Pull]:
    """How hard ever worse mistakes pull, on the first side."""
    if not axis.mistakes:
        return []
    x = np.array(axis.mistakes)
    _, gradient = slopes(op, options, axis.sides[0], x)
    return [Pull(float(at), abs(float(g))) for at, g in zip(x, gradient, strict=True)]


def zeros(
    op: Loss, options: Options, axis: Axis, window: tuple[float, float] = (0.0, 0.0)
) -> list[Zero]:
    """Where the gradient vanishes, on each side."""
    return [zero for side in axis.sides for zero in _zeros_of(op, options, axis, side, window)]


def _zeros_of(
    op: Loss, options: Options, axis: Axis, side: Side, window: tuple[float, float]
) -> Iterator[Zero]:
    def gradient(x: Array) -> Array:
        return slopes(op, options, side, x)[1]

    low, high = axis.domain
    reach = max(_REACH, 4 * max(map(abs, window)))
    x = np.linspace(max(low, -reach), min(high, reach), _SEARCHED)
    x = x[(x > low) & (x < high)]
    g = gradient(x)
    largest = float(np.abs(g[np.isfinite(g)]).max(initial=0.0))
    if not largest:
        yield Zero(side.target, low, high)
        return
    for first, last in _runs(np.sign(g)):
        left = low if first == 0 else _edge(gradient, x[first], x[first - 1])
        right = high if last == len(x) - 1 else _edge(gradient, x[last], x[last + 1])
        yield _zero(gradient, side.target, left, right, largest)
    for i in np.flatnonzero(g[1:] * g[:-1] < 0):
        root = _root(gradient, x[i], x[i + 1])
        yield _zero(gradient, side.target, root, root, largest)
    for end, near in ((low, abs(g[0])), (high, abs(g[-1]))):
        if math.isinf(end) and near > 0:
            far = _far_out(gradient, math.copysign(1.0, end))
            if far < _FADED * near:
                yield Zero(side.target, min(0.0, end), max(0.0, end), fades=True)


def _runs(signs: Array) -> Iterator[tuple[int, int]]:
    """First and last index of every run of zeros."""
    for value, run in groupby(range(len(signs)), key=lambda i: float(signs[i])):
        if value == 0:
            indices = list(run)
            yield indices[0], indices[-1]


def _edge(gradient: Gradient, zero: float, other: float) -> float:
    """The last point with a gradient of zero on the way to another one."""
    for _ in range(200):
        middle = (zero + other) / 2
        if gradient(np.array([middle]))[0] == 0:
            zero = middle
        else:
            other = middle
    return float(zero)


def _root(gradient: Gradient, low: float, high: float) -> float:
    """Where the gradient changes its sign."""
    sign = np.sign(gradient(np.array([low]))[0])
    for _ in range(200):
        middle = (low + high) / 2
        if np.sign(gradient(np.array([middle]))[0]) == sign:
            low = middle
        else:
            high = middle
    return float(high)


def _zero(gradient: Gradient, target: str, low: float, high: float, largest: float) -> Zero:
    """A place where the gradient is zero, in digits that the search can answer for."""
    low, high = round(low, 9) + 0.0, round(high, 9) + 0.0
    if low != high:
        return Zero(target, low, high)
    below, above = gradient(np.array([low - 1e-6, low + 1e-6]))
    return Zero(target, low, low, jumps=bool(abs(above - below) > 1e-3 * largest))


def _far_out(gradient: Gradient, sign: float) -> float:
    """The gradient's size as far out as it can be computed; infinite where it cannot."""
    found = np.abs(gradient(sign * np.array(_FAR_OUT)))
    return float(next((size for size in found if np.isfinite(size)), math.inf))
