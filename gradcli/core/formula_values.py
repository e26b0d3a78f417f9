"""Arrays with an own rank: lining up operands, and bringing cotangents back to their shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradcli.core.arrays import Array, Mask, like
from gradcli.core.op import Shape

__all__ = ["Pull", "Through", "Value", "align", "unbroadcast", "unbroadcast_mask"]

Pull = Callable[[Array], Array]
"""Cotangent of a result -> that of one operand, before it is summed to the operand's shape."""


class Value(NamedTuple):
    """An array of which the last `rank` axes are its own; those before are replicas."""

    array: Array
    rank: int

    @property
    def own(self) -> Shape:
        return self.array.shape[self.array.ndim - self.rank :]

    @property
    def replicas(self) -> Shape:
        return self.array.shape[: self.array.ndim - self.rank]


@dataclass(frozen=True)
class Through:
    """Pullback to an operand that reaches the result only where `taken` holds, there times `share`.

    Elsewhere the operand does not matter, whatever its slope: an infinite one included.
    """

    taken: Mask
    share: Array | float = 1.0

    def __call__(self, g: Array) -> Array:
        return np.where(self.taken, g * self.share, np.zeros_like(g))


def align(values: list[Value]) -> tuple[list[Array], int]:
    """Arrays that broadcast the way NumPy broadcasts their own axes, and the rank of the result."""
    rank = max(value.rank for value in values)
    arrays = [
        value.array if value.rank == rank else like(value.array, value.rank, rank)
        for value in values
    ]
    return arrays, rank


def _stretched(array: Array, rank: int, own: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes of `array` that broadcasting put before `own`, and those that it stretched from 1."""
    first = array.ndim - rank
    added = tuple(range(first, first + rank - len(own)))
    start = array.ndim - len(own)
    stretched = tuple(
        start + axis
        for axis, length in enumerate(own)
        if length == 1 and array.shape[start + axis] != 1
    )
    return added, stretched


def unbroadcast(g: Array, rank: int, own: Shape) -> Array:
    """The cotangent of a result of `rank` own axes, summed to an operand's own shape.

    Replica axes stay, also those that the operand lacks.
    """
    added, stretched = _stretched(g, rank, own)
    if stretched:
        g = g.sum(axis=stretched, keepdims=True)
    return g.sum(axis=added) if added else g


def unbroadcast_mask(mask: Mask, rank: int, own: Shape) -> Mask:
    """Like `unbroadcast`: an entry counts when any entry that it was stretched to does."""
    added, stretched = _stretched(mask, rank, own)
    if stretched:
        mask = np.asarray(mask.any(axis=stretched, keepdims=True))
    return np.asarray(mask.any(axis=added)) if added else mask
