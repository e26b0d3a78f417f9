"""Properties of a loss that a spec defines, which claims none: as far as a search finds them."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from gradcli.analysis.losses.axes import Axis, Side
from gradcli.core.arrays import Array
from gradcli.spec.plan import ElementwiseDefinition

__all__ = ["differs", "is_of_residual", "measured"]

_SEARCHED: Final = np.linspace(-40, 40, 8001)
_FAR: Final = np.array([1e3, 1e6])
_SHIFTS: Final = (-0.75, 2.0)
_ROUNDING: Final = 1e-9
_BESIDE: Final = 3.1e-4
"""Off the points of a curve, so that none is at a kink, where any slope between is right."""


def _value_and_slope(definition: ElementwiseDefinition, p: Array, y: Array) -> tuple[Array, Array]:
    """Of the formula, whatever gradient is claimed for it."""
    env: dict[str, Array | float] = {"p": p, "y": y, **definition.params}
    if "p" not in definition.forward.names:
        return definition.forward.evaluate(env) + 0 * p, np.zeros_like(p)
    value, pull = definition.forward.value_and_pullback(env, ("p",))
    return value, pull(np.ones_like(value))["p"]


def is_of_residual(definition: ElementwiseDefinition) -> bool:
    """Whether only p - y counts."""
    if definition.domain:
        return False
    p, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-5, 5, 21), (-2.0, 0.0, 1.5)))
    value = _value_and_slope(definition, p, y)[0]
    return all(
        np.allclose(_value_and_slope(definition, p + by, y + by)[0], value, rtol=_ROUNDING, atol=0)
        for by in _SHIFTS
    )


def differs(definition: ElementwiseDefinition, gradient: Any, axis: Axis) -> float:
    """How far a gradient(side, x) is from the derivative of the formula, relatively."""
    worst = 0.0
    low, high = axis.window
    x = np.linspace(low, high, 481)[1:-1] + _BESIDE * (high - low)
    for side in axis.sides:
        claimed, true = gradient(side, x), _slope_along(definition, side, x)[1]
        finite = np.isfinite(true)
        size = np.maximum(np.abs(claimed), np.abs(true))[finite]
        size = np.maximum(size, 1e-3 * size.max(initial=0.0))
        gap = np.abs(claimed - true)[finite] / np.where(size > 0, size, 1.0)
        worst = max(worst, float(np.nan_to_num(gap, nan=math.inf).max(initial=0.0)))
    return worst


def _slope_along(definition: ElementwiseDefinition, side: Side, x: Array) -> tuple[Array, Array]:
    p, y = side.place(x)
    assert y is not None
    return _value_and_slope(definition, p[:, 0], y[:, 0])


def measured(definition: ElementwiseDefinition, axis: Axis) -> dict[str, Any]:
    """Convexity, with a place where it fails; the largest slope; kinks; in the words of traits."""
    low, high = axis.domain
    x = np.unique(np.clip(_SEARCHED, low, high))
    found: dict[str, Any] = {"argument": axis.name, "convex": True, "lipschitz": 0.0}
    kinks: set[float] = set()
    for side in axis.sides:
        slope = _slope_along(definition, side, x)[1]
        at, slope = x[np.isfinite(slope)], slope[np.isfinite(slope)]
        if not len(at):
            continue
        largest = float(np.abs(slope).max())
        falls = np.flatnonzero(np.diff(slope) < -_ROUNDING * (largest + 1e-300))
        if len(falls) and found["convex"]:
            found |= {"convex": False, "not_convex_at": float(at[falls[0]])}
        grows = any(
            _grows(np.abs(_slope_along(definition, side, path)[1])) for path in _outward(low, high)
        )
        found["lipschitz"] = max(found["lipschitz"], math.inf if grows else largest)
        kinks |= set(_jumps(definition, side, at, slope, largest))
    return {**found, "kinks": tuple(sorted(kinks))}


def _outward(low: float, high: float) -> list[Array]:
    """Points ever closer to either end, which may be infinite."""
    return [
        sign * _FAR if math.isinf(end) else end - sign / _FAR
        for sign, end in ((-1.0, low), (1.0, high))
    ]


def _grows(sizes: Array) -> bool:
    """Whether a slope goes on growing; one that cannot be computed is left out."""
    seen = sizes[np.isfinite(sizes)]
    return bool(len(seen) > 1 and seen[-1] > 1.01 * seen[-2])


def _jumps(
    definition: ElementwiseDefinition, side: Side, x: Array, slope: Array, largest: float
) -> list[float]:
    """Where the slope still changes as much between points that are neighbours."""
    change = np.abs(np.diff(slope))
    steep = np.flatnonzero(change > 1e-3 * largest)
    low, high = x[steep].copy(), x[steep + 1].copy()
    at_low, at_high = slope[steep].copy(), slope[steep + 1].copy()
    for _ in range(50):
        middle = (low + high) / 2
        at = _slope_along(definition, side, middle)[1]
        lower = np.abs(at - at_low) > np.abs(at_high - at)
        high, at_high = np.where(lower, middle, high), np.where(lower, at, at_high)
        low, at_low = np.where(lower, low, middle), np.where(lower, at_low, at)
    jumping = np.abs(at_high - at_low) > 0.25 * change[steep]
    return [round(float(place), 9) + 0.0 for place in high[jumping]]
