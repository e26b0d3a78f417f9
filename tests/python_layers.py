"""Layers as users write them, right and wrong, for the specs of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]


class Dense:
    """tanh(x Wᵀ + b), whose backward puts a factor on everything."""

    def __init__(self, units: int = 4, factor: float = 1.0) -> None:
        self.units, self.factor = units, factor

    def parameters(self, in_shape: tuple[int, ...], rng: np.random.Generator) -> Arrays:
        weight = rng.standard_normal((self.units, in_shape[-1])) / in_shape[-1] ** 0.5
        return {"weight": weight, "bias": rng.standard_normal(self.units) / 10}

    def forward(self, x: Array, parameters: Arrays) -> Any:
        return np.tanh(x @ parameters["weight"].T + parameters["bias"])

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Any:
        g = self.factor * cotangent * (1 - output**2)
        return g @ parameters["weight"], {"weight": g.T @ x, "bias": g.sum(axis=0)}
