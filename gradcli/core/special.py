"""Special functions that NumPy lacks, or whose complex version loses what the complex step needs.

Complex arguments carry an infinitesimal imaginary part, as in `primitives`: the result is the real
value and, as its imaginary part, the derivative times that part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array

__all__ = ["decaying", "erf", "erfc", "expm1", "log1p"]

# Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23,
# 1969: numerator and denominator by falling powers. For erf(x)/x in x² up to 0.46875, for
# exp(x²)·erfc(x) in x up to 4, and for the remainder of its asymptotic series in 1/x² beyond.
_SMALL: Final = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e0,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1.0,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
_MIDDLE: Final = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594e0,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)
_LARGE: Final = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242e0,
        1.87295284992346725e0,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)
_SMALL_END: Final = 0.46875
_MIDDLE_END: Final = 4.0
_UNDERFLOW: Final = 28.0  # erfc is zero in float64 from here on


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    numerator, denominator = coefficients
    return np.polyval(numerator, x) / np.polyval(denominator, x)


def _exp_minus_square(x: Array) -> Array:
    """exp(-x²) without the rounding of x², which exp would magnify by x²."""
    coarse = np.trunc(16.0 * x) / 16.0
    return np.exp(-coarse * coarse) * np.exp(-(x - coarse) * (x + coarse))


def _erfc_beyond_small(size: Array) -> Array:
    """The complement at real numbers above `_SMALL_END`."""
    size = np.minimum(size, _UNDERFLOW)
    scaled = np.empty_like(size)
    middle = size <= _MIDDLE_END
    scaled[middle] = _ratio(_MIDDLE, size[middle])
    large = size[~middle]
    inverse_square = 1.0 / (large * large)
    remainder = inverse_square * _ratio(_LARGE, inverse_square)
    scaled[~middle] = (1.0 / math.sqrt(math.pi) - remainder) / large
    return scaled * _exp_minus_square(size)


def _real(x: Array, *, complement: bool) -> Array:
    wide = np.asarray(x, np.float64)
    size = np.abs(wide)
    small = size <= _SMALL_END
    result = np.empty_like(wide)
    near = wide[small]
    inner = near * _ratio(_SMALL, near * near)
    far, tail = wide[~small], _erfc_beyond_small(size[~small])
    if complement:
        result[small] = 1.0 - inner
        result[~small] = np.where(far < 0, 2.0 - tail, tail)
    else:
        result[small] = inner
        result[~small] = np.copysign(1.0 - tail, far)
    return result.astype(np.asarray(x).dtype, copy=False)


def _with_derivative(x: Array, *, complement: bool) -> Array:
    x = np.asarray(x)
    if not np.iscomplexobj(x):
        return _real(x, complement=complement)
    slope = 2.0 / math.sqrt(math.pi) * _exp_minus_square(np.minimum(np.abs(x.real), _UNDERFLOW))
    result = np.empty_like(x)
    result.real = _real(x.real, complement=complement)
    result.imag = (-slope if complement else slope) * x.imag
    return result


def _overridable(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Let arrays that override NumPy's functions see the call as a whole, as they see NumPy's."""

    @wraps(function)
    def call(x: Array) -> Array:
        override: Any = getattr(type(x), "__array_function__", None)  # NumPy's scalars have none
        if override is None or override is np.ndarray.__array_function__:
            return function(x)
        overridden: Array = override(x, call, (type(x),), (x,), {})
        return overridden

    return call


@_overridable
def erf(x: Array) -> Array:
    """The error function, elementwise, to a few units in the last place (Cody 1969)."""
    return _with_derivative(x, complement=False)


@_overridable
def erfc(x: Array) -> Array:
    """1 - erf(x) without its cancellation, accurate relative to itself in the tail (Cody 1969)."""
    return _with_derivative(x, complement=True)


def log1p(x: Array) -> Array:
    """log(1 + x), accurate near zero for complex arguments too."""
    if not np.iscomplexobj(x):
        return np.log1p(x)
    result = np.empty_like(x)
    result.real = np.log1p(x.real)
    result.imag = x.imag / (1.0 + x.real)
    return result


def expm1(x: Array) -> Array:
    """exp(x) - 1, accurate near zero for complex arguments too."""
    if not np.iscomplexobj(x):
        return np.expm1(x)
    result = np.empty_like(x)
    result.real = np.expm1(x.real)
    result.imag = np.exp(x.real) * x.imag
    return result


def decaying(x: Array) -> Array:
    """exp(x) of x ≤ 0, which takes NumPy's several times as long for complex arguments."""
    if not np.iscomplexobj(x):
        return np.exp(x)
    result = np.empty_like(x)
    result.real = np.exp(x.real)
    result.imag = result.real * x.imag
    return result
