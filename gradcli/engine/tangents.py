"""Tangents of many copies of a slot: a unit moved in all rows at once, kept as small as can be.

One unit's move is the same pattern in every row, up to a factor by row. It stays so through
elementwise nodes, which scale it, and through the first node that is linear in it; so the largest
product of a numeric cotangent is over units alone, not over units times rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["Tangents", "one_hot"]


class Tangents(Record):
    """Tangents (copies, rows, *own): `scale` (copies, rows) times `pattern` (copies, 1, *own).

    `units` are those that move where each copy still moves one unit alone. Without a `scale` the
    pattern is the tangents themselves, rows included.
    """

    pattern: Array
    scale: Array | None = None
    units: slice | None = None

    @classmethod
    def of_units(cls, units: slice, shape: tuple[int, ...]) -> Tangents:
        """One unit a copy of a slot of this shape (rows, *own) moved by 1 in all rows."""
        rows, *own = shape
        ones = np.ones((units.stop - units.start, rows))
        return cls(one_hot(units, tuple(own))[:, None], ones, units)

    @property
    def full(self) -> Array:
        """The tangents written out (copies, rows, *own)."""
        if self.scale is None:
            return self.pattern
        return self.scale.reshape(*self.scale.shape, *(1,) * (self.pattern.ndim - 2)) * self.pattern

    def scaled(self, slopes: Array) -> Tangents:
        """Through an elementwise node with these slopes (rows, *own)."""
        if self.units is None or self.scale is None:
            return Tangents(self.full * slopes)
        by_unit = slopes.reshape(len(slopes), -1)[:, self.units]
        return self.replace(scale=self.scale * by_unit.T)

    def mapped(self, linear: Callable[[Array], Array]) -> Tangents:
        """Through a node that is linear and takes rows one by one."""
        return self.replace(pattern=linear(self.pattern), units=None)

    def dot(self, cotangent: Array) -> Array:
        """Products by row (copies, rows) with a cotangent (rows, *own)."""
        flat = cotangent.reshape(len(cotangent), -1)
        if self.scale is not None and self.units is not None:
            return self.scale * flat[:, self.units].T
        pattern = self.pattern.reshape(*self.pattern.shape[:2], -1)
        if self.scale is not None and pattern.shape[1] == 1:
            return np.asarray(self.scale * (pattern[:, 0] @ flat.T))
        by_row: Array = np.einsum("cbf,bf->cb", pattern, flat)
        return by_row if self.scale is None else self.scale * by_row

    def spread(self, doubt: Array) -> Array:
        """How far independent doubts (rows, *own) of a cotangent move its products, by row.

        The root of the sum of squares, taken relative to the largest so that none vanishes.
        """
        most = float(doubt.max(initial=0.0)) or 1.0
        steepest = float(np.abs(self.pattern).max(initial=0.0)) or 1.0
        squares = Tangents(np.square(self.pattern / steepest), None, self.units)
        if self.scale is None:
            return most * steepest * np.sqrt(squares.dot(np.square(doubt / most)))
        squares = squares.replace(scale=np.ones_like(self.scale))
        moved = np.sqrt(squares.dot(np.square(doubt / most)))
        return most * steepest * np.abs(self.scale) * moved


def one_hot(places: slice, shape: tuple[int, ...]) -> Array:
    """Copies (size, *shape) that are zero but for 1 in one of these places each."""
    size = places.stop - places.start
    pattern = np.zeros((size, int(np.prod(shape, dtype=int))))
    pattern[np.arange(size), np.arange(places.start, places.stop)] = 1.0
    return pattern.reshape(size, *shape)
