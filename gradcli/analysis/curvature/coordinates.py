"""All parameters of a model as one vector: where each stands in it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import prod

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Shape
from gradcli.core.record import Record

__all__ = ["Coordinates"]


class Coordinates(Record):
    """The places of parameters, given by name with their shapes, in a vector of all of them."""

    shapes: Mapping[str, Shape]

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where each parameter stands."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            found[name] = slice(start, start + prod(shape))
            start += prod(shape)
        return found

    @property
    def size(self) -> int:
        """How many numbers there are in all."""
        return sum(map(prod, self.shapes.values()))

    def blocks(self) -> dict[str, slice]:
        """The places of each layer's parameters together, by the layer's name."""
        found: dict[str, slice] = {}
        for name, place in self.places.items():
            layer = name.rpartition(".")[0] or name
            start = found[layer].start if layer in found else place.start
            found[layer] = slice(start, place.stop)
        return found

    def split(self, vectors: Array) -> dict[str, Array]:
        """Parameters by name from vectors (..., size), whose first axes stay in front."""
        copies = vectors.shape[:-1]
        return {
            name: vectors[..., place].reshape(*copies, *self.shapes[name])
            for name, place in self.places.items()
        }

    def join(self, arrays: Mapping[str, Array], copies: Shape = ()) -> Array:
        """The vectors (*copies, size) of arrays by name; one that does not vary is repeated."""
        found = np.empty((*copies, self.size))
        for name, place in self.places.items():
            array, shape = arrays[name], self.shapes[name]
            whole = np.broadcast_to(array, (*copies, *shape))
            found[..., place] = whole.reshape(*copies, -1)
        return found
