"""All parameters as one vector, which optimizers and clipping work on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from gradcli.core.arrays import Array, norm
from gradcli.core.op import Shape

__all__ = ["Packing", "cosine"]


class Packing:
    """Where each parameter lies in the vector."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self.shapes = dict(shapes)
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()], dtype=int)
        starts = [0, *ends[:-1]]
        self.places = {
            name: slice(int(start), int(end))
            for name, start, end in zip(self.shapes, starts, ends, strict=True)
        }

    def packed(self, arrays: Mapping[str, Array]) -> Array:
        """The arrays of these names, one behind the other."""
        return np.concatenate([arrays[name].ravel() for name in self.shapes])

    def unpacked(self, vector: Array) -> dict[str, Array]:
        """The vector's parts by name, in their shapes."""
        return {
            name: vector[place].reshape(self.shapes[name]) for name, place in self.places.items()
        }


def cosine(first: Array, second: Array) -> float:
    """Of the angle between two vectors; NaN where one is zero or not finite."""
    sizes = norm(first), norm(second)
    if not all(0 < size < math.inf for size in sizes):
        return math.nan
    product = (first.astype(np.float64) / sizes[0]) @ (second.astype(np.float64) / sizes[1])
    return float(np.clip(product, -1.0, 1.0))
