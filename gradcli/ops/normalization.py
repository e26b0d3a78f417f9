"""Layers that bring their inputs to unit size, by statistics over the rows or over the features."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Parameters, like, sum_rows
from gradcli.core.cost import Cost, Operations
from gradcli.core.op import Buffer, Learned, Shape
from gradcli.core.param import Param
from gradcli.core.registry import layer
from gradcli.core.traits import LayerTraits, Normalization
from gradcli.ops.activations import Value
from gradcli.ops.features import require_features

__all__: list[str] = []

_MODES: Final = ("train", "eval")
_EPS: Final = Param("eps", 1e-5, above=0, sweep=(1e-5, 0.1), doc="added to the variance")
_AFFINE: Final = Param(
    "affine", True, kind="boolean", sweep=(True, False), doc="learn a weight (and bias) by feature"
)

Axes = tuple[int, ...]


def _mean(x: Array, axes: Axes) -> Array:
    """Over some axes, which stay with length 1; of small arrays faster than NumPy's `mean`."""
    mean: Array = np.add.reduce(x, axis=axes, keepdims=True) / prod(x.shape[axis] for axis in axes)
    return mean


def _scale(x: Array, axes: Axes, eps: float, *, centred: bool) -> tuple[Array, Array]:
    """What is normalised, x or its deviation from the mean, and one over its root mean square."""
    deviation = x - _mean(x, axes) if centred else x
    square = _mean(deviation * deviation, axes)
    return deviation, 1 / np.sqrt(square + eps)


def _normalised(x: Array, axes: Axes, eps: float, *, centred: bool = True) -> Value:
    """(x - mean)/√(variance + eps) over some axes, counted from the last; mean 0 if not centred.

    The pullback goes through the statistics too: what changes nothing but the mean or the size of
    x is taken out of the cotangent.
    """
    deviation, scale = _scale(x, axes, eps, centred=centred)
    y = deviation * scale

    def pullback(g: Array) -> Array:
        rest = y * _mean(g * y, axes)
        if centred:
            rest = rest + _mean(g, axes)
        dx: Array = scale * (g - rest)
        return dx

    return y, pullback


def _rescaled(
    y: Array, pull: Callable[[Array], Array], parameters: Parameters, rank: int
) -> tuple[Array, Any]:
    """Times the weight plus the bias of each feature, as far as there are such parameters."""
    weight, bias = (
        like(parameters[name], 1, rank) if name in parameters else None
        for name in ("weight", "bias")
    )

    def pullback(g: Array) -> tuple[Array, Cotangents]:
        cotangents = {}
        if weight is not None:
            cotangents["weight"] = sum_rows(g * y, rank)
        if bias is not None:
            cotangents["bias"] = sum_rows(g, rank)
        return pull(g if weight is None else g * weight), cotangents

    scaled = y if weight is None else y * weight
    return (scaled if bias is None else scaled + bias), pullback


def _cost(
    shape: Shape, groups: int, *, affine: int, statistics: tuple[int, int], scratch: tuple[int, int]
) -> Cost:
    """Of a layer that divides each of some groups by its size, and learns `affine` parameters.

    `statistics` are operations by element, forward and backward, without those of the parameters.
    """
    size, learned = prod(shape), min(affine, 1)
    forward, backward = statistics
    return Cost(
        forward=Operations(elements=(forward + affine) * size + 3 * groups),
        backward=Operations(elements=(backward + affine + 2 * learned) * size - affine * shape[-1]),
        kept=learned * size + groups,
        scratch=(scratch[0] * size, (scratch[1] + learned) * size),
    )


def _batch_cost(shape: Shape, *, mode: str, affine: bool, **_: Any) -> Cost:
    train = mode == "train"
    return _cost(
        shape,
        shape[-1],
        affine=2 * affine,
        statistics=(5, 7) if train else (2, 1),
        scratch=(1, 2) if train else (1, 0),
    )


def _row_cost(*, centred: bool) -> Callable[..., Cost]:
    def cost(shape: Shape, *, affine: bool, **_: Any) -> Cost:
        return _cost(
            shape,
            prod(shape[:-1]),
            affine=affine * (2 if centred else 1),
            statistics=(5, 7) if centred else (3, 5),
            scratch=(1 if centred else 0, 2),
        )

    return cost


def _weights(shape: Shape, *, affine: bool, **_: Any) -> dict[str, Learned]:
    if not affine:
        return {}
    return {"weight": Learned(shape[-1:], 1.0), "bias": Learned(shape[-1:], 0.0)}


def _features_kept(shape: Shape, **_: Any) -> Shape:
    require_features(shape)
    return shape


def _affine(affine: bool) -> dict[str, tuple[str, ...]]:
    return {"bias": ("bo->o",)} if affine else {}


def _batch_shapes(shape: Shape, *, mode: str, **_: Any) -> Shape:
    require_features(shape)
    if mode == "train" and prod(shape[:-1]) < 2:
        raise ValueError(
            "needs more than one row in train mode, since one value has no variance; "
            f"got shape {shape}"
        )
    return shape


def _batch_buffers(shape: Shape, *, mode: str, **_: Any) -> dict[str, Buffer]:
    if mode == "train":
        return {}
    return {
        "running_mean": Buffer(shape[-1:], 0.0),
        "running_var": Buffer(shape[-1:], 1.0, at_least=0.0),
    }


def _batch_traits(*, mode: str, eps: float, affine: bool) -> LayerTraits:
    def lipschitz(inputs: tuple[Array, ...], parameters: Parameters) -> tuple[float, ...]:
        if mode == "train":
            (x,) = inputs
            _, scale = _scale(x, tuple(range(x.ndim - 1)), eps, centred=True)
        else:
            scale = 1 / np.sqrt(parameters["running_var"] + eps)
        return (float(np.abs(scale * parameters.get("weight", 1.0)).max()),)

    along = ("running_mean", "bias") if affine else ("running_mean",)
    return LayerTraits(
        couples_rows=mode == "train",
        keeps_features=True,
        affine=_affine(affine),
        homogeneous_with=None if mode == "train" else along,
        lipschitz=lipschitz,
        normalizes=Normalization("rows" if mode == "train" else "stored", eps),
    )


@layer(
    "batch_norm",
    known_as=["batch normalization", "batchnorm"],
    params=[
        Param("mode", "train", kind="choice", choices=_MODES, sweep=_MODES),
        _EPS,
        _AFFINE,
    ],
    cost=_batch_cost,
    references=["ioffe2015"],
    shapes=_batch_shapes,
    weights=_weights,
    buffers=_batch_buffers,
    traits=_batch_traits,
)
def batch_norm(
    x: Array, *, parameters: Parameters, rank: int, mode: str, eps: float, **_: Any
) -> tuple[Array, Any]:
    """Each feature with mean 0 and variance 1 over all rows: weight·(x - mean)/√(var + eps) + bias.

    In train mode mean and (biased) variance are those of the batch, so that every row depends on
    all others and the gradient passes through both. In eval mode they are the buffers
    `running_mean` and `running_var`. Train mode needs more than one row.
    """
    if mode == "train":
        return _rescaled(*_normalised(x, tuple(range(-rank, -1)), eps), parameters, rank)
    mean, variance = (like(parameters[name], 1, rank) for name in ("running_mean", "running_var"))
    scale = 1 / np.sqrt(variance + eps)
    return _rescaled((x - mean) * scale, lambda g: g * scale, parameters, rank)


def _row_traits(*, centred: bool) -> Callable[..., LayerTraits]:
    def traits(*, eps: float, affine: bool) -> LayerTraits:
        def lipschitz(inputs: tuple[Array, ...], parameters: Parameters) -> tuple[float, ...]:
            _, scale = _scale(inputs[0], (-1,), eps, centred=centred)
            return (float(scale.max() * np.abs(parameters.get("weight", 1.0)).max()),)

        return LayerTraits(
            affine=_affine(affine and centred),
            lipschitz=lipschitz,
            normalizes=Normalization("features", eps, centred),
        )

    return traits


@layer(
    "layer_norm",
    known_as=["layer normalization", "layernorm"],
    params=[_EPS, _AFFINE],
    cost=_row_cost(centred=True),
    references=["ba2016"],
    shapes=_features_kept,
    weights=_weights,
    traits=_row_traits(centred=True),
)
def layer_norm(
    x: Array, *, parameters: Parameters, rank: int, eps: float, **_: Any
) -> tuple[Array, Any]:
    """Each row with mean 0 and variance 1 over its features, times a weight, plus a bias.

    Rows stay independent, and training and evaluation are the same.
    """
    return _rescaled(*_normalised(x, (-1,), eps), parameters, rank)


@layer(
    "rms_norm",
    known_as=["rmsnorm"],
    params=[_EPS, _AFFINE],
    cost=_row_cost(centred=False),
    references=["zhang2019"],
    shapes=_features_kept,
    weights=lambda shape, affine, **_: {"weight": Learned(shape[-1:], 1.0)} if affine else {},
    traits=_row_traits(centred=False),
)
def rms_norm(
    x: Array, *, parameters: Parameters, rank: int, eps: float, **_: Any
) -> tuple[Array, Any]:
    """Each row with root mean square 1 over its features, times a weight: no mean is taken off."""
    return _rescaled(*_normalised(x, (-1,), eps, centred=False), parameters, rank)
