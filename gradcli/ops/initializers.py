"""How parameters are drawn. With `gain` 1 a rule is as it was published."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.core.registry import initializer

__all__: list[str] = []

Rng = np.random.Generator
GAIN = Param("gain", 1.0, at_least=0, sweep=(1.0, 2.5), doc="factor on the spread")


def _normal(rng: Rng, shape: Shape, std: float) -> Array:
    return std * rng.standard_normal(shape)


def _uniform(rng: Rng, shape: Shape, bound: float) -> Array:
    return rng.uniform(-bound, bound, shape)


def _constant_variance(fan_in: int, fan_out: int, **_: Any) -> float:
    return 0.0


@initializer("zeros", variance=_constant_variance)
def zeros(rng: Rng, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """All zeros: right for biases; as a weight it never lets units differ."""
    return np.zeros(shape)


@initializer("ones", variance=_constant_variance)
def ones(rng: Rng, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """All ones: right for the scale of a normalization."""
    return np.ones(shape)


@initializer("constant", params=[Param("value", sweep=(0.0, -2.5))], variance=_constant_variance)
def constant(rng: Rng, shape: Shape, fan_in: int, fan_out: int, *, value: float) -> Array:
    """One number everywhere."""
    return np.full(shape, value)


@initializer(
    "normal",
    params=[Param("std", at_least=0, sweep=(0.01, 2.0))],
    variance=lambda fan_in, fan_out, std: std**2,
)
def normal(rng: Rng, shape: Shape, fan_in: int, fan_out: int, *, std: float) -> Array:
    """Normal with mean 0 and a standard deviation of your own."""
    return _normal(rng, shape, std)


@initializer(
    "uniform",
    params=[Param("bound", at_least=0, sweep=(0.01, 2.0))],
    variance=lambda fan_in, fan_out, bound: bound**2 / 3,
)
def uniform(rng: Rng, shape: Shape, fan_in: int, fan_out: int, *, bound: float) -> Array:
    """Uniform between -bound and bound."""
    return _uniform(rng, shape, bound)


def _scaled(
    name: str,
    variance: Callable[[int, int], float],
    reference: str,
    summary: str,
    often_wrong: str = "",
) -> None:
    """Register a rule that fixes the variance, in its normal and its uniform form."""

    def claimed(fan_in: int, fan_out: int, *, gain: float) -> float:
        return gain**2 * variance(fan_in, fan_out)

    def draw_normal(rng: Rng, shape: Shape, fan_in: int, fan_out: int, *, gain: float) -> Array:
        return _normal(rng, shape, math.sqrt(claimed(fan_in, fan_out, gain=gain)))

    def draw_uniform(rng: Rng, shape: Shape, fan_in: int, fan_out: int, *, gain: float) -> Array:
        return _uniform(rng, shape, math.sqrt(3 * claimed(fan_in, fan_out, gain=gain)))

    for form, draw in (("normal", draw_normal), ("uniform", draw_uniform)):
        draw.__doc__ = f"{form.capitalize()} with variance {summary}."
        initializer(
            f"{name}_{form}",
            params=[GAIN],
            variance=claimed,
            references=[reference],
            often_wrong=often_wrong,
        )(draw)


_scaled(
    "xavier",
    lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot2010",
    "2/(fan_in + fan_out): keeps signals forward and gradients backward, on average",
    "Variance 1/fan_in, which is LeCun's rule: the two agree only where fan_in = fan_out.",
)
_scaled(
    "he",
    lambda fan_in, fan_out: 2 / fan_in,
    "he2015",
    "2/fan_in: makes up for the half of the signal that ReLU removes",
)
_scaled(
    "lecun",
    lambda fan_in, fan_out: 1 / fan_in,
    "lecun1998",
    "1/fan_in: keeps the variance of a linear layer's output",
)


@initializer(
    "orthogonal",
    params=[GAIN],
    variance=lambda fan_in, fan_out, gain: gain**2 / max(fan_in, fan_out),
    references=["saxe2014", "mezzadri2007"],
)
def orthogonal(rng: Rng, shape: Shape, fan_in: int, fan_out: int, *, gain: float) -> Array:
    """Orthonormal rows or columns, whichever are fewer, uniform over all such matrices, times gain.

    Axes after the first count as one. Raises ValueError for fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"orthogonal needs a matrix, got shape {shape}")
    count, features = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(count, features), min(count, features))))
    # QR leaves the signs open; fixing those of R's diagonal makes Q uniform (Mezzadri 2007).
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return gain * (q if count >= features else q.T).reshape(shape)


@initializer(
    "pytorch_default",
    variance=lambda fan_in, fan_out: 1 / (3 * fan_in),
    bias="pytorch_default",
    pytorch_fan=True,
)
def pytorch_default(rng: Rng, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """What PyTorch's layers draw, bias included: uniform between ±1/√fan_in.

    For a recurrent layer PyTorch puts the number of its units in place of every fan-in.
    """
    return _uniform(rng, shape, 1 / math.sqrt(fan_in))


@initializer("auto", resolves=True)
def auto(rng: Rng, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Whatever suits the next activation: He for rectifiers, LeCun for selu, Xavier otherwise."""
    raise TypeError("auto stands for another initializer and draws nothing itself")
