"""What a subject's evidence says, as findings: what kind of mistake, and notes."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.evidence import Evidence
from gradcli.analysis.gradcheck.mismatch import Branch, Diagnosis, Mismatch, RowGradients
from gradcli.analysis.gradcheck.report import TensorResult
from gradcli.analysis.gradcheck.rule import Outcome, graded_error, noticeable
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding

__all__ = ["diagnose", "small_mismatch"]

_SHOWN = 32  # places listed in the data of a finding
_ROUNDED_ENTRIES = 4  # to tell errors of either sign from one mistake
_ROUNDED_ERROR = 2.0**-17  # 64 ulps of float32


def diagnose(subject: Subject, evidence: Evidence, result: TensorResult) -> list[Finding]:
    """Findings for one subject: an error if it is wrong, notes on what else was seen."""
    found: list[Finding] = []
    if result.verdict == "fail":
        found.append(_error(subject, evidence, result))
    elif result.verdict == "inconclusive":
        count = int((evidence.outcome == Outcome.UNDECIDED).sum())
        found.append(
            finding(
                "GC203",
                subject.name,
                f"{count} of {result.checked} entries could not be decided: the numeric gradient "
                "is too uncertain here to prove them right or wrong",
                line=subject.line,
                data={"entries": count},
            )
        )
    if result.kinks:
        found.append(_kinks(subject, evidence, result.kinks))
    if result.vacuous:
        found.append(
            finding(
                "GC202",
                subject.name,
                "every checked entry is zero on both sides, which proves little: nothing here "
                "reaches the loss at this point",
                line=subject.line,
            )
        )
    return found


def _kinks(subject: Subject, evidence: Evidence, count: int) -> Finding:
    at_kink = evidence.outcome == Outcome.KINK
    if subject.kinks is not None:
        at_kink |= subject.kinks[evidence.checked]
    indices = [_index(subject, evidence, int(at)) for at in np.flatnonzero(at_kink)[:_SHOWN]]
    return finding(
        "GC201",
        subject.name,
        f"{count} {_entries(count)} at a kink (the first at {indices[0]}), where any slope between "
        "the one-sided ones is right; not graded",
        line=subject.line,
        data={"entries": count, "indices": indices},
    )


def small_mismatch(subject: Subject, evidence: Evidence) -> list[Finding]:
    """A warning where entries that pass differ from the truth by more than rounding explains."""
    a, n, u, u_a = evidence.a, evidence.n, evidence.u, evidence.u_a
    real = (evidence.outcome == Outcome.PASS) & noticeable(evidence.gap, u, u_a, subject.eps)
    if not real.any():
        return []
    error = np.where(real, graded_error(evidence.gap, u, u_a), -1.0)
    at = int(error.argmax())
    index = _index(subject, evidence, at)
    code, why = "GC113", "more than rounding explains"
    if _looks_rounded(a[real], n[real]):
        code, why = "GC112", "what a shorter number format leaves"
    return [
        finding(
            code,
            subject.name,
            f"{int(real.sum())} of {len(real)} entries differ from the numeric gradient by "
            f"{why}, though within the required grade; the largest relative error is "
            f"{error[at]:.2g} at {index}",
            line=subject.line,
            data={"entries": int(real.sum()), "max_rel_error": float(error[at]), "index": index},
        )
    ]


def _looks_rounded(a: Array, n: Array) -> bool:
    """Small relative errors of either sign, as rounding leaves and a wrong formula does not."""
    error = (a - n) / n
    if len(error) < _ROUNDED_ENTRIES or np.abs(error).max() > _ROUNDED_ERROR:
        return False
    return bool(abs(error.mean()) <= 0.5 * np.abs(error).mean())


def _error(subject: Subject, evidence: Evidence, result: TensorResult) -> Finding:
    diagnosis = _not_finite(subject, evidence) or _kind(subject, evidence)
    if diagnosis is None:
        worst = result.worst
        assert worst is not None
        diagnosis = Diagnosis(
            "GC100",
            f"{result.wrong} of {result.checked} entries are wrong; the worst at "
            f"{list(worst.index)}: claimed {worst.analytic:.6g}, numeric {worst.numeric:.6g} ± "
            f"{worst.uncertainty:.1g}",
            {"entries": result.wrong, "index": list(worst.index)},
        )
    return finding(
        diagnosis.code,
        subject.name,
        diagnosis.message,
        severity="error",  # also of a kind that is a warning within the grade
        line=subject.line,
        data=diagnosis.data,
    )


def _not_finite(subject: Subject, evidence: Evidence) -> Diagnosis | None:
    bad = np.flatnonzero(~np.isfinite(evidence.a))
    if not len(bad):
        return None
    index = _index(subject, evidence, int(bad[0]))
    message = (
        f"{len(bad)} {_entries(len(bad))} not finite, first at {index}, where the function and its "
        "slope are"
    )
    return Diagnosis("GC004", message, {"entries": len(bad), "index": index})


def _kind(subject: Subject, evidence: Evidence) -> Diagnosis | None:
    usable = np.isin(evidence.outcome, (Outcome.PASS, Outcome.BELOW_RESOLUTION, Outcome.FAIL))
    if subject.kinks is not None:  # where any slope in an interval is right, nothing can be read
        usable &= ~subject.kinks[evidence.checked]
    wrong = evidence.outcome[usable] == Outcome.FAIL
    if not wrong.any():
        return None
    from gradcli.analysis.gradcheck.fits import FITS  # a gradient that is right needs none

    checked = evidence.checked[usable]
    case = Mismatch(
        a=evidence.a[usable],
        n=evidence.n[usable],
        doubt=evidence.u[usable] + evidence.u_a[usable],
        wrong=wrong,
        right=evidence.outcome[usable] == Outcome.PASS,
        shape=subject.shape,
        index=_places(checked, subject.shape),
        x=subject.x[checked],
        name=next(iter(subject.variables), subject.name),
        eps=subject.eps,
        factors=subject.factors,
        whole_numbers=subject.whole_numbers,
        contributions=lambda: tuple(
            part.replace(values=part.values[checked]) for part in subject.contributions()
        ),
        by_row=_at(subject.by_row, checked),
        branches=tuple(Branch(branch.text, branch.holds[checked]) for branch in subject.branches()),
    )
    return next((found for fit in FITS if (found := fit(case)) is not None), None)


def _at(by_row: RowGradients | None, checked: Array) -> RowGradients | None:
    if by_row is None:
        return None
    of = by_row.of
    return by_row.replace(of=lambda row: of(row)[checked])


def _entries(count: int) -> str:
    return "entry is" if count == 1 else "entries are"


def _index(subject: Subject, evidence: Evidence, at: int) -> list[int]:
    return [int(i) for i in np.unravel_index(evidence.checked[at], subject.shape)]


def _places(entries: Array, shape: tuple[int, ...]) -> Array:
    """Indices (E, axes) of entries of the flat array."""
    if not shape:
        return np.zeros((len(entries), 0), int)
    return np.stack(np.unravel_index(entries, shape), axis=-1)
