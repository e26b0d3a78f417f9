"""Dropout, with a mask that stays as it was drawn."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Parameters
from gradcli.core.cost import per_element
from gradcli.core.op import Buffer, Shape
from gradcli.core.param import Param
from gradcli.core.registry import layer
from gradcli.core.traits import LayerTraits


def _mask(rng: np.random.Generator, shape: Shape, *, p: float) -> Array:
    """1 where an entry is kept and 0, with probability p, where it is dropped."""
    return (rng.random(shape) >= p).astype(np.float64)


def _traits(*, p: float) -> LayerTraits:
    def lipschitz(inputs: tuple[Array, ...], parameters: Parameters) -> tuple[float, ...]:
        return (float(parameters["mask"].max()) / (1 - p),)

    return LayerTraits(
        keeps_features=True, homogeneous_with=(), lipschitz=lipschitz, noise=p / (1 - p)
    )


@layer(
    "dropout",
    params=[
        Param("p", at_least=0, below=1, sweep=(0.0, 0.1, 0.5), doc="share of entries dropped"),
    ],
    cost=per_element(2, 1, kept=1),
    references=["srivastava2014"],
    buffers=lambda shape, p: {"mask": Buffer(shape, partial(_mask, p=p), at_least=0.0)},
    traits=_traits,
)
def dropout(x: Array, *, parameters: Parameters, rank: int, p: float) -> tuple[Array, Any]:
    """Each entry dropped with probability p, the rest divided by 1 - p: y = x·mask/(1 - p).

    The expectation over masks is x. The mask is a buffer as large as the input: it is drawn once
    for a model, from the model's seed, and stays the same forward, backward, and wherever a
    gradient is checked.
    """
    scale = parameters["mask"] / (1 - p)

    def pullback(g: Array) -> tuple[Array, Cotangents]:
        return g * scale, {}

    return x * scale, pullback
