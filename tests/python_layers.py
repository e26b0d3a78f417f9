"""Layers as users write them, right and wrong, for the specs of the tests."""

from __future__ import annotations

import sys
from dataclasses import dataclass
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


# Right ones


class Saves(Dense):
    """Saves a dict, an object and a tuple."""

    @dataclass
    class Kept:
        slope: Array

    def forward(self, x: Array, parameters: Arrays) -> Any:
        y = super().forward(x, parameters)
        return y, {"slope": [self.Kept(1 - y**2), (x, "x")]}

    def backward(
        self, x: Any, parameters: Any, output: Any, cotangent: Any, saved: Any = None
    ) -> Any:
        kept, (x, _) = saved["slope"]
        g = cotangent * kept.slope
        return g @ parameters["weight"], {"weight": g.T @ x, "bias": g.sum(axis=0)}


class KeepsInSelf(Dense):
    """Caches its input in itself, and its gradients, as layers of small frameworks do."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = np.zeros(1)
        self.log = sys.stderr  # which cannot be copied

    def forward(self, x: Array, parameters: Arrays) -> Any:
        print("forward")
        self.x = x
        self.y = super().forward(x, parameters)
        self.calls += 1
        return self.y

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Any:
        self.gradients = super().backward(self.x, parameters, self.y, cotangent)
        return self.gradients


class Cube:
    """Has no parameters."""

    def forward(self, x: Array, parameters: Arrays) -> Array:
        return x**3

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Any:
        return cotangent * 3 * x**2


class Centred(Cube):
    """Couples the rows of a batch."""

    def forward(self, x: Array, parameters: Arrays) -> Any:
        return x - x.mean(axis=0)

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Any:
        return cotangent - cotangent.mean(axis=0), {}


class Ramp(Cube):
    """At a kink, the slope `at_zero`."""

    def __init__(self, at_zero: float = 0.0) -> None:
        self.at_zero = at_zero

    def forward(self, x: Array, parameters: Arrays) -> Any:
        return np.maximum(x, 0)

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Any:
        return cotangent * np.where(x == 0, self.at_zero, x > 0)


class ReluDense(Dense):
    """relu(x Wᵀ + b) with biases of zero."""

    def parameters(self, in_shape: tuple[int, ...], rng: np.random.Generator) -> Arrays:
        return {**super().parameters(in_shape, rng), "bias": np.zeros(self.units)}

    def forward(self, x: Array, parameters: Arrays) -> Any:
        return np.maximum(x @ parameters["weight"].T + parameters["bias"], 0)

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Any:
        g = self.factor * cotangent * (output > 0)
        return g @ parameters["weight"], {"weight": g.T @ x, "bias": g.sum(axis=0)}


class Dropout(Cube):
    """Draws its mask from a generator of its own."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def mask(self, x: Array) -> Array:
        return self.rng.random(x.shape) < 0.5

    def forward(self, x: Array, parameters: Arrays) -> Any:
        mask = self.mask(x)
        return x * mask, mask

    def backward(
        self, x: Any, parameters: Any, output: Any, cotangent: Any, saved: Any = None
    ) -> Any:
        return cotangent * saved


class GlobalDropout(Dropout):
    """Draws its mask from NumPy's global generator."""

    def mask(self, x: Array) -> Array:
        return np.random.random(x.shape) < 0.5  # noqa: NPY002


class Single(Dense):
    """Works in float32 inside."""

    def forward(self, x: Array, parameters: Arrays) -> Any:
        own = {name: value.astype(np.float32) for name, value in parameters.items()}
        return super().forward(x.astype(np.float32), own)


class OnlySingle(Dense):
    """Takes float32 and nothing else."""

    def forward(self, x: Array, parameters: Arrays) -> Any:
        if {x.dtype, *(value.dtype for value in parameters.values())} != {np.dtype(np.float32)}:
            raise TypeError("only float32")
        return super().forward(x, parameters)


# Wrong ones


class Wrong(Dense):
    """Has one thing wrong with its gradients, or does one thing it must not."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.total = np.zeros((4, 4))

    def forward(self, x: Array, parameters: Arrays) -> Any:
        y = super().forward(x, parameters)
        if self.how == "forward draws anew":
            return y * (np.random.default_rng().random(y.shape) < 0.5)
        if self.how == "forward changes x":
            x *= 2
        return (y, Saves.Kept(y.copy())) if self.how == "changes saved" else y

    def backward(
        self, x: Any, parameters: Any, output: Any, cotangent: Any, saved: Any = None
    ) -> Any:
        dx, gradients = super().backward(x, parameters, output, cotangent)
        dweight, dbias = gradients["weight"], gradients["bias"]
        match self.how:
            case "sign":
                return -dx, gradients
            case "factor":
                return dx, {"weight": 1.5 * dweight, "bias": dbias}
            case "zero":
                return 0 * dx, gradients
            case "transposed":
                return dx, {"weight": dweight.T, "bias": dbias}
            case "squared":
                return super().backward(x, parameters, output, cotangent * abs(cotangent))
            case "ignored":
                return super().backward(x, parameters, output, np.ones_like(cotangent))
            case "clipped":
                return np.clip(dx, -0.1, 0.1), gradients
            case "shape":
                return dx, {"weight": dweight[None], "bias": dbias}
            case "shape of dx":
                return dx.T, gradients
            case "missing":
                return dx, {"weight": dweight}
            case "unknown":
                return dx, {**gradients, "wieght": dweight}
            case "no pair":
                return dx
            case "none":
                return None, gradients
            case "complex":
                return dx, {"weight": dweight + 0j, "bias": dbias}
            case "whole":
                return np.rint(dx).astype(int), gradients
            case "nan":
                return dx, {"weight": dweight, "bias": dbias * np.nan}
            case "random":
                return dx * (np.random.default_rng().random(dx.shape) < 0.5), gradients
            case "adds up":
                self.total += dweight
                return dx, {"weight": self.total.copy(), "bias": dbias}
            case "changes x":
                x *= 2
            case "changes weight":
                parameters["weight"] += 1
            case "changes cotangent":
                cotangent *= 2
            case "changes output":
                output[0] = 0
            case "changes saved":
                saved.slope += 1
            case "raises":
                raise ValueError("not today")
            case "exits":
                sys.exit(0)
        return dx, gradients


class Fussy(Dense):
    """Goes wrong `where` it is said, once x is no longer what it was tried on."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def forward(self, x: Array, parameters: Arrays) -> Any:
        if self.where == "forward" and (x < 0).any():
            raise ValueError("a negative number")
        made = super().forward(x, parameters)
        if self.where == "nan" and (x < 0).any():
            return made * np.nan
        return made[:1] if self.where == "shape" and (x < 0).any() else made

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Any:
        if self.where == "backward":
            raise ValueError("no way back")
        return super().backward(x, parameters, output, cotangent)


class Fickle(Dense):
    """Has another shape for another seed."""

    def parameters(self, in_shape: tuple[int, ...], rng: np.random.Generator) -> Arrays:
        size = 1 + int(rng.integers(0, 1000))
        return {**super().parameters(in_shape, rng), "extra": np.zeros(size)}
