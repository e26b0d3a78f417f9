"""What the engine relies on in the parameters that a loss learns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Loss
from gradcli.testing.case import Case, Rows
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.numeric import EPS
from gradcli.testing.points import moderate

__all__: list[str] = []

ROUNDING = 256 * EPS
STEP = 1e-200  # of the complex step
OFFSETS = (0.0, -1.5, 2.0)  # from where the parameter starts
SPREAD = 1e-3  # of the five points of a real difference
DIFFERENCES = 1e-9  # what such a difference of a smooth function leaves


def _learned(case: Case) -> dict[str, float]:
    op = case.op
    assert isinstance(op, Loss)
    return {} if op.weights is None else op.weights(**case.options)


def _at(
    case: Case, rows: Rows, weights: list[Array]
) -> tuple[Array, Callable[[Array], list[Array]]]:
    """Values, and the pullback: cotangents of the predictions, then of each parameter."""
    assert isinstance(case.op, Loss)
    targets = () if rows.y is None else (rows.y,)
    value, pull = case.op.function(rows.x, *targets, *weights, **case.options)

    def pullback(g: Array) -> list[Array]:
        found = pull(g)
        if not isinstance(found, tuple) or len(found) != 1 + len(weights):
            raise LawBroken(
                f"the pullback gives no cotangent for each of {len(weights)} parameters"
            )
        return list(found)

    return value, pullback


@law("learned parameters", Loss)
def learned_parameters(case: Case) -> None:
    """Their cotangents are the slopes of each value, by complex step and by real differences.

    They carry imaginary parts themselves, so that second derivatives can be taken.
    """
    rng = case.rng()
    for rows in moderate(case, 10.0):
        for offset in OFFSETS if _learned(case) else ():
            weights = [np.full((1,), start + offset) for start in _learned(case).values()]
            value, pull = _at(case, rows, weights)
            g = rng.standard_normal(value.shape)
            pulled = pull(g)
            size = np.abs(g) * (1 + np.abs(value)) + sum(map(np.abs, pulled[1:]))
            for k, cotangent in enumerate(pulled[1:]):
                _slopes(cotangent, partial(_along, case, rows, weights, k, g), size)


def _along(
    case: Case, rows: Rows, weights: list[Array], position: int, g: Array, by: complex
) -> list[Array]:
    """Values times g, and the learned parameters' cotangents, with one parameter moved."""
    moved = [w + by if k == position else w for k, w in enumerate(weights)]
    value, pull = _at(case, rows, moved)
    return [g * value, *pull(g)[1:]]


def _slopes(claimed: Array, along: Callable[[complex], list[Array]], size: Array) -> None:
    carried = [part.imag / STEP for part in along(STEP * 1j)]
    require(claimed, carried[0], ROUNDING * size, "cotangent of a learned parameter")
    there = [along(side * SPREAD) for side in (-2, -1, 1, 2)]
    for part, slope in enumerate(carried):
        far_below, below, above, far_above = (parts[part] for parts in there)
        seen = (8 * (above - below) - (far_above - far_below)) / (12 * SPREAD)
        what = "complex step along a learned parameter against differences"
        require(slope, seen, DIFFERENCES * (1 + size), what)


@law("replicas of learned parameters", Loss)
def replicas_of_learned_parameters(case: Case) -> None:
    """Stacked parameters give what each gives alone, in float32 too."""
    learned, rng = _learned(case), case.rng()
    if not learned:
        return
    for block in moderate(case, 10.0):
        for dtype in (np.float64, np.float32):
            rows = block.cast(dtype)
            alone = [[np.full((1,), w + o, dtype) for w in learned.values()] for o in OFFSETS]
            own = _at(case, rows, alone[0])[0].ndim
            stacked = [np.stack(each).reshape(-1, *(1,) * own) for each in zip(*alone, strict=True)]
            value, pull = _at(case, rows, stacked)
            g = rng.standard_normal(value.shape).astype(dtype)
            pulled = pull(g)
            for i, weights in enumerate(alone):
                value_alone, pull_alone = _at(case, rows, weights)
                found = [value[i], *(part[i] for part in pulled)]
                for one, part in zip([value_alone, *pull_alone(g[i])], found, strict=True):
                    if part.dtype != dtype:
                        raise LawBroken(f"{part.dtype} for {np.dtype(dtype)} parameters")
                    allowed = 8 * float(np.finfo(dtype).eps) * (1 + np.abs(one))
                    require(part, one, allowed, "replica of a learned parameter")
