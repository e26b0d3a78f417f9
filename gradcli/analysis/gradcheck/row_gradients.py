"""What single rows of the cotangent add to a gradient: to tell a sum over the batch left out.

A claim suspected of it is the same whether it is given the whole cotangent or one row of it; the
truth for that row then comes from the forward, as always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.mismatch import RowGradients
from gradcli.analysis.gradcheck.parts import COTANGENT
from gradcli.analysis.gradcheck.truth import Truth
from gradcli.core.arrays import Array
from gradcli.engine.model import Model

__all__ = ["rows_of_function", "rows_of_node"]

_MOST = 256  # rows that are tried
_SAME = 1e-6  # relative difference of two claims that are the same


def rows_of_node(alone: Model, name: str, seed: int) -> RowGradients:
    """The rows of a node alone, for one of its tensors."""
    cotangent = alone.targets[COTANGENT]

    def with_row(row: int) -> Model:
        return alone.with_targets({COTANGENT: _only(cotangent, row)})

    def claim(row: int) -> Array:
        return with_row(row).value_and_grad()[1][name].ravel()

    whole = alone.value_and_grad()[1][name].ravel()
    return RowGradients(
        len(cotangent),
        partial(_suspects, whole, claim, len(cotangent)),
        lambda row: Truth(with_row(row), seed).gradient(name).value,
    )


def rows_of_function(callables: Callables, name: str) -> RowGradients | None:
    """The rows of a vector function, for one of its arguments; None for a scalar one."""
    pull = callables.pull
    if pull is None or pull.cotangent.ndim == 0:
        return None

    def claim(row: int) -> Array:
        made = pull.call(callables.copies(), _only(pull.cotangent, row))
        return np.asarray(made[name], float).ravel()

    def truth(row: int) -> Array:
        cotangent = _only(pull.cotangent, row)
        alone = replace(
            callables,
            value=lambda arrays: pull.value(arrays, cotangent),
            at_point=pull.value(callables.copies(), cotangent),
            complex_slopes=None,
            ladders={},
        )
        subject = alone.subject(name)
        return subject.climb(np.arange(subject.x.size)).central.value

    count = len(pull.cotangent)
    return RowGradients(
        count, partial(_suspects, callables.analytic[name].ravel(), claim, count), truth
    )


def _only(cotangent: Array, row: int) -> Array:
    alone = np.zeros_like(cotangent)
    alone[row] = cotangent[row]
    return alone


def _suspects(whole: Array, claim: Callable[[int], Array], count: int) -> tuple[int, ...]:
    slack = _SAME * np.abs(whole).max(initial=0.0)
    return tuple(
        row for row in range(min(count, _MOST)) if np.all(np.abs(claim(row) - whole) <= slack)
    )
