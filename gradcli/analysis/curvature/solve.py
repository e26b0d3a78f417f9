"""Solving (A + λI) s = -g: from the eigenvectors of A, or by Lanczos' method from products.

An indefinite A is shifted until its smallest eigenvalue has turned into its own size: the step then
goes down along directions of negative curvature, about as far as their curvature allows elsewhere.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import numpy as np

from gradcli.analysis.curvature.exact import Dense
from gradcli.analysis.curvature.lanczos import Ritz, lanczos
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Matrix, Spectrum
from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["ByEigenvectors", "ByProducts", "Solution", "Solver"]

_SOLVED = 1e-10  # residual relative to the gradient
_EPS = float(np.finfo(np.float64).eps)


class Solution(Record):
    """A step, what it took, and what of the system it leaves unsolved.

    `products` with the matrix and `numbers` of memory are what was needed. `flat` is the share of
    the gradient's norm that lies in directions of no curvature, where the step is zero; `residual`
    that of the equation, relative to the gradient.
    """

    step: Array
    damping: float
    products: int
    numbers: int
    flat: float = 0.0
    residual: float = 0.0


class Solver(Protocol):
    """Whatever solves for the step of one matrix; `damping` None adds what it takes to descend.

    Raises ValueError where the matrix with the damping given is not positive. Solving again, with
    another damping, takes no further products.
    """

    largest: float

    def solve(self, gradient: Array, damping: float | None) -> Solution: ...

    def times(self, vector: Array) -> Array: ...


def _shift(smallest: float, error: float, damping: float | None) -> float:
    if damping is None:
        return -2 * smallest + error if smallest < -error else 0.0
    if smallest + damping < -error:
        raise ValueError(
            f"with a damping of {damping:g} there is still negative curvature: it takes more than "
            f"{-smallest:.4g}"
        )
    return damping


class ByEigenvectors:
    """From an assembled matrix: p products, p² numbers."""

    def __init__(self, dense: Dense) -> None:
        self._dense = dense
        self.largest = float(np.abs(dense.eigenvalues).max())

    def times(self, vector: Array) -> Array:
        return np.asarray(self._dense.matrix @ vector)

    def solve(self, gradient: Array, damping: float | None) -> Solution:
        values, vectors = self._dense.decomposed
        rounding = self._dense.rounding
        shift = _shift(float(values[0]), rounding, damping)
        shifted = values + shift
        along = vectors.T @ gradient
        curved = shifted > rounding
        step = -vectors[:, curved] @ (along[curved] / shifted[curved])
        size = len(gradient)
        norm = float(np.linalg.norm(gradient))
        flat = float(np.linalg.norm(along[~curved])) / norm if norm else 0.0
        return Solution(step, shift, size, size * size, flat)


class ByProducts:
    """From products alone: Lanczos from the gradient, in whose basis A is tridiagonal.

    The basis is the same for every damping, so that all are solved from the same products. It keeps
    a vector for each product.
    """

    def __init__(self, products: Products, spectrum: Spectrum, most: int) -> None:
        self._products = products
        self._spectrum = spectrum
        self._most = most
        self._ritz: Ritz | None = None
        self.largest = max(abs(spectrum.smallest), abs(spectrum.largest))

    def times(self, vector: Array) -> Array:
        matrix: Matrix = self._spectrum.matrix
        return self._products.times(matrix, vector[None]).reshape(-1)

    def solve(self, gradient: Array, damping: float | None) -> Solution:
        shift = _shift(self._spectrum.smallest, self._spectrum.smallest_error, damping)
        if self._ritz is None:
            enough = partial(self._is_solved, shift)
            self._ritz = lanczos(self.times, gradient, self._most, enough)
        ritz = self._ritz
        norm = float(np.linalg.norm(gradient))
        step = -norm * (ritz.basis.T @ (ritz.inner @ self._share(ritz, shift)))
        size = len(gradient)
        residual = self._residual(ritz, shift)
        return Solution(step, shift, ritz.steps, ritz.steps * size, residual=residual)

    def _share(self, ritz: Ritz, shift: float) -> Array:
        """(T + λ)⁻¹ of the first unit vector, by eigenvectors of T, none where T + λ is zero."""
        shifted = ritz.values + shift
        rounding = self._products.size * _EPS * self.largest
        curved = shifted > rounding
        return np.where(curved, ritz.inner[0] / np.where(curved, shifted, 1.0), 0.0)

    def _residual(self, ritz: Ritz, shift: float) -> float:
        return abs(ritz.residual * float(ritz.inner[-1] @ self._share(ritz, shift)))

    def _is_solved(self, shift: float, ritz: Ritz) -> bool:
        return self._residual(ritz, shift) <= _SOLVED
