"""Claims at kinks looked at again beside them, where one slope alone is right.

A slope between the one-sided ones is right at a kink, whatever else is wrong with the claim; and
where several kinks meet, slopes that are right one by one need not be right together (all zero at
a tie of max). So the same claim is asked a little way off, in two opposite directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.probes import moved
from gradcli.analysis.gradcheck.report import TensorResult
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.core.user_code import USER_ERRORS
from gradcli.diagnostics.finding import Finding
from gradcli.engine.model import generator

__all__ = ["beside_kinks"]

_AWAY = 1e-3  # of the size of the arguments
_MOST = 8  # entries looked at again

Examine = Callable[[Subject], tuple[TensorResult, list[Finding]]]


def beside_kinks(
    callables: Callables,
    name: str,
    result: TensorResult,
    findings: list[Finding],
    examine: Examine,
) -> tuple[TensorResult, list[Finding]]:
    """The result and the findings on an argument that sits at kinks, after a look beside them."""
    kinks = next((found for found in findings if found.code == "GC201"), None)
    if kinks is None or callables.here_only or result.verdict == "fail":
        return result, findings
    entries = np.array(
        [
            np.ravel_multi_index(index, result.shape) if index else 0
            for index in kinks.data["indices"]
        ]
    )
    pool = np.unique(entries[np.linspace(0, len(entries) - 1, _MOST).astype(int)])
    seen = 0
    for beside in _points_beside(callables):
        if not _is_claimed(beside):
            continue
        there, errors = examine(beside.subject(name).replace(pool=pool))
        callables.evaluations += beside.evaluations
        seen += there.verdict == "pass"
        if there.verdict == "fail":
            where = f"beside the kinks, with all arguments moved by some {_AWAY:.1%}"
            told = [
                found.replace(message=f"{found.message} ({where})")
                for found in errors
                if found.severity == "error"
            ]
            wrong = result.replace(
                verdict="fail",
                grade=there.grade,
                max_rel_error=there.max_rel_error,
                max_abs_error=there.max_abs_error,
                wrong=there.wrong,
                worst=there.worst,
            )
            return wrong, [*told, *findings]
    if not seen:
        return result, findings
    noted = kinks.replace(message=f"{kinks.message}; right where asked beside the kinks")
    return result, [noted if found is kinks else found for found in findings]


def _points_beside(callables: Callables) -> list[Callables]:
    rng = generator(callables.options.seed, f"beside the kinks of {callables.where}")
    moves = {}
    for name in callables.wrt:
        shape = callables.point[name].shape
        moves[name] = rng.uniform(0.5, 1, shape) * rng.choice([-1.0, 1.0], shape)
    return [
        replace(
            callables,
            point=moved(callables.point, {n: sign * move for n, move in moves.items()}, _AWAY),
            analytic={},
            claimed_dtypes=dict(callables.claimed_dtypes),
            complex_slopes=None,
            ladders={},
            evaluations=0,
        )
        for sign in (1, -1)
    ]


def _is_claimed(callables: Callables) -> bool:
    """Whether the function and the claim can be evaluated here; keeps what they are."""
    callables.at_point = callables.safely(callables.point)
    if not np.isfinite(callables.at_point):
        return False
    try:
        with np.errstate(all="ignore"):
            claimed = callables.claimed(callables.copies())
        made: dict[str, Array] = {key: np.asarray(claimed[key], float) for key in callables.wrt}
    except USER_ERRORS:
        return False
    callables.analytic = made
    return all(made[key].shape == callables.point[key].shape for key in made)
