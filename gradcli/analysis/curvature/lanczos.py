"""Extreme eigenvalues from products alone, by Lanczos' method with full reorthogonalisation.

Each Ritz value θ of the tridiagonal matrix T comes with the norm r = β·|s| of its residual, where s
is the last entry of its eigenvector in T: there is an eigenvalue within r of θ, always, and within
r² over the distance to the rest of the spectrum where that is known (Parlett, "The Symmetric
Eigenvalue Problem", 1980). That none lies beyond the outermost found is likely for a random start,
not proven.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["Lanczos", "Ritz", "lanczos", "outermost"]

_EPS = float(np.finfo(np.float64).eps)


class Ritz(Record):
    """Ritz values in ascending order, T's eigenvectors as columns, and the basis that T is in.

    `residual` is β, by which the basis fails to be invariant. `complete` says that the Krylov space
    of the start was exhausted, so that all its eigenvalues are exact.
    """

    values: Array
    inner: Array
    basis: Array
    residual: float
    complete: bool

    @property
    def steps(self) -> int:
        """The products taken."""
        return len(self.values)

    @property
    def errors(self) -> Array:
        """A bound for each Ritz value on the distance to the nearest eigenvalue."""
        rounding = _EPS * np.abs(self.values).max(initial=0.0) * np.sqrt(self.basis.shape[1])
        return np.asarray(np.maximum(np.abs(self.residual * self.inner[-1]), rounding))

    @property
    def weights(self) -> Array:
        """How much of the start is in each: the squared first entries of the eigenvectors of T."""
        return np.asarray(self.inner[0] ** 2)

    def vector(self, position: int) -> Array:
        """The Ritz vector of a value."""
        return np.asarray(self.basis.T @ self.inner[:, position])


def lanczos(
    times: Callable[[Array], Array],
    start: Array,
    most: int,
    enough: Callable[[Ritz], bool],
    on_step: Callable[[int], None] | None = None,
) -> Ritz:
    """Steps from `start` until what is known is `enough`; at most so many products.

    `times` multiplies a vector by the symmetric matrix.
    """
    run = Lanczos(start, most, enough)
    while run.found is None:
        run.go_on(times(run.vector))
        if on_step is not None:
            on_step(run.products)
    return run.found


class Lanczos:
    """The method step by step, for products taken elsewhere: with those of others, say.

    `vector` is what the matrix has to be multiplied with next, until there is what is `found`.
    """

    def __init__(self, start: Array, most: int, enough: Callable[[Ritz], bool]) -> None:
        self._enough = enough
        self._basis = np.empty((min(most, len(start)), len(start)))
        self._basis[0] = start / np.linalg.norm(start)
        self._diagonal: list[float] = []
        self._beside: list[float] = []
        self._look = _APART
        self.found: Ritz | None = None

    @property
    def products(self) -> int:
        """How many have been taken."""
        return len(self._diagonal)

    @property
    def vector(self) -> Array:
        """What to multiply next."""
        return np.asarray(self._basis[self.products])

    def go_on(self, image: Array) -> None:
        """One step, with the product of `vector`."""
        diagonal, beside = self._diagonal, self._beside
        known = self._basis[: self.products + 1]
        diagonal.append(float(known[-1] @ image))
        for _ in range(2):  # once more, or rounding lets eigenvalues that are found come again
            image = image - known.T @ (known @ image)
        beta = float(np.linalg.norm(image))
        complete = beta <= len(image) * _EPS * max(map(abs, (*diagonal, *beside, beta)))
        last = complete or len(known) == len(self._basis)
        if last or len(known) == self._look:
            self._look += max(_APART, self._look // 4)
            ritz = Ritz(*_eigen(diagonal, beside), known, beta, complete)
            if last or self._enough(ritz):
                self.found = ritz
                return
        beside.append(beta)
        self._basis[len(known)] = image / beta


_APART = 5  # least steps between looks at the Ritz values, which take the cube of their number


def _eigen(diagonal: list[float], beside: list[float]) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return values, vectors


def outermost(tolerance: float) -> Callable[[Ritz], bool]:
    """Whether both outermost values are known to the tolerance, relative to the larger one."""

    def enough(ritz: Ritz) -> bool:
        allowed = tolerance * float(np.abs(ritz.values).max())
        return bool(max(ritz.errors[0], ritz.errors[-1]) <= allowed)

    return enough
