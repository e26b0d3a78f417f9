"""Layers that run a batch beside a noisy copy of itself, for losses on what the noise changes.

A spec does not name them. Axes before an example's own are replicas; its first is the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array, Cotangents
from gradcli.core.cost import Cost, Operations, per_element
from gradcli.core.op import Buffer, Layer, Shape
from gradcli.core.param import Param
from gradcli.core.traits import LayerTraits

__all__ = ["CHANGE", "CLEAN", "NOISY_COPY"]

Pulled = tuple[Array, Callable[[Array], tuple[Array, Cotangents]]]


def _halves(x: Array, rank: int) -> tuple[Array, Array]:
    """The first half of a batch, and as many of those behind it."""
    batch = x.ndim - rank
    half = x.shape[batch] // 2
    first, second = np.split(x, [half], axis=batch)
    return first, second[(slice(None),) * batch + (slice(half),)]


def _half(shape: Shape) -> Shape:
    return (shape[0] // 2, *shape[1:])


def _doubled(shape: Shape, *, std: float) -> Shape:
    return (2 * shape[0], *shape[1:])


def _noise(shape: Shape, *, std: float) -> dict[str, Buffer]:
    return {"noise": Buffer(shape, lambda rng, shape: rng.standard_normal(shape))}


def _noisy_copy(x: Array, *, parameters: dict[str, Array], rank: int, std: float) -> Pulled:
    """The batch, and behind it the same plus noise that is drawn once."""
    noisy = x + std * parameters["noise"]

    def pullback(g: Array) -> tuple[Array, Cotangents]:
        clean, copy = _halves(g, rank)
        return clean + copy, {}

    return np.concatenate([x, noisy], axis=-rank), pullback


def _clean(x: Array, *, parameters: dict[str, Array], rank: int) -> Pulled:
    """The batch without its noisy copy."""

    def pullback(g: Array) -> tuple[Array, Cotangents]:
        return _padded(x, rank, g, np.zeros_like(g)), {}

    return _halves(x, rank)[0], pullback


def _change(x: Array, *, parameters: dict[str, Array], rank: int) -> Pulled:
    """By how much the batch differs from its noisy copy."""
    clean, copy = _halves(x, rank)
    return clean - copy, lambda g: (_padded(x, rank, g, -g), {})


def _padded(x: Array, rank: int, first: Array, second: Array) -> Array:
    """The two halves one behind the other, and zeros for a row without a partner."""
    rest = x.shape[-rank] - 2 * first.shape[-rank]
    shape = (*first.shape[:-rank], rest, *x.shape[x.ndim - rank + 1 :])
    return np.concatenate([first, second, np.zeros(shape, first.dtype)], axis=-rank)


def _bounded(bound: float, along: tuple[str, ...] = ()) -> Callable[..., LayerTraits]:
    """Traits of layers whose rows are not those of their input, and so count as coupled."""

    def traits(**_: Any) -> LayerTraits:
        return LayerTraits(
            couples_rows=True,
            keeps_features=True,
            homogeneous_with=along,
            lipschitz=lambda inputs, parameters: (bound,),
        )

    return traits


def _cost(each: int) -> Callable[..., Cost]:
    """Of a layer that takes so many operations for each entry of its output, or none and a view."""

    def cost(shape: Shape, **_: Any) -> Cost:
        size = math.prod(_half(shape))
        operations = Operations(elements=each * size)
        return Cost(forward=operations, backward=operations, scratch=(0, size), is_view=each == 0)

    return cost


NOISY_COPY: Final = Layer(
    name="noisy_copy",
    function=_noisy_copy,
    params=(Param("std", above=0, sweep=(0.1,)),),
    shapes=_doubled,
    buffers=_noise,
    traits=_bounded(math.sqrt(2), ("noise",)),
    cost=per_element(2, 1, scratch=(1, 0)),
)
CLEAN: Final = Layer(
    name="clean", function=_clean, shapes=_half, traits=_bounded(1.0), cost=_cost(0)
)
CHANGE: Final = Layer(
    name="change", function=_change, shapes=_half, traits=_bounded(math.sqrt(2)), cost=_cost(1)
)
