"""The dense layer."""

from __future__ import annotations

from math import prod
from typing import Any

from gradcli.core.arrays import Array, Cotangents, Parameters, like, rows, sum_rows
from gradcli.core.cost import Cost, Operations, matrix_product
from gradcli.core.op import Learned, Shape
from gradcli.core.param import Param
from gradcli.core.primitives import matmul, transpose
from gradcli.core.registry import layer
from gradcli.core.traits import LayerTraits
from gradcli.ops.features import require_features


def _shapes(shape: Shape, *, units: int, **_: Any) -> Shape:
    require_features(shape)
    return (*shape[:-1], units)


def _weights(shape: Shape, *, units: int, bias: bool, **_: Any) -> dict[str, Learned]:
    fan_in = shape[-1]
    learned = {"weight": Learned((units, fan_in), "init", fan_in, units)}
    if bias:
        learned["bias"] = Learned((units,), "bias_init", fan_in, units)
    return learned


def _traits(*, bias: bool, **_: Any) -> LayerTraits:
    affine: dict[str, tuple[str, ...]] = {
        "x": ("bo,oi->bi", "weight"),
        "weight": ("bo,bi->oi", "x"),
    }
    if bias:
        affine["bias"] = ("bo->o",)
    return LayerTraits(affine=affine, homogeneous_with=("bias",) if bias else (), mixing="weight")


def _cost(shape: Shape, *, units: int, bias: bool, **_: Any) -> Cost:
    """A product of matrices forward, and two backward: for the input, and for the weight."""
    count, features = prod(shape[:-1]), shape[-1]
    to_input = matrix_product(count, units, features)
    to_weight = matrix_product(units, count, features)
    return Cost(
        forward=matrix_product(count, features, units) + Operations(0, bias * count * units),
        backward=to_input + to_weight + Operations(0, bias * (count - 1) * units),
        scratch=(bias * count * units, 0),
    )


@layer(
    "dense",
    known_as=["fully connected", "affine layer"],
    aliases=["linear"],
    params=[
        Param("units", kind="integer", at_least=1, sweep=(1, 3)),
        Param("init", "auto", kind="initializer"),
        Param("bias", True, kind="boolean", sweep=(True, False)),
        Param("bias_init", "zeros", kind="initializer"),
    ],
    shapes=_shapes,
    weights=_weights,
    traits=_traits,
    cost=_cost,
)
def dense(x: Array, *, parameters: Parameters, rank: int, **_: Any) -> tuple[Array, Any]:
    """Every unit a weighted sum of all features: y = x Wᵀ + b.

    `weight` has the shape (units, fan-in), `bias` (units,), as in PyTorch.
    """
    weight = parameters["weight"]
    flat = rows(x, rank)
    y = matmul(flat, transpose(weight))
    if "bias" in parameters:
        y = y + like(parameters["bias"], 1, 2)
    y = y.reshape(*y.shape[:-2], *x.shape[x.ndim - rank : -1], y.shape[-1])

    def pullback(g: Array) -> tuple[Array, Cotangents]:
        g_rows = rows(g, rank)
        dx = matmul(g_rows, weight)
        cotangents = {"weight": matmul(transpose(g_rows), flat)}
        if "bias" in parameters:
            cotangents["bias"] = sum_rows(g_rows, 2)
        return dx.reshape(*dx.shape[:-2], *x.shape[x.ndim - rank : -1], dx.shape[-1]), cotangents

    return y, pullback
