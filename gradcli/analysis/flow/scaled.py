"""Arrays with an exponent beside them, so that no product of norms leaves the range of floats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gradcli.core.arrays import Array

__all__ = ["LOG10_2", "Scaled", "added", "log2_norm", "spectral_norm"]

LOG10_2: Final = math.log10(2.0)


@dataclass(frozen=True, slots=True)
class Scaled:
    """`array · 2**exponent`, with `norm` the Frobenius norm of `array`.

    The norm lies within a fifth of its dtype's exponent range around one, so that products of two
    such arrays and their squares are ordinary numbers. Zero and what is not finite stay as they
    are.
    """

    array: Array
    exponent: int
    norm: float

    @classmethod
    def of(cls, array: Array, exponent: int = 0) -> Scaled:
        """The array times 2**exponent, brought into range; powers of two change no digit."""
        norm = _norm(array)
        reach = np.finfo(array.dtype).maxexp // 5
        if 2.0**-reach < norm < 2.0**reach:
            return cls(array, exponent, norm)
        largest = float(np.max(np.abs(array), initial=0.0))
        if largest == 0 or not math.isfinite(largest):
            return cls(array, 0, 0.0 if largest == 0 else math.nan)
        shift = math.frexp(largest)[1]
        array = np.ldexp(array, -shift)
        return cls(array, exponent + shift, _norm(array))

    @property
    def finite(self) -> bool:
        return math.isfinite(self.norm)

    @property
    def log2(self) -> float:
        """log2 of the norm: -inf for zero, NaN for what is not finite."""
        return math.log2(self.norm) + self.exponent if self.norm else -math.inf

    def times(self, exponent: int) -> Array:
        """The array at another exponent: `array · 2**(self.exponent - exponent)`."""
        shift = self.exponent - exponent
        return self.array if shift == 0 else np.ldexp(self.array, shift)


def added(terms: Sequence[Scaled]) -> Scaled:
    """The sum, aligned to the largest exponent."""
    if len(terms) == 1:
        return terms[0]
    exponent = max((term.exponent for term in terms if term.norm), default=0)
    return Scaled.of(
        sum((term.times(exponent) for term in terms[1:]), terms[0].times(exponent)), exponent
    )


def log2_norm(array: Array) -> float:
    """log2 of the Frobenius norm; no square under- or overflows on the way."""
    return Scaled.of(array).log2


def spectral_norm(matrix: Array) -> float:
    """The largest singular value of a matrix, as the root of its smaller Gram matrix's eigenvalue.

    Infinite where no float is as large. Exact to rounding: the largest eigenvalue of a symmetric
    matrix is well-conditioned.
    """
    scaled = Scaled.of(matrix.astype(np.float64))
    if not scaled.finite:
        return math.nan
    a = scaled.array if matrix.shape[0] <= matrix.shape[1] else scaled.array.T
    square = max(float(np.linalg.eigvalsh(a @ a.T)[-1]), 0.0)
    return float(np.ldexp(math.sqrt(square), scaled.exponent))


def _norm(array: Array) -> float:
    wide = array if array.dtype == np.float64 else array.astype(np.float64)
    return math.sqrt(float(np.vdot(wide, wide)))
