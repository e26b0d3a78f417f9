"""A matrix assembled from its products with the unit vectors, and its eigenvalues."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Matrix
from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["Dense", "assemble", "memory_of"]

_EPS = float(np.finfo(np.float64).eps)
_COPIES = 4  # of a matrix at a time: it, its symmetric part, its eigenvectors, and work space


class Dense(Record):
    """A symmetric matrix, and how far it was from that as assembled: max |A - Aᵀ| over max |A|."""

    matrix: Array
    asymmetry: float

    @cached_property
    def decomposed(self) -> tuple[Array, Array]:
        """Eigenvalues in ascending order, and eigenvectors as columns."""
        values, vectors = np.linalg.eigh(self.matrix)
        return values, vectors

    @property
    def eigenvalues(self) -> Array:
        """In ascending order."""
        return self.decomposed[0]

    @cached_property
    def rounding(self) -> float:
        """The size below which an eigenvalue cannot be told from zero."""
        largest = float(np.abs(self.eigenvalues).max(initial=0.0))
        return len(self.matrix) * _EPS * largest

    @property
    def rank(self) -> int:
        """How many eigenvalues are not zero."""
        return int((np.abs(self.eigenvalues) > self.rounding).sum())


def assemble(products: Products, matrix: Matrix) -> Dense:
    """The whole matrix, made symmetric."""
    found = products.assembled(matrix)
    largest = float(np.abs(found).max(initial=0.0))
    asymmetry = float(np.abs(found - found.T).max(initial=0.0)) / largest if largest else 0.0
    return Dense((found + found.T) / 2, asymmetry)


def memory_of(parameters: int, matrices: int = 1) -> int:
    """Bytes that assembling so many matrices of so many parameters takes."""
    return 8 * (matrices + _COPIES) * parameters**2
