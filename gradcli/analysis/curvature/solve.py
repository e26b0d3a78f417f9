"""Solving (A + λI) s = -g: from the eigenvectors of A, or by conjugate gradients from products.

An indefinite A is shifted until its smallest eigenvalue has turned into its own size: the step then
goes down along directions of negative curvature, about as far as their curvature allows elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from gradcli.analysis.curvature.exact import Dense
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Matrix, Spectrum
from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["ByEigenvectors", "ByProducts", "Solution", "Solver", "conjugate_gradients"]

_CG_TOLERANCE = 1e-10


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

    Raises ValueError where the matrix with the damping given is not positive. One that
    `keeps_products` solves again without taking any.
    """

    keeps_products: bool
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

    keeps_products = True

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
    """By conjugate gradients, from products alone: four vectors of memory."""

    keeps_products = False

    def __init__(self, products: Products, spectrum: Spectrum, most: int) -> None:
        self._products = products
        self._spectrum = spectrum
        self._most = most
        self.largest = max(abs(spectrum.smallest), abs(spectrum.largest))

    def times(self, vector: Array) -> Array:
        matrix: Matrix = self._spectrum.matrix
        return self._products.times(matrix, vector[None]).reshape(-1)

    def solve(self, gradient: Array, damping: float | None) -> Solution:
        shift = _shift(self._spectrum.smallest, self._spectrum.smallest_error, damping)
        step, taken, residual = conjugate_gradients(
            lambda v: self.times(v) + shift * v, -gradient, self._most
        )
        return Solution(step, shift, taken, 4 * len(gradient), residual=residual)


def conjugate_gradients(
    times: Callable[[Array], Array], right: Array, most: int
) -> tuple[Array, int, float]:
    """x with A x = right, the products taken, and the residual relative to `right`.

    It ends where a direction of no curvature is met, or the residual stops shrinking (Hestenes and
    Stiefel, 1952).
    """
    x = np.zeros_like(right)
    residual = right.copy()
    along = residual.copy()
    square = first = float(residual @ residual)
    best, least = x, first
    taken = 0
    while taken < most and square > _CG_TOLERANCE**2 * first:
        image = times(along)
        taken += 1
        curvature = float(along @ image)
        if curvature <= np.finfo(float).eps * float(along @ along):
            break
        length = square / curvature
        x = x + length * along
        residual = residual - length * image
        after = float(residual @ residual)
        along = residual + after / square * along
        square = after
        if square < least:
            best, least = x, square
    return best, taken, float(np.sqrt(least / first)) if first else 0.0
