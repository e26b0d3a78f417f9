"""The result of one subject, from the evidence."""

from __future__ import annotations

from typing import Final

import numpy as np

from gradcli.analysis.gradcheck.evidence import Evidence
from gradcli.analysis.gradcheck.report import TensorResult, Worst
from gradcli.analysis.gradcheck.rule import Outcome, detectable, graded_error
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.verdict import Verdict, grade_of
from gradcli.core.arrays import Array

__all__ = ["summarise"]

_TIED: Final = 1e-9
"""Relative difference of two errors that may be rounding: which is larger differs by machine."""


def summarise(subject: Subject, evidence: Evidence) -> TensorResult:
    """What the entries of a subject add up to."""
    checked = evidence.checked
    outcome = evidence.outcome
    graded = (outcome == Outcome.PASS) | (outcome == Outcome.FAIL)
    if subject.kinks is not None:
        graded &= ~(subject.kinks[checked] & (outcome == Outcome.PASS))
    error = graded_error(evidence.gap, evidence.u, evidence.u_a)
    absolute = evidence.gap.distance
    verdict: Verdict = "pass"
    if (outcome == Outcome.FAIL).any():
        verdict = "fail"
    elif (outcome == Outcome.UNDECIDED).any():
        verdict = "inconclusive"
    kinks = outcome == Outcome.KINK
    if subject.kinks is not None:
        kinks |= subject.kinks[checked]
    limit = detectable(evidence.n, evidence.u, evidence.u_a, subject.eps)
    limit = limit[(outcome != Outcome.KINK) & np.isfinite(limit)]
    worst = None
    if len(checked):
        rank = np.where(graded, error, -1.0) if graded.any() else absolute
        if verdict == "inconclusive":
            rank = np.where(outcome == Outcome.UNDECIDED, absolute, -1.0)
        at = _largest_of_the_worst(rank, evidence.n)
        worst = Worst(
            tuple(int(i) for i in np.unravel_index(checked[at], subject.shape)),
            float(evidence.a[at]),
            float(evidence.n[at]),
            float(evidence.u[at]),
            {name: float(values[checked[at]]) for name, values in subject.variables.items()},
        )
    below = outcome == Outcome.BELOW_RESOLUTION
    max_error = float(error[graded].max(initial=0.0))
    return TensorResult(
        name=subject.name,
        kind=subject.kind,
        shape=subject.shape,
        entries=int(np.prod(subject.shape, dtype=int)) if subject.pool is None else len(checked),
        checked=len(checked),
        verdict=verdict,
        grade=grade_of(max_error) if graded.any() else None,
        max_rel_error=max_error,
        max_abs_error=float(absolute[graded].max(initial=0.0)),
        detectable_error=float(limit.max(initial=0.0)),
        kinks=int(kinks.sum()),
        below_resolution=int(below.sum()),
        below_resolution_error=float(absolute[below].max(initial=0.0)),
        vacuous=bool(len(checked))
        and not any(values.any() for values in (evidence.a, evidence.low, evidence.high)),
        oracle=evidence.source,
        worst=worst,
        wrong=int((outcome == Outcome.FAIL).sum()),
        line=subject.line,
    )


def _largest_of_the_worst(rank: Array, numeric: Array) -> int:
    """Where the rank is highest; of errors that tie, as all do that a factor makes, the largest."""
    peak = int(rank.argmax())
    if not rank[peak] > 0:
        return peak
    tied = rank >= rank[peak] * (1 - _TIED)
    tied[peak] = True
    return int(np.where(tied, np.nan_to_num(np.abs(numeric)), -1.0).argmax())
