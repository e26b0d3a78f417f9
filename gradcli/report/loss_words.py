"""What was found of losses, in words and numbers: shared by every rendering of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gradcli.analysis.losses.report import Claim, LossReport, LossResult, Zero
from gradcli.errors import ExitCode
from gradcli.report.loss_claims import CLAIM_LABELS, loss_claim_cells, number, setting
from gradcli.report.surface import Style
from gradcli.report.words import Status, plural

__all__ = [
    "CHECKED",
    "claim_status",
    "compared",
    "exit_line",
    "formulas",
    "how_known",
    "legend",
    "loss_status",
    "options_of",
    "seen",
    "short_names",
    "warnings",
    "why_not",
]

CHECKED: Final = "checked just now, at these options"

Piece = str | tuple[str, Style]

_DIFFERS: Final = 1e-6
"""A relative difference beyond which a gradient is not the derivative of its formula."""


def claim_status(claim: Claim) -> Status:
    """Whether a claim holds, as far as the laws can tell."""
    match claim.verdict:
        case "holds":
            return Status("✓", "holds", "good")
        case "broken":
            return Status("✗", "FALSE", "bad")
    return Status("?", "not checked", "doubt")


def loss_status(result: LossResult) -> tuple[str, Style]:
    """What is said before a loss's name, where it is not simply all right."""
    if result.verdict == "invalid":
        return "✗ INVALID", "bad"
    return ("✗ FALSE CLAIM", "bad") if result.verdict == "fail" else ("", "")


def options_of(result: LossResult) -> str:
    """`delta = 2, weight = 0.1`; nothing where there are none."""
    weight = {} if result.weight == 1 else {"weight": result.weight}
    pairs = {**result.options, **weight}.items()
    return ", ".join(f"{name} = {setting(value)}" for name, value in pairs)


def short_names(results: Sequence[LossResult]) -> list[str]:
    """What tells losses apart: their names, or the options in which those of one name differ."""
    names = []
    for result in results:
        same = [other for other in results if other.op == result.op and other.spec == result.spec]
        if len(same) == 1 or result.spec:
            names.append(result.op if not result.spec else result.name)
            continue
        apart = ", ".join(
            f"{option} = {setting(value)}"
            for option, value in result.options.items()
            if any(other.options[option] != value for other in same)
        )
        names.append(apart if len(same) == len(results) else f"{result.op} {apart}")
    return names


def formulas(result: LossResult) -> list[tuple[str, str, str]]:
    """Value and gradients: which claim each is, its name, and the formula."""
    arguments = [*result.gradients] or ["p"]
    if result.reads != "none":
        arguments.append("y")
    gradients = [("gradient", f"dL/d{row}", text) for row, text in result.gradients.items()]
    return [("formula", f"L({', '.join(arguments)})", result.formula), *gradients]


def how_known(result: LossResult) -> str:
    """How the properties of a loss are known."""
    if not result.claims:
        return "found by a search: nothing is claimed"
    reasons = {claim.message for claim in result.claims.values() if claim.verdict == "unchecked"}
    if len(reasons) == 1 and all(c.verdict == "unchecked" for c in result.claims.values()):
        return f"? not checked: {reasons.pop()}"
    return f"✓ {CHECKED}"


def why_not(claim: Claim, result: LossResult) -> str:
    """What there is to say where a claim does not hold, unless it is said of all of them."""
    if claim.verdict == "holds" or claim.message in how_known(result):
        return ""
    return f"{claim_status(claim).word}: {claim.message}"


def _zeros(result: LossResult) -> list[str]:
    """Where the gradient vanishes, a line for each target."""
    if not result.curves:
        return []
    over = result.curves[0].over
    lines = []
    for curve in result.curves:
        those = [zero for zero in result.zeros if zero.target == curve.target]
        said = "; ".join(_zero(zero, over) for zero in those) or "nowhere"
        several = len(result.curves) > 1
        lines.append(f"{curve.target}: {said}" if several else said)
    return lines


def _zero(zero: Zero, over: str) -> str:
    low, high = zero.low, zero.high
    if zero.fades:
        return f"fades as {over} goes to {'+inf' if math.isinf(high) else '-inf'}"
    if low == high:
        return f"at {over} = {low:.6g}" + (", where it jumps" if zero.jumps else "")
    if math.isinf(low) and math.isinf(high):
        return "everywhere: nothing can be learned from it"
    if math.isinf(high):
        return f"from {over} = {low:.6g} on"
    if math.isinf(low):
        return f"up to {over} = {high:.6g}"
    return f"from {over} = {low:.6g} to {high:.6g}"


def _pulls(result: LossResult) -> str:
    """How hard ever worse mistakes pull."""
    if not result.pulls:
        return ""
    curve = result.curves[0]
    target = f" ({curve.target})" if curve.target else ""
    at = ", ".join(f"{pull.at:g}" for pull in result.pulls)
    sizes = ", ".join(number(pull.gradient) for pull in result.pulls)
    return f"{sizes} at {curve.over} = {at}{target}"


def _measured(measured: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a search found of a loss that claims nothing."""
    if not measured:
        return []
    convex = "no slope was found to fall"
    if not measured["convex"]:
        convex = f"no: the slope falls beyond {number(measured['not_convex_at'])}"
    size = measured["lipschitz"]
    argument = measured["argument"]
    return [
        ("function of", "the residual p - y" if argument == "residual" else "p and y"),
        ("convex", convex),
        ("gradient", "grows without limit" if math.isinf(size) else f"up to {number(size)}"),
        ("kinks", ", ".join(map(number, measured["kinks"])) or "none found"),
    ]


def seen(result: LossResult) -> list[tuple[str, str]]:
    """What a search and the curves show, by label."""
    lines = [("zero gradient", line) for line in _zeros(result)]
    pulling = _pulls(result)
    return [
        *_measured(result.measured),
        *lines,
        *([("pull of mistakes", pulling)] if pulling else []),
    ]


def compared(results: Sequence[LossResult]) -> list[tuple[str, list[tuple[Piece, ...]]]]:
    """A label and a cell for each loss, for each property that any of them has."""
    cells = [loss_claim_cells({**result.measured, **result.stated}) for result in results]
    rows: list[tuple[str, list[tuple[Piece, ...]]]] = []
    for field, label in CLAIM_LABELS.items():
        if any(field in cell for cell in cells):
            row = [_cell(result, field, each) for result, each in zip(results, cells, strict=True)]
            rows.append((label, row))
    if len({result.curves[0].over for result in results}) == 1:
        pulled = zip(*(result.pulls for result in results), strict=False)
        for each in list(pulled)[::2]:
            row = [(number(pull.gradient),) for pull in each]
            rows.append((f"pull at {each[0].at:g}", row))
    return rows


def legend(results: Sequence[LossResult]) -> str:
    """What the marks of a table of several mean."""
    said = [f"✓ {CHECKED}"] if any(result.claims for result in results) else []
    if any(result.measured for result in results):
        said.append("without a mark: found by a search")
    return "; ".join(said)


def _cell(result: LossResult, field: str, cells: Mapping[str, str]) -> tuple[Piece, ...]:
    if field not in result.claims:
        return (cells.get(field, ""),)
    status = claim_status(result.claims[field])
    return (f"{status.symbol} ", status.style), cells[field]


def warnings(result: LossResult) -> list[str]:
    """What its user should look at."""
    if result.differs is None or result.differs <= _DIFFERS:
        return []
    return [
        f"the gradient as written differs from the derivative of the formula, by up to "
        f"{number(result.differs)} relatively; `gradcli check` says where, and what kind of "
        "mistake it is"
    ]


def exit_line(report: LossReport) -> str:
    """The exit code with its reason."""
    return f"exit {int(report.exit_code)}: {_reason(report)}"


def _reason(report: LossReport) -> str:
    match report.exit_code:
        case ExitCode.INVALID:
            return "a spec is invalid"
        case ExitCode.BUG:
            return "a claim of gradcli's own is false: please report it"
        case ExitCode.WRONG:
            return "a claim was found false"
    claims = [claim for result in report.results for claim in result.claims.values()]
    if not claims:
        drawn = any(result.curves for result in report.results)
        return "nothing is claimed" if drawn else "two distributions compared"
    held = sum(claim.verdict == "holds" for claim in claims)
    left = plural(len(claims) - held, "claim")
    if not held:
        return f"{left} that could not be checked at these options"
    unchecked = f"; {left} could not be" if held < len(claims) else ""
    return f"{plural(held, 'claim')} {CHECKED}{unchecked}"
