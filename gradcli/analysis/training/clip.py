"""A gradient that is cut back before the step."""

from __future__ import annotations

import math

import numpy as np

from gradcli.analysis.training.vector import cosine
from gradcli.core.arrays import Array, norm
from gradcli.core.record import Record

__all__ = ["Clipped", "clipped"]


class Clipped(Record):
    """The vector after clipping, and what that did.

    `factor` is its norm over that of the raw gradient, 1 where nothing was cut; `cosine` is of the
    angle between the two.
    """

    vector: Array
    factor: float
    cosine: float


def clipped(g: Array, kind: str, limit: float) -> Clipped:
    """By norm g·min(1, c/‖g‖), over all parameters together; by value every entry within ±c.

    By norm the direction stays whatever the size (Pascanu, Mikolov, Bengio 2013). A gradient that
    is not finite is left as it is, for whoever finds it.
    """
    size = norm(g)
    if not math.isfinite(size):
        return Clipped(g, 1.0, math.nan)
    if kind == "norm":
        if size <= limit:
            return Clipped(g, 1.0, 1.0)
        # rounding may leave the scaled norm an ulp above the limit, which is a promise
        factor = float(np.nextafter(limit / size, 0.0))
        scaled = _within(g * g.dtype.type(factor), limit)
        return Clipped(scaled, limit / size, 1.0)
    held = np.clip(g, -limit, limit)
    if np.array_equal(held, g):
        return Clipped(g, 1.0, 1.0)
    return Clipped(held, norm(held) / size, cosine(held, g))


def _within(g: Array, limit: float) -> Array:
    """The vector, its entries shortened by an ulp as often as its norm still exceeds the limit."""
    while norm(g) > limit:
        g = np.nextafter(g, g.dtype.type(0))  # a factor below 1 would leave subnormal entries
    return g
