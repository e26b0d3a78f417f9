"""Derivatives and extrema of subjects by numeric means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.testing.case import Rows, Subject

__all__ = [
    "EPS",
    "complex_step",
    "curvature",
    "differences",
    "jacobian",
    "largest",
    "largest_jump",
    "tensor_norm",
]

EPS = float(np.finfo(np.float64).eps)
_STEPS = 10
_ORDER = 4


def jacobian(subject: Subject, rows: Rows) -> Array:
    """The derivative by pullback, (rows, outputs, features)."""
    value, pull = subject(rows)
    units = np.eye(value.shape[-1], dtype=value.real.dtype)
    return np.stack([pull(np.broadcast_to(unit, value.shape)) for unit in units], axis=1)


def complex_step(subject: Subject, rows: Rows, direction: Array, step: float) -> Array:
    """The derivative along a direction, Im f(x + ihv)/h (Squire and Trapp 1998)."""
    return subject.value(rows.at(rows.x + 1j * step * direction)).imag / step


def curvature(subject: Subject, rows: Rows) -> Array:
    """Second derivatives by complex step of the pullback, (rows, outputs, features, features)."""
    step = 1e-30
    columns = [
        jacobian(subject, rows.at(rows.x + 1j * step * unit)).imag / step
        for unit in np.eye(rows.x.shape[-1])
    ]
    return np.stack(columns, axis=-1)


def differences(
    function: Callable[[Rows], Array], rows: Rows, direction: Array, reach: Array
) -> tuple[Array, Array]:
    """Extrapolated central differences along a direction, and an estimate of their error.

    Steps halve from `reach` (one a row); Neville's scheme in the step's square, the error being the
    largest distance to both parents plus rounding; of all entries the most certain.
    """
    column: list[Array] = []
    best: Array | None = None
    for k in range(_STEPS):
        step = (reach * 0.5**k)[:, None] * direction
        above, below = rows.x + step, rows.x - step
        realised = np.abs(above - below).max(axis=-1) / np.abs(direction).max(axis=-1)
        high, low = function(rows.at(above)), function(rows.at(below))
        shape = (-1,) + (1,) * (high.ndim - 1)
        width = realised.reshape(shape)
        noise = 4 * EPS * (np.abs(high) + np.abs(low)) / width
        row = [(high - low) / width]
        for m in range(1, min(k, _ORDER) + 1):
            row.append(row[-1] + (row[-1] - column[m - 1]) / (4.0**m - 1))
            error = np.maximum(np.abs(row[m] - row[m - 1]), np.abs(row[m] - column[m - 1])) + noise
            if best is None:
                best, uncertainty = row[m], error
            else:
                better = error < uncertainty
                best = np.where(better, row[m], best)
                uncertainty = np.where(better, error, uncertainty)
        column = row
    assert best is not None
    return best, uncertainty


def tensor_norm(tensor: Array) -> Array:
    """Largest |T[a, u, v]| over unit vectors, of (rows, outputs, features, features).

    Power iteration for the best rank-one approximation (De Lathauwer et al. 2000); exact for one
    output or one feature, else a lower bound that random starts make tight.
    """
    if tensor.shape[1] == 1:
        norms: Array = np.linalg.norm(tensor[:, 0], ord=2, axis=(-2, -1))
        return norms
    rng = np.random.default_rng(0)
    best = np.zeros(len(tensor))
    for _ in range(4):
        u = rng.standard_normal((len(tensor), tensor.shape[-1]))
        v = rng.standard_normal(u.shape)
        for _ in range(30):
            a = _unit(np.einsum("nijk,nj,nk->ni", tensor, u, v))
            u = _unit(np.einsum("nijk,ni,nk->nj", tensor, a, v))
            v = _unit(np.einsum("nijk,ni,nj->nk", tensor, a, u))
        best = np.maximum(best, np.abs(np.einsum("nijk,ni,nj,nk->n", tensor, a, u, v)))
    return best


def _unit(v: Array) -> Array:
    size: Array = v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-300)
    return size


def largest(
    score: Callable[[Rows], Array], blocks: list[Rows], domain: tuple[float, float]
) -> float:
    """The supremum of a score over the blocks, with a local search around the best row of each."""
    return max(_climb(score, rows, domain) for rows in blocks)


def _climb(score: Callable[[Rows], Array], rows: Rows, domain: tuple[float, float]) -> float:
    scores = score(rows)
    top = int(np.argmax(scores))
    best, center = float(scores[top]), rows[top : top + 1]
    rng = np.random.default_rng(0)
    radius = 0.3 * (1e-3 + np.abs(center.x))
    around = center[np.zeros(24, np.intp)]
    while radius.max() > 1e-9 * (1e-3 + np.abs(center.x).max()):
        x = center.x + radius * rng.standard_normal(around.x.shape)
        within: Array = np.asarray((x > domain[0]) & (x < domain[1]))
        inside: Array = np.asarray(within.all(axis=-1, keepdims=True))
        scores = score(around.at(np.where(inside, x, center.x)))
        top = int(np.argmax(scores))
        if scores[top] > best:
            best, center = float(scores[top]), center.at(np.where(inside[top], x[top], center.x))
        radius = radius * 0.6
    return best


def largest_jump(
    function: Callable[[Rows], Array], slope: Callable[[Rows], Array], start: Rows, end: Rows
) -> tuple[Array, Array]:
    """Where a function jumps between pairs of rows: (the place, the size of the jump).

    Halves every segment 64 times toward the larger change of the function, which then shrinks to
    what its `slope` allows between neighbouring numbers unless there is a jump.
    """
    a, b = start.x.copy(), end.x.copy()
    at_a, at_b = function(start), function(end)

    def largest_of(values: Array) -> Array:
        size: Array = np.abs(values).reshape(len(values), -1).max(axis=-1)
        return size

    for _ in range(64):
        middle = 0.5 * (a + b)
        at_middle = function(start.at(middle))
        lower: Array = np.asarray(largest_of(at_middle - at_a) > largest_of(at_b - at_middle))
        low, low_value = lower[:, None], lower.reshape((-1,) + (1,) * (at_a.ndim - 1))
        a, b = np.where(low, a, middle), np.where(low, middle, b)
        at_a = np.where(low_value, at_a, at_middle)
        at_b = np.where(low_value, at_middle, at_b)
    smooth = 4 * largest_of(slope(start.at(a))) * np.abs(b - a).sum(axis=-1)
    return b, (largest_of(at_b - at_a) - smooth) / (1 + largest_of(at_a))
