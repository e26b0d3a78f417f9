"""Where measurement and theory part beyond what chance and finite width explain, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from gradcli.analysis.flow.measure import Measured
from gradcli.analysis.flow.report import power_of_ten
from gradcli.analysis.flow.structure import Structure
from gradcli.analysis.flow.theory.curve import curve_of
from gradcli.analysis.flow.theory.passage import Passages, Unpredictable
from gradcli.analysis.flow.theory.predict import DECADE, Prediction, predict
from gradcli.core.arrays import Array
from gradcli.core.op import Activation
from gradcli.diagnostics.finding import Finding, Severity
from gradcli.diagnostics.rules import finding
from gradcli.spec.plan import NodePlan, Plan

__all__ = ["parting"]

_DEVIATIONS: Final = 4.0
_DEVIATIONS_OF_A_LAYER: Final = 5.0
"""Of the mean over draws: beyond are one network in 16,000, and one layer in 1,700,000."""

_MATTERS: Final = 0.1
"""What a logarithm of a squared gain may be off by in any case: 5 % of the gain."""

_DRIFT: Final = 10
_FARTHEST: Final = 3.0
"""Layers whose fluctuations of q add up before those of the first have faded; and ln of a size."""

_POINTS: Final = (-4.0, 4.0, 400)
_ACCURACY: Final = 1e-6
_FEW: Final = 0.01
"""Where slopes are compared, what counts as another one, and at how many points it may."""


def parting(
    plan: Plan,
    structure: Structure,
    measured: Measured,
    expected: Prediction,
    gains: Array,
    variances: Array,
    variance: float,
) -> Iterator[Finding]:
    """A finding if the mean over draws is off, in all or at a layer. All are of ln of squares.

    `gains` are as measured (draws, places), `variances` of one draw at each place, `variance` of
    a draw's total.
    """
    if not (np.isfinite(gains).all() and np.isfinite(expected.gains).all()):
        return  # what is dead or not finite has a finding of its own
    draws, means = len(gains), gains.mean(axis=0)
    off = means - expected.gains
    skewed = 4 * expected.variances**2  # as logarithms of narrow layers' gains are
    allowed = _DEVIATIONS_OF_A_LAYER * np.sqrt(variances / draws) + expected.doubts + skewed
    allowed = np.maximum(allowed, _MATTERS)
    total_allowed = _DEVIATIONS * math.sqrt(variance / draws) + max(expected.doubt, _MATTERS)
    if abs(off.sum()) <= total_allowed and (np.abs(off) <= allowed).all():
        return
    drift = _drift(plan, structure, expected)
    beyond = np.abs(off) > allowed + np.abs(drift).max(axis=0)
    total_beyond = abs(off.sum()) > total_allowed + float(np.abs(drift.sum(axis=1)).max())
    if not (total_beyond or beyond.any()):
        return
    names = [measured.layers[index].name for index in expected.layers]
    out = [names[place] for place in np.flatnonzero(beyond)]
    if out:
        worst = int(np.argmax(np.where(beyond, np.abs(off) / allowed, 0.0)))
        where = names[worst]
        message = f"its gain is {_gain(means[worst])}, expected is {_gain(expected.gains[worst])}"
        if len(out) > 1:
            more = len(out) - 1
            message += f", and so in {more} more layer{'s' if more > 1 else ''}"
    else:
        where = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        message = (
            f"the total is {means.sum() / DECADE:+.2f} decades on average, expected is "
            f"{expected.log10_total:+.2f}"
        )
    reason, severity = _reason(plan, structure)
    yield finding(
        "GF120",
        where,
        f"{message}; {reason}",
        severity=severity,
        file=plan.file,
        data={
            "log10_total": float(means.sum()) / DECADE,
            "expected": expected.log10_total,
            "layers": out,
        },
    )


def _gain(log_square: float) -> str:
    return f"{power_of_ten(log_square / DECADE):.3g}"


def _drift(plan: Plan, structure: Structure, expected: Prediction) -> Array:
    """How the expected gains move with fluctuations of q that finite width alone makes.

    Those of early layers move all that follow where q is not at rest, or leaves it.
    """
    layers = min(len(expected.gains), _DRIFT)
    deviation = min(math.sqrt(layers * float(expected.variances.mean())), _FARTHEST)
    moved = []
    for sign in (-1, 1):
        try:
            other = predict(plan, structure, math.exp(sign * deviation))
        except Unpredictable:
            continue
        moved.append(other.gains - expected.gains)
    return np.stack(moved) if moved else np.zeros((1, len(expected.gains)))


def _reason(plan: Plan, structure: Structure) -> tuple[str, Severity]:
    """What theory leaves out that this network has; else a mistake of somebody's."""
    inside = range(structure.layers[-1].slot)
    stated = [
        plan.nodes[index].name
        for index in inside
        if (mixing := structure.traits[index].mixing) is not None
        and plan.nodes[index].parameters[mixing] in plan.weights
    ]
    if stated:
        return (
            f"theory is about weights drawn at random, and those of {_listed(stated)} are stated",
            "note",
        )
    passages = Passages(plan, structure)
    nodes = [plan.nodes[index] for index in inside if structure.elementwise[index]]
    wrong = dict.fromkeys(node.op.name for node in nodes if _has_another_slope(node, passages))
    if wrong:
        return (
            f"the slope of {_listed(list(wrong))} is not that of its value, as gradcli check shows",
            "warning",
        )
    return "nothing that theory leaves out explains it: look for a mistake in the spec", "warning"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _has_another_slope(node: NodePlan, passages: Passages) -> bool:
    """Whether an activation passes back anything but the slope of its value, away from kinks."""
    assert isinstance(node.op, Activation)
    x = np.linspace(*_POINTS)
    weights = {name: passages.numbers(full) for name, full in node.parameters.items()}
    _, slope = curve_of(node.op, node.options, weights)(x)
    _, pullback = node.op.evaluate((x,), weights, 1, node.options)
    passed = pullback(np.ones_like(x))[0][0]
    wrong = np.abs(passed - slope) > _ACCURACY * np.max(np.abs(slope), initial=0.0)
    return float(np.mean(wrong)) > _FEW
