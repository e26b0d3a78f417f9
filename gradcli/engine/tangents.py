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

__all__ = ["Tangents"]


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
        size = units.stop - units.start
        return cls(_one_hot(units, tuple(own))[:, None], np.ones((size, rows)), units)

    @classmethod
    def of_entries(cls, entries: slice, shape: tuple[int, ...]) -> Tangents:
        """One entry a copy of a slot of this shape moved by 1, in its own row alone."""
        return cls(_one_hot(entries, shape))

    @property
    def full(self) -> Array:
        """The tangents written out (copies, rows, *own)."""
        if self.scale is None:
            return self.pattern
        return self.scale.reshape(*self.scale.shape, *(1,) * (self.pattern.ndim - 2)) * self.pattern

    def scaled(self, slopes: Array) -> Tangents:
        """Through an elementwise node with these slopes (rows, *own)."""
        if self.units is None or self.scale is None:
            full = self.full
            return Tangents(full * slopes)
        by_unit = slopes.reshape(len(slopes), -1)[:, self.units]
        return self.replace(scale=self.scale * by_unit.T)

    def mapped(self, linear: Callable[[Array], Array]) -> Tangents:
        """Through a node that is linear and maps every row alike."""
        return self.replace(pattern=linear(self.pattern), units=None)


def _one_hot(places: slice, shape: tuple[int, ...]) -> Array:
    size = places.stop - places.start
    pattern = np.zeros((size, int(np.prod(shape, dtype=int))))
    pattern[np.arange(size), np.arange(places.start, places.stop)] = 1.0
    return pattern.reshape(size, *shape)
