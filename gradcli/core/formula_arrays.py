"""The functions of formulas that read whole arrays: reductions, softmax and products of matrices.

They act on own axes only; replica axes pass through. A negative axis counts from the end, as in
NumPy; without an axis, a reduction is over all own axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcli.core import primitives
from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import took_branch
from gradcli.core.formula_functions import Function
from gradcli.core.formula_values import Pull, Value, align, unbroadcast, unbroadcast_mask
from gradcli.core.op import Shape

__all__ = ["ARRAY_FUNCTIONS", "MATMUL", "Spread"]

Result = tuple[Value, tuple[Pull, ...]]


@dataclass(frozen=True)
class Spread:
    """A pullback that moves entries about: `mask` says which operand entries given ones reach."""

    pull: Pull
    mask: Callable[[Mask], Mask]

    def __call__(self, g: Array) -> Array:
        return self.pull(g)


def _axis(rank: int, axis: int | None) -> tuple[int, ...]:
    """The axes of a reduction, counted from the end."""
    if axis is None:
        return tuple(range(-rank, 0))
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} does not exist in an array of {rank} axes")
    return (axis if axis < 0 else axis - rank,)


def _reduced_shape(shape: Shape, axis: int | None) -> Shape:
    dropped = _axis(len(shape), axis)
    return tuple(n for i, n in enumerate(shape) if i - len(shape) not in dropped)


def _reduced(
    x: Value, axis: int | None, reduce: Callable[[Array, tuple[int, ...]], Array]
) -> tuple[Value, Callable[[Array], Array]]:
    """The reduced value, and a function that stretches an array of its shape to that of x."""
    axes = _axis(x.rank, axis)
    if not axes:
        return x, lambda g: g
    y = reduce(x.array, axes)

    def stretch(g: Array) -> Array:
        # From the last axis of the result on, so that negative positions hold at each insertion.
        for position in sorted(axes, reverse=True):
            g = np.expand_dims(g, position)
        return np.broadcast_to(g, (*g.shape[: g.ndim - x.rank], *x.own))

    return Value(y, x.rank - len(axes)), stretch


def _sum(x: Value, axis: int | None) -> Result:
    y, stretch = _reduced(x, axis, lambda array, axes: array.sum(axis=axes))
    return y, (Spread(stretch, stretch),)


def _mean(x: Value, axis: int | None) -> Result:
    y, stretch = _reduced(x, axis, lambda array, axes: array.mean(axis=axes))
    count = np.prod([x.own[a] for a in _axis(x.rank, axis)], dtype=np.int64)
    return y, (Spread(lambda g: stretch(g) / np.asarray(count, g.real.dtype), stretch),)


def _max_shape(shape: Shape, axis: int | None) -> Shape:
    if not all(shape[position] for position in _axis(len(shape), axis)):
        raise ValueError("max of no entries at all")
    return _reduced_shape(shape, axis)


def _max(x: Value, axis: int | None) -> Result:
    """The largest by real part, the first of equal ones; their slopes are shared evenly."""
    axes = _axis(x.rank, axis)
    largest = x.array.real.max(axis=axes, keepdims=True)
    attained = x.array.real == largest
    took_branch(attained)

    def reduce(array: Array, axes: tuple[int, ...]) -> Array:
        first = array.ndim - len(axes)
        moved = np.moveaxis(array, axes, tuple(range(first, array.ndim)))
        flat = moved.reshape(*moved.shape[:first], -1)
        chosen = np.argmax(flat.real, axis=-1)[..., None]
        return np.take_along_axis(flat, chosen, axis=-1)[..., 0]

    y, stretch = _reduced(x, axis, reduce)
    share = attained / attained.sum(axis=axes, keepdims=True).astype(x.array.real.dtype)
    return y, (Spread(lambda g: stretch(g) * share, stretch),)


def _softmax_shape(shape: Shape, axis: int | None) -> Shape:
    if not shape:
        raise ValueError("softmax needs an array with an axis")
    _axis(len(shape), -1 if axis is None else axis)
    return shape


def _softmax(x: Value, axis: int | None) -> Result:
    """exp(x) / Σ exp(x) along one axis, by default the last."""
    (position,) = _axis(x.rank, -1 if axis is None else axis)
    shifted = np.exp(x.array - x.array.real.max(axis=position, keepdims=True))
    y = shifted / shifted.sum(axis=position, keepdims=True)

    def mask(live: Mask) -> Mask:
        return np.broadcast_to(live.any(axis=position, keepdims=True), live.shape)

    def pull(g: Array) -> Array:
        weighted: Array = g * y
        pulled: Array = weighted - y * weighted.sum(axis=position, keepdims=True)
        return pulled

    return Value(y, x.rank), (Spread(pull, mask),)


def _transpose_shape(shape: Shape) -> Shape:
    if len(shape) < 2:
        raise ValueError(f"transpose needs an array of at least 2 axes, got {len(shape)}")
    return (*shape[:-2], shape[-1], shape[-2])


def _transpose(x: Value) -> Result:
    """The last two axes exchanged."""
    pull = Spread(primitives.transpose, primitives.transpose)
    return Value(primitives.transpose(x.array), x.rank), (pull,)


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if not (a and b):
        raise ValueError("a matrix product needs arrays on both sides, use * for numbers")
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    if left[-1] != right[-2]:
        raise ValueError(f"a matrix product of shapes {a} and {b} is not possible")
    stack = np.broadcast_shapes(left[:-2], right[:-2])
    return (*stack, *left[-2:-1][: len(a) > 1], *right[-1:][: len(b) > 1])


def _matmul(a: Value, b: Value) -> Result:
    """The matrix product, for operands of one axis and of stacked matrices too, as in NumPy."""
    left = a if a.rank > 1 else Value(a.array[..., None, :], 2)
    right = b if b.rank > 1 else Value(b.array[..., :, None], 2)
    (x, y), rank = align([left, right])
    dropped = tuple(axis for axis, value in ((-2, a), (-1, b)) if value.rank == 1)

    def matrices(g: Array) -> Array:
        for axis in sorted(dropped, reverse=True):
            g = np.expand_dims(g, axis)
        return g

    def pull_left(g: Array) -> Array:
        d = unbroadcast(primitives.matmul(matrices(g), primitives.transpose(y)), rank, left.own)
        return d if a.rank > 1 else d[..., 0, :]

    def pull_right(g: Array) -> Array:
        d = unbroadcast(primitives.matmul(primitives.transpose(x), matrices(g)), rank, right.own)
        return d if b.rank > 1 else d[..., :, 0]

    def mask_left(live: Mask) -> Mask:
        reached = matrices(live).any(axis=-1, keepdims=True)
        reached = np.broadcast_to(reached, (*reached.shape[:-1], left.own[-1]))
        mask = unbroadcast_mask(reached, rank, left.own)
        return mask if a.rank > 1 else mask[..., 0, :]

    def mask_right(live: Mask) -> Mask:
        reached = matrices(live).any(axis=-2, keepdims=True)
        shape = (*reached.shape[:-2], right.own[-2], reached.shape[-1])
        mask = unbroadcast_mask(np.broadcast_to(reached, shape), rank, right.own)
        return mask if b.rank > 1 else mask[..., :, 0]

    value = Value(primitives.matmul(x, y).squeeze(dropped), rank - len(dropped))
    return value, (Spread(pull_left, mask_left), Spread(pull_right, mask_right))


MATMUL = Function("matmul", _matmul, 2, shape=_matmul_shape)

ARRAY_FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function("sum", _sum, shape=_reduced_shape, takes_axis=True),
        Function("mean", _mean, shape=_reduced_shape, takes_axis=True),
        Function("max", _max, shape=_max_shape, takes_axis=True),
        Function("softmax", _softmax, shape=_softmax_shape, takes_axis=True),
        MATMUL,
        Function("transpose", _transpose, shape=_transpose_shape),
    )
}
