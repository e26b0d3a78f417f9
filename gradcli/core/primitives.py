"""Complex-safe building blocks for the values of ops.

Every function here takes real arrays, or complex ones whose imaginary part is an infinitesimal
perturbation (Squire and Trapp, "Using complex variables to estimate derivatives of real
functions", SIAM Review 1998). NumPy's `abs`, `maximum`, `sign`, `clip` drop or spoil such an
imaginary part; these branch on the real part and carry it along. Each piecewise primitive reports
its branch to `branches`, which is how kinks are seen.
"""

from __future__ import annotations

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import took_branch

__all__ = [
    "absolute",
    "choose",
    "clip",
    "matmul",
    "maximum",
    "minimum",
    "sign",
    "transpose",
    "where",
]


def where(condition: Mask, a: Array | float, b: Array | float) -> Array:
    """`a` where the condition holds, else `b`; the condition counts as a branch."""
    return np.where(took_branch(condition), a, b)


def choose(condition: Mask, a: Array | float, b: Array | float) -> Array:
    """Like `where`, for two ways to write one smooth function: not a branch of the function."""
    return np.where(condition, a, b)


def absolute(x: Array) -> Array:
    """|x|, elementwise, with slope -1 below zero and +1 from zero on."""
    return where(x.real < 0, -x, x)


def maximum(a: Array | float, b: Array | float) -> Array:
    """The larger by real part; a NaN in either is kept; ties take the first."""
    return where((a.real >= b.real) | np.isnan(a.real), a, b)


def minimum(a: Array | float, b: Array | float) -> Array:
    """The smaller by real part; a NaN in either is kept; ties take the first."""
    return where((a.real <= b.real) | np.isnan(a.real), a, b)


def clip(x: Array, low: Array | float, high: Array | float) -> Array:
    """The input held between `low` and `high`."""
    return minimum(maximum(x, low), high)


def sign(x: Array) -> Array:
    """-1, 0 or 1 by the real part; its slope is zero everywhere."""
    took_branch(x.real > 0)
    took_branch(x.real < 0)
    signs: Array = np.sign(x.real)
    return signs


def transpose(x: Array) -> Array:
    """The last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def matmul(a: Array, b: Array) -> Array:
    """`a @ b`, with half the work of a complex product where one factor is real."""
    if np.iscomplexobj(a) == np.iscomplexobj(b):
        return _product(a, b)
    if np.iscomplexobj(a):
        real, imaginary = _product(a.real, b), _product(a.imag, b)
    else:
        real, imaginary = _product(a, b.real), _product(a, b.imag)
    product = np.empty(real.shape, np.result_type(a, b))
    product.real = real
    product.imag = imaginary
    return product


def _product(a: Array, b: Array) -> Array:
    """Many small products with one matrix are a single large one, which is several times faster."""
    if a.ndim > 2 and b.ndim == 2:
        return (a.reshape(-1, a.shape[-1]) @ b).reshape(*a.shape[:-1], b.shape[-1])
    return a @ b
