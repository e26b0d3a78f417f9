"""What a check found, in words and numbers: shared by every rendering of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from gradcli.analysis.gradcheck.report import CheckReport, SpecResult, TensorResult, Worst
from gradcli.analysis.verdict import GRADES
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode
from gradcli.report.characters import NOTHING
from gradcli.report.surface import Style

__all__ = [
    "SEVERITY",
    "SHOWN_OF_A_CODE",
    "TENSOR_HEADINGS",
    "TENSOR_NUMBERS",
    "Status",
    "entry",
    "error",
    "exit_line",
    "findings_to_show",
    "plural",
    "remarks",
    "required",
    "shape",
    "spec_status",
    "summary",
    "tensor_cells",
    "tensor_status",
    "worst_entries",
]

SHOWN_OF_A_CODE: Final = 5
"""Warnings and notes of one code that are shown of a spec; the JSON has all of them."""


SEVERITY: Final[dict[str, tuple[str, Style]]] = {
    "error": ("✗", "bad"),
    "warning": ("!", "doubt"),
    "note": ("·", "faint"),
}
"""Symbol and style of a finding."""


TENSOR_HEADINGS: Final = (
    "verdict", "tensor", "shape", "checked", "max rel error", "max abs error", "detectable",
    "grade", "remarks",
)  # fmt: skip
"""The columns of a table of tensors."""

TENSOR_NUMBERS: Final = (3, 4, 5, 6)
"""Those of numbers, which stand at the right edge of their column."""


class Status(NamedTuple):
    """A symbol, a word and a style that say the same."""

    symbol: str
    word: str
    style: Style

    def __str__(self) -> str:
        return f"{self.symbol} {self.word}"


def spec_status(result: SpecResult) -> Status:
    """How a spec came out, with what it expected where that is not simply a pass."""
    as_expected = {"pass": "", "fail": ", as expected"}.get(
        result.expected, f" with {result.expected}, as expected"
    )
    unmet = "" if result.expected == "pass" else f", expected {result.expected}"
    match result.exit_code:
        case ExitCode.OK if result.verdict == "inconclusive":
            return Status("?", f"inconclusive{unmet} (allowed)", "doubt")
        case ExitCode.OK:
            return Status("✓", result.verdict + as_expected, "good")
        case ExitCode.INVALID:
            return Status("✗", "INVALID", "bad")
        case ExitCode.BUG:
            return Status("✗", "FAIL, a bug in gradcli", "bad")
        case ExitCode.UNDECIDED if result.verdict == "pass" and result.met:
            return Status("?", "VACUOUS", "doubt")
        case ExitCode.UNDECIDED:
            return Status("?", f"INCONCLUSIVE{unmet}", "doubt")
    if result.met and result.self_test is not None and result.self_test.survivors:
        return Status("✗", f"{result.verdict}{as_expected}, but a planted mistake SURVIVED", "bad")
    if unmet:
        return Status("✗", f"NOT AS EXPECTED: {result.verdict}{unmet}", "bad")
    return Status("✗", "FAIL", "bad")


def tensor_status(tensor: TensorResult, result: SpecResult) -> Status:
    """A tensor's verdict; a failure that its spec expects is said in lower case."""
    if tensor.verdict == "pass":
        return Status("✓", "pass", "good")
    if tensor.verdict == "inconclusive":
        return Status("?", "inconclusive", "doubt")
    expected = result.exit_code == ExitCode.OK
    return Status("✗", "fail", "") if expected else Status("✗", "FAIL", "bad")


def tensor_cells(tensor: TensorResult, result: SpecResult) -> list[str]:
    """What there is to say of a tensor, under `TENSOR_HEADINGS`."""
    graded = tensor.grade is not None
    return [
        str(tensor_status(tensor, result)),
        tensor.name,
        shape(tensor),
        f"{tensor.checked}/{tensor.entries}",
        error(tensor.max_rel_error, graded),
        error(tensor.max_abs_error, graded),
        error(tensor.detectable_error),
        tensor.grade or NOTHING,
        remarks(tensor),
    ]


def shape(tensor: TensorResult) -> str:
    """The shape as `32×64`; a scalar has none."""
    return "×".join(map(str, tensor.shape)) or "scalar"


def error(value: float, graded: bool = True) -> str:
    """A relative or absolute error with two digits, a dash where no entry was graded."""
    return f"{value:.1e}" if value and math.isfinite(value) else f"{value:g}" if graded else NOTHING


def remarks(tensor: TensorResult) -> str:
    """What else there is to say of a tensor's entries."""
    said = []
    if tensor.wrong:
        said.append(f"{tensor.wrong:,} wrong")
    if tensor.kinks:
        said.append(plural(tensor.kinks, "kink"))
    if tensor.below_resolution:
        said.append(f"{tensor.below_resolution:,} below resolution")
    if tensor.projections:
        said.append(plural(tensor.projections, "projection"))
    if tensor.vacuous:
        said.append("vacuous")
    return ", ".join(said)


def required(result: SpecResult) -> str:
    """The worst grade that passes, with its relative error."""
    grade = next((name for name, limit in GRADES.items() if limit == result.required), None)
    return f"{grade} ({result.required:g})" if grade else f"{result.required:g}"


def entry(worst: Worst) -> str:
    """An entry's analytic and numeric value, with as many digits as their difference needs."""
    place = " at " + ", ".join(f"{k} = {v:.6g}" for k, v in worst.at.items()) if worst.at else ""
    largest = max(abs(worst.analytic), abs(worst.numeric))
    gap = abs(worst.analytic - worst.numeric)
    digits = 6
    if 0 < gap < largest < math.inf:
        digits = min(17, max(6, 3 + math.ceil(-math.log10(gap / largest))))
    return (
        f"{list(worst.index)}{place}: analytic {worst.analytic:.{digits}g}, "
        f"numeric {worst.numeric:.{digits}g} ± {worst.uncertainty:.1g}"
    )


def worst_entries(result: SpecResult) -> list[tuple[str, str]]:
    """Name and worst entry of each tensor that does not pass."""
    return [
        (tensor.name, entry(tensor.worst))
        for tensor in result.tensors
        if tensor.verdict != "pass" and tensor.worst is not None
    ]


def findings_to_show(
    result: SpecResult, *, only_wrong: bool = False
) -> tuple[list[Finding], list[str]]:
    """Findings by severity, every error and some notes of each code; and what was left out."""
    order = ("error", "warning") if only_wrong else ("error", "warning", "note")
    shown: list[Finding] = []
    left: dict[str, int] = {}
    for severity in order:
        for found in (found for found in result.findings if found.severity == severity):
            same = sum(other.code == found.code for other in shown)
            if severity == "error" or same < SHOWN_OF_A_CODE:
                shown.append(found)
            else:
                left[found.code] = left.get(found.code, 0) + 1
    return shown, [f"{count:,} more of {code}, all in the JSON" for code, count in left.items()]


def plural(count: int, noun: str) -> str:
    """A count with its noun: `1 spec`, `2,048 entries`."""
    if count == 1:
        return f"1 {noun}"
    ending = {"y": "ies", "s": "ses"}.get(noun[-1], f"{noun[-1]}s")
    return f"{count:,} {noun[:-1]}{ending}"


def summary(report: CheckReport) -> str:
    """Specs by outcome, entries checked of entries, evaluations."""
    tally: dict[str, int] = {}
    for result in report.results:
        word = _TALLY.get(result.exit_code, "")
        tally[word] = tally.get(word, 0) + 1
    outcomes = ", ".join(f"{tally[word]} {word}" for word in _TALLY.values() if word in tally)
    said = plural(len(report.results), "spec") + (outcomes and f": {outcomes}")
    tensors = report.tensors
    if tensors:
        checked, entries = (
            sum(tensor.checked for tensor in tensors),
            sum(tensor.entries for tensor in tensors),
        )
        said += f" · {plural(len(tensors), 'tensor')}, {checked:,} of {entries:,} entries checked"
        said += f" · {plural(sum(r.evaluations for r in report.results), 'evaluation')}"
    return said


_TALLY: Final = {
    ExitCode.OK: "ok",
    ExitCode.WRONG: "wrong",
    ExitCode.BUG: "wrong in gradcli itself",
    ExitCode.UNDECIDED: "undecided",
    ExitCode.INVALID: "invalid",
}


def exit_line(report: CheckReport) -> str:
    """The exit code, and the reasons for it and for every code it outranks."""
    codes = {report.exit_code, *(result.exit_code for result in report.results)}
    reasons: list[str] = []
    while codes:
        code = ExitCode.worst(list(codes))
        codes.remove(code)
        if code != ExitCode.OK or not reasons:
            reasons.append(_reason(code, report.results))
    return f"exit {int(report.exit_code)}: {'; '.join(reasons)}"


def _reason(code: ExitCode, results: Sequence[SpecResult]) -> str:
    those = [result for result in results if result.exit_code == code]
    match code:
        case ExitCode.OK if any(result.verdict == "inconclusive" for result in those):
            return "nothing is proven wrong, and what is undecided was allowed"
        case ExitCode.OK if any(result.expected != "pass" for result in those):
            return "every spec came out as it expects"
        case ExitCode.OK:
            return "every gradient agrees"
        case ExitCode.WRONG if all(result.met for result in those):
            return "a planted mistake survived (--self-test)"
        case ExitCode.WRONG if any(result.expected == "pass" for result in those):
            return "a gradient is proven wrong"
        case ExitCode.WRONG:
            return "a spec did not come out as it expects"
        case ExitCode.INVALID:
            return "a spec is invalid"
        case ExitCode.BUG:
            return "a gradient of gradcli's own is wrong: please report it"
        case ExitCode.INTERRUPTED:
            return "interrupted; what was known by then is above"
    if all(result.verdict == "pass" for result in those):
        return "a tensor was checked vacuously (--strict)"
    return "something could not be decided"
