"""Array types shared by every op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["Array", "Cotangents", "Mask", "Parameters", "Pullback", "like", "rows", "sum_rows"]

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
