"""What kind of mistake a wrong gradient is: fits, named only when they are convincing."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.report import TensorResult
from gradcli.analysis.gradcheck.rule import Outcome, graded_error, noticeable
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding

__all__ = ["diagnose", "small_mismatch"]

_ROUNDED_ENTRIES = 4  # to tell errors of either sign from one mistake
_ROUNDED_ERROR = 2.0**-17  # 64 ulps of float32
_FIT = 1e-6  # relative deviation of an entry up to which a fit explains it


def diagnose(
    subject: Subject,
    checked: Array,
    a: Array,
    n: Array,
    outcome: Array,
    result: TensorResult,
) -> list[Finding]:
    """Findings for one subject: an error if it is wrong, notes on what else was seen."""
    found: list[Finding] = []
    if result.verdict == "fail":
        found.append(_error(subject, checked, a, n, outcome, result))
    elif result.verdict == "inconclusive":
        count = int((outcome == Outcome.UNDECIDED).sum())
        found.append(
            finding(
                "GC203",
                subject.name,
                f"{count} of {len(checked)} entries could not be decided: the numeric gradient is "
                "too uncertain here to prove them right or wrong",
                line=subject.line,
                data={"entries": count},
            )
        )
    if result.kinks:
        found.append(
            finding(
                "GC201",
                subject.name,
                f"{result.kinks} {_entries(result.kinks)} at a kink, where any slope between "
                "the one-sided ones is right; not graded",
                line=subject.line,
                data={"entries": result.kinks},
            )
        )
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


def small_mismatch(
    subject: Subject, checked: Array, a: Array, n: Array, u: Array, u_a: Array, outcome: Array
) -> list[Finding]:
    """A warning where entries that pass differ from the truth by more than rounding explains."""
    real = (outcome == Outcome.PASS) & noticeable(a, n, u, u_a, subject.eps)
    if not real.any():
        return []
    error = np.where(real, graded_error(a, n, n, u, u_a), -1.0)
    at = int(error.argmax())
    index = _index(subject, checked, at)
    code, why = "GC113", "more than rounding explains"
    if _looks_rounded(a[real], n[real]):
        code, why = "GC112", "what a shorter number format leaves"
    return [
        finding(
            code,
            subject.name,
            f"{int(real.sum())} of {len(checked)} entries differ from the numeric gradient by "
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


def _error(
    subject: Subject, checked: Array, a: Array, n: Array, outcome: Array, result: TensorResult
) -> Finding:
    wrong = outcome == Outcome.FAIL
    if not np.isfinite(a[wrong]).all():
        count = int((~np.isfinite(a)).sum())
        at = int(np.flatnonzero(~np.isfinite(a))[0])
        return finding(
            "GC004",
            subject.name,
            f"{count} {_entries(count)} not finite, first at {_index(subject, checked, at)}, where "
            "the function and its slope are",
            line=subject.line,
            data={"entries": count, "index": _index(subject, checked, at)},
        )
    usable = np.isin(outcome, (Outcome.PASS, Outcome.FAIL))
    if subject.kinks is not None:  # where any slope in an interval is right, no factor can be read
        usable &= ~subject.kinks[checked]
    factor = _constant_factor(a[usable], n[usable]) if (wrong & usable).any() else None
    total = len(checked)
    nonzero = int((n[usable] != 0).sum())
    if factor == 0.0:
        return finding(
            "GC103",
            subject.name,
            f"the gradient is zero in all {total} entries, and should not be in {int(wrong.sum())}",
            line=subject.line,
            data={"entries": int(wrong.sum())},
        )
    if factor is not None:
        if abs(factor + 1) <= _FIT:
            return finding(
                "GC101",
                subject.name,
                f"the sign is flipped in all {nonzero} entries that are not zero",
                line=subject.line,
                data={"factor": -1.0},
            )
        name = _named(factor, subject.factors)
        data: dict[str, object] = {"factor": factor}
        if name:
            data["is"] = name
        return finding(
            "GC102",
            subject.name,
            f"exactly {factor:.6g} times what it should be in all "
            f"{nonzero} entries that are not zero" + (f"; {factor:.6g} is {name}" if name else ""),
            line=subject.line,
            data=data,
        )
    worst = result.worst
    assert worst is not None
    return finding(
        "GC100",
        subject.name,
        f"{result.wrong} of {total} entries are wrong; the worst at {list(worst.index)}: "
        f"claimed {worst.analytic:.6g}, numeric {worst.numeric:.6g} ± {worst.uncertainty:.1g}",
        line=subject.line,
        data={"entries": result.wrong, "index": list(worst.index)},
    )


def _constant_factor(a: Array, n: Array) -> float | None:
    """The factor between claim and truth if one explains every entry, else None."""
    largest = np.abs(n).max(initial=0.0)
    solid = np.abs(n) > 1e-6 * largest
    if largest == 0:
        return None
    if not a.any():
        return 0.0
    ratios = a[solid] / n[solid]
    factor = float(np.median(ratios))
    floor = _FIT * 1e-3 * largest * max(1.0, abs(factor))
    if np.all(np.abs(a - factor * n) <= _FIT * np.abs(factor * n) + floor):
        rounded = float(f"{factor:.6g}")
        return rounded if abs(rounded - factor) <= _FIT * abs(factor) else factor
    return None


def _named(factor: float, names: tuple[tuple[str, float], ...]) -> str | None:
    """The first known quantity that a factor equals, or is one over."""
    for name, value in names:
        if value and abs(factor - value) <= _FIT * abs(value):
            return name
    for name, value in names:
        if value and abs(factor * value - 1) <= _FIT:
            return f"1/{name}"
    return None


def _entries(count: int) -> str:
    return "entry is" if count == 1 else "entries are"


def _index(subject: Subject, checked: Array, at: int) -> list[int]:
    return [int(i) for i in np.unravel_index(checked[at], subject.shape)]
