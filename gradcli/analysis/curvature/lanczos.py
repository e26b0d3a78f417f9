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

__all__ = ["Ritz", "lanczos"]

_EPS = float(np.finfo(np.float64).eps)


class Ritz(Record):
    """Ritz values in ascending order, their error bounds, vectors of the outermost two, and steps.

    `weights` are the squared first entries of T's eigenvectors: how much of the start is in each.
    `complete` says that the Krylov space was exhausted, so that all its eigenvalues are exact.
    """

    values: Array
    errors: Array
    weights: Array
    lowest: Array
    highest: Array
    steps: int
    complete: bool


def lanczos(
    times: Callable[[Array], Array],
    start: Array,
    most: int,
    tolerance: float,
    on_step: Callable[[int], None] | None = None,
) -> Ritz:
    """Steps from `start` until both outermost Ritz values are known to the relative tolerance.

    `times` multiplies a vector by the symmetric matrix; at most `most` products are taken. The
    tolerance is relative to the larger of the two in size.
    """
    size = len(start)
    most = min(most, size)
    basis = np.empty((most, size))
    basis[0] = start / np.linalg.norm(start)
    diagonal: list[float] = []
    beside: list[float] = []
    complete = False
    for step in range(most):
        image = times(basis[step])
        diagonal.append(float(basis[step] @ image))
        known = basis[: step + 1]
        for _ in range(2):  # once more, or rounding lets eigenvalues that are found come again
            image = image - known.T @ (known @ image)
        beta = float(np.linalg.norm(image))
        beside.append(beta)
        largest = max(map(abs, (*diagonal, *beside)))
        complete = beta <= size * _EPS * largest
        if on_step is not None:
            on_step(step + 1)
        if complete or step + 1 == most or _settled(diagonal, beside, tolerance):
            break
        basis[step + 1] = image / beta
    values, inner = _eigen(diagonal, beside)
    steps = len(diagonal)
    errors = np.abs(beside[-1] * inner[-1])
    errors = np.maximum(errors, _EPS * np.abs(values).max(initial=0.0) * np.sqrt(size))
    return Ritz(
        values,
        errors,
        inner[0] ** 2,
        basis[:steps].T @ inner[:, 0],
        basis[:steps].T @ inner[:, -1],
        steps,
        complete,
    )


def _eigen(diagonal: list[float], beside: list[float]) -> tuple[Array, Array]:
    off = beside[: len(diagonal) - 1]
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
    return values, vectors


_EVERY = 5  # steps between looks at the Ritz values, which take the cube of their number


def _settled(diagonal: list[float], beside: list[float], tolerance: float) -> bool:
    if len(diagonal) % _EVERY:
        return False
    values, inner = _eigen(diagonal, beside)
    errors = np.abs(beside[-1] * inner[-1, [0, -1]])
    return bool(errors.max() <= tolerance * np.abs(values).max())
