"""Slopes chosen at kinks: what stands there in place of the function, so that it is smooth."""

from __future__ import annotations

from math import prod

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record

__all__ = ["Patch", "Planes"]


class Patch(Record):
    """Units in `mask` of an elementwise function: they follow the line y0 + slope·(x - x0)."""

    mask: Mask
    x0: Array
    y0: Array
    slope: Array

    def __call__(self, x: Array, y: Array) -> Array:
        line = self.y0 + self.slope * (x - self.x0)
        return np.where(self.mask, line, y).astype(y.dtype, copy=False)

    def outside(self, g: Array) -> Array:
        """A cotangent of the function without that of the lines."""
        return np.where(self.mask, 0, g).astype(g.dtype, copy=False)

    def pull(self, g: Array, dx: Array) -> Array:
        """The cotangent of x, given that of the function for the cotangent `outside` the lines."""
        return (dx + np.where(self.mask, g * self.slope, 0)).astype(dx.dtype, copy=False)

    def same_as(self, other: object) -> bool:
        """Whether the same units follow the same slopes."""
        return (
            isinstance(other, Patch)
            and np.array_equal(self.mask, other.mask)
            and np.array_equal(self.slope[self.mask], other.slope[other.mask])
        )


class Planes(Record):
    """Values in `mask` of a function of rows: they follow the planes y0 + ⟨slope, x - x0⟩.

    `y0` (planes,) and `slopes` (planes, entries of x) are in the order of the mask.
    """

    mask: Mask
    x0: Array
    y0: Array
    slopes: Array

    def __call__(self, x: Array, y: Array) -> Array:
        moved = x - self.x0
        along = moved.reshape(*moved.shape[: moved.ndim - self.x0.ndim], -1) @ self.slopes.T
        planes = self.y0 + along
        flat = self._flat(y)
        shape = np.broadcast_shapes(flat.shape[:-1], planes.shape[:-1])
        patched = np.array(np.broadcast_to(flat, (*shape, flat.shape[-1])))
        patched[..., self.mask.ravel()] = planes.astype(y.dtype, copy=False)
        return patched.reshape(*shape, *self.mask.shape)

    def outside(self, g: Array) -> Array:
        """A cotangent of the function without that of the planes."""
        return np.where(self.mask, 0, g).astype(g.dtype, copy=False)

    def pull(self, g: Array, dx: Array) -> Array:
        """The cotangent of x, given that of the function for the cotangent `outside` the planes."""
        along: Array = self._flat(g)[..., self.mask.ravel()] @ self.slopes
        beside = along.reshape(*along.shape[:-1], *self.x0.shape)
        return np.asarray(dx + beside, dx.dtype)

    def _flat(self, y: Array) -> Array:
        return y.reshape(*y.shape[: y.ndim - self.mask.ndim], prod(self.mask.shape))

    def same_as(self, other: object) -> bool:
        """Whether the same values follow the same planes."""
        return (
            isinstance(other, Planes)
            and np.array_equal(self.mask, other.mask)
            and np.array_equal(self.slopes, other.slopes)
        )
