"""Theory beside the measurement: expected gains, and how far off the measured ones are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gradcli.analysis.flow.measure import Measured, Signal
from gradcli.analysis.flow.report import LayerFlow, power_of_ten
from gradcli.analysis.flow.structure import Structure
from gradcli.analysis.flow.theory.mean_field import MeanField
from gradcli.analysis.flow.theory.parting import parting
from gradcli.analysis.flow.theory.passage import Unpredictable
from gradcli.analysis.flow.theory.predict import DECADE, Prediction, predict
from gradcli.core.arrays import Array
from gradcli.diagnostics.finding import Finding
from gradcli.spec.plan import Plan

__all__ = ["Beside", "beside"]

_LEAST_SHARE: Final = 0.01
_FLAT: Final = 1e-12
"""ln χ that is rounding."""


@dataclass(frozen=True)
class Beside:
    """The measured layers with what is expected of them, the same of the network, and findings."""

    layers: tuple[LayerFlow, ...]
    mean_field: MeanField
    findings: tuple[Finding, ...] = ()


def beside(
    plan: Plan, structure: Structure, measured: Measured, signals: Sequence[Signal]
) -> Beside:
    """Hold what was measured against theory; `signals` are of every draw, the first one's first."""
    with np.errstate(all="ignore"):
        try:
            expected = predict(plan, structure)
        except Unpredictable as reason:
            return Beside(measured.layers, MeanField(missing=str(reason)))
        gains = np.stack([_log_gains(signal, expected) for signal in signals])
        share = _share_of_one_example(gains, expected)
        variances = share * expected.variances
        layers = list(measured.layers)
        for place, index in enumerate(expected.layers):
            layers[index] = replace(
                layers[index],
                predicted_gain=power_of_ten(float(expected.gains[place]) / DECADE),
                z_score=_score(
                    gains[0, place],
                    expected.gains[place],
                    variances[place],
                    expected.doubts[place],
                ),
            )
        totals = gains.sum(axis=1)
        spread = float(np.var(totals, ddof=1)) if len(totals) > 1 else 0.0
        variance = max(share * expected.variance, spread)
        score = _score(totals[0], expected.gains.sum(), variance, expected.doubt)
        found = tuple(parting(plan, structure, measured, expected, gains, variances, variance))
    return Beside(tuple(layers), _summary(expected, score), found)


def _log_gains(signal: Signal, expected: Prediction) -> Array:
    """ln of the squared gains as measured, between the same places as the expected ones."""
    norms = np.array(signal.norms)[[0, *(index + 1 for index in expected.layers)]]
    return -np.diff(norms) * DECADE


def _share_of_one_example(gains: Array, expected: Prediction) -> float:
    """How much a draw's gains vary, as a part of what those of one example do: 1 at most.

    Rows of a batch that differ have their own gains, whose mean varies less. One factor for all
    layers, since a few draws say little of any one of them.
    """
    if len(gains) < 2:
        return 1.0
    found, most = np.var(gains, axis=0, ddof=1), expected.variances
    known = np.isfinite(found) & np.isfinite(most) & (most > 0)
    if not known.any():
        return 1.0
    return float(np.clip(found[known].sum() / most[known].sum(), _LEAST_SHARE, 1.0))


def _score(measured: float, expected: float, variance: float, doubt: float) -> float | None:
    """How far off a logarithm is whose exponential is as expected, by chance and doubt together."""
    deviation = math.hypot(math.sqrt(variance), doubt)
    score = (measured - expected + variance / 2) / deviation if deviation else math.nan
    return float(score) if math.isfinite(score) else None


def _summary(expected: Prediction, score: float | None) -> MeanField:
    rest = expected.rest
    if rest is None:
        return MeanField(log10_total=expected.log10_total, z_score=score)
    decay = abs(math.log(rest.chi)) if rest.chi else math.inf
    return MeanField(
        chi=rest.chi,
        q=rest.q,
        log10_total=expected.log10_total,
        depth_scale=1 / decay if decay > _FLAT else math.inf,
        z_score=score,
    )
