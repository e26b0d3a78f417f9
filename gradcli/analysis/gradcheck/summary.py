"""The result of one subject, from the evidence."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.evidence import Evidence
from gradcli.analysis.gradcheck.report import TensorResult, Worst
from gradcli.analysis.gradcheck.rule import Outcome, detectable, graded_error
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.verdict import Verdict, grade_of

__all__ = ["summarise"]


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
        at = int(rank.argmax())
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
