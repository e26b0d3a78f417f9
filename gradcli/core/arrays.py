"""Array types shared by every op, and what is done with arrays everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

__all__ = [
    "Array",
    "Cotangents",
    "Mask",
    "Parameters",
    "Pullback",
    "like",
    "norm",
    "rows",
    "sum_rows",
]

# what numpy.typing.NDArray stands for, without the import
Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
Mask = np.ndarray[tuple[Any, ...], np.dtype[np.bool_]]
Parameters = Mapping[str, Array]
Cotangents = dict[str, Array]
Pullback = Callable[[Array], tuple[tuple[Array, ...], Cotangents]]
"""Cotangent of an output -> (cotangents of the inputs, cotangents of the parameters by name)."""


def rows(x: Array, rank: int) -> Array:
    """All row axes of an example of `rank` axes as one: (..., B, T, F) -> (..., B*T, F)."""
    replicas = x.shape[: x.ndim - rank]
    return x.reshape(*replicas, -1, x.shape[-1])


def sum_rows(x: Array, rank: int) -> Array:
    """Sum over the row axes of an example: (..., B, T, F) -> (..., F)."""
    return np.asarray(x.sum(axis=tuple(range(x.ndim - rank, x.ndim - 1))))


def like(parameter: Array, own_rank: int, rank: int) -> Array:
    """A parameter of `own_rank` axes, shaped to broadcast against an example of `rank` axes.

    Replica axes of the parameter stay in front: (R, F) against (R, B, T, F) becomes (R, 1, 1, F).
    """
    replicas = parameter.shape[: parameter.ndim - own_rank]
    own = parameter.shape[parameter.ndim - own_rank :]
    return parameter.reshape(*replicas, *(1,) * (rank - own_rank), *own)


_SQUARES: Final = (1e-140, 1e150)
"""Between these, the squares that make up a norm neither vanish nor overflow in float64."""


def norm(values: Array) -> float:
    """The Euclidean norm of all entries, in float64, whatever becomes of their squares.

    Infinite where an entry is, NaN where one is NaN.
    """
    wide = values.astype(np.float64, copy=False).ravel()
    with np.errstate(over="ignore"):
        size = float(np.linalg.norm(wide))
    if _SQUARES[0] < size < _SQUARES[1]:
        return size
    largest = float(np.abs(wide).max(initial=0.0))
    if not 0 < largest < math.inf:
        return largest
    with np.errstate(over="ignore"):  # no quotient is above 1, though NumPy 1.26 may say so
        return largest * float(np.linalg.norm(wide / largest))
