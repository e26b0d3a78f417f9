"""Layers in Python whose gradients are right, exactly or nearly: what the second order makes of it.

All compute the softplus log(1 + exp(x)), elementwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]


class Exact:
    """Right."""

    def forward(self, x: Array, parameters: Arrays) -> Array:
        return np.logaddexp(0, x)

    def slope(self, x: Array) -> Array:
        return 1 / (1 + np.exp(-x))

    def backward(self, x: Array, parameters: Arrays, output: Array, cotangent: Array) -> Array:
        return cotangent * self.slope(x)


class OnlyReal(Exact):
    """Right, and refuses or drops whatever is not real."""

    def forward(self, x: Array, parameters: Arrays) -> Array:
        y = np.zeros(x.shape)
        y[...] = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        return y

    def slope(self, x: Array) -> Array:
        return np.array([1 / (1 + np.exp(-float(each))) for each in x.ravel()]).reshape(x.shape)


class Branches(Exact):
    """Right, in one of two ways on either side of zero."""

    def slope(self, x: Array) -> Array:
        small = np.exp(-np.abs(x))
        return np.where(x > 0, 1 / (1 + small), small / (1 + small))


class Rounded(Exact):
    """Its slope is rounded to multiples of 5e-7."""

    def slope(self, x: Array) -> Array:
        return np.round(super().slope(x) / 5e-7) * 5e-7


class Table(Exact):
    """Its slope is looked up among values that are close together, the nearest one."""

    def slope(self, x: Array) -> Array:
        return 1 / (1 + np.exp(-np.round(x, 6)))


class Detached(Exact):
    """A ripple that is far below the grade, and turns fast."""

    def slope(self, x: Array) -> Array:
        return super().slope(x) * (1 + 1e-7 * np.sin(1e6 * x))
