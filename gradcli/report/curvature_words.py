"""What a curvature analysis found, in words and numbers: shared by every rendering of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from gradcli.analysis.curvature.report import (
    Crosscheck,
    CurvatureReport,
    CurvatureResult,
    Matrix,
    Spectrum,
)
from gradcli.errors import ExitCode
from gradcli.report.surface import Style
from gradcli.report.words import Status, plural

__all__ = [
    "MATRIX_HEADINGS",
    "NAMES",
    "Bin",
    "amount",
    "bins",
    "curvature_status",
    "exit_line",
    "figure",
    "makeup",
    "matrix_cells",
    "summary",
    "undefined_lines",
]

NAMES: Final[dict[Matrix, str]] = {
    "hessian": "Hessian",
    "gauss_newton": "Gauss-Newton",
    "fisher": "Fisher",
    "empirical_fisher": "empirical Fisher",
}

MATRIX_HEADINGS: Final = ("matrix", "smallest", "largest", "trace", "norm", "rank", "negative")

_NOTHING: Final = "–"
_DECADES: Final = 5
"""Powers of ten below the largest eigenvalue that the picture of a spectrum tells apart."""


def figure(value: float | None, digits: int = 4) -> str:
    """A number with a few digits; a dash for what is not known."""
    if value is None or math.isnan(value):
        return _NOTHING
    return f"{value + 0.0:.{digits}g}"


def give_or_take(value: float, error: float) -> str:
    """A number with its error where that shows in its digits."""
    told = figure(value)
    return told if not error > 1e-4 * abs(value) else f"{told} ± {figure(error, 2)}"


def curvature_status(result: CurvatureResult) -> Status:
    """How the Hessian came out against what it is compared with."""
    match result.verdict:
        case "pass":
            return Status("✓", "pass", "good")
        case "inconclusive":
            return Status("?", "unconfirmed", "doubt")
        case "invalid":
            return Status("✗", "INVALID", "bad")
    return Status("✗", "FAIL, a bug in gradcli" if result.builtin else "FAIL", "bad")


def makeup(result: CurvatureResult) -> str:
    """The point, in a line."""
    return (
        f"loss {figure(result.loss, 6)} · {plural(result.parameters, 'parameter')} · gradient norm "
        f"{figure(result.gradient_norm)}"
    )


def summary(result: CurvatureResult) -> list[tuple[str, str]]:
    """Headings, each with what there is to say."""
    hessian = result.spectra["hessian"]
    said = [("method", _method(result)), ("shape", _shape(result, hessian))]
    if result.stable_step is not None:
        said.append(
            (
                "sharpness",
                f"λ_max = {give_or_take(hessian.largest, hessian.largest_error)}: gradient descent "
                f"is stable up to a step of 2/λ_max = {figure(result.stable_step)}",
            )
        )
    if hessian.condition is not None:
        told = f"largest over smallest |λ| that is not zero: {figure(hessian.condition)}"
        said.append(("condition", told))
    if result.crosscheck is not None:
        said.append(("check", _crosscheck(result.crosscheck, hessian, result)))
    return said


def _method(result: CurvatureResult) -> str:
    taken = sum(count for name, count in result.passes.items() if name != "gradient")
    how = (
        "every eigenvalue of the assembled matrices"
        if result.method == "exact"
        else "Lanczos for the outermost eigenvalues, random probes for sums"
    )
    real = ", real differences of gradients since an op takes real numbers only"
    return f"{how}, from {plural(taken, 'product')}{real if result.by_differences else ''}"


def _shape(result: CurvatureResult, hessian: Spectrum) -> str:
    if hessian.largest == 0 == hessian.smallest:
        return "flat: the Hessian is zero"
    if hessian.indefinite:
        lowest = give_or_take(hessian.smallest, hessian.smallest_error)
        count = "" if hessian.negative is None else f"{hessian.negative:,} of "
        of = f"{count}{result.parameters:,} directions curve" if count else "some directions curve"
        both = "" if hessian.largest > 0 else ", none of them upward"
        return f"indefinite: {of} downward, the steepest by {lowest}{both}"
    if hessian.zero:
        flat = f"{hessian.zero:,} of {result.parameters:,} directions are flat"
        return f"positive semidefinite: {flat}, the others curve upward"
    if hessian.negative is None:
        return "no negative curvature was found"
    return "positive definite: every direction curves upward"


def _crosscheck(found: Crosscheck, hessian: Spectrum, result: CurvatureResult) -> str:
    asymmetry = max(found.asymmetry, hessian.asymmetry or 0.0)
    symmetric = f"symmetric to {asymmetry:.1g}"
    if found.agrees is None:
        return (
            f"{symmetric}; not compared with differences of the gradient: along each of "
            f"{plural(found.directions, 'random direction')} every step crosses a kink, where the "
            "Hessian is that of the branch taken"
        )
    along = plural(found.compared, "random direction")
    less = found.directions - found.compared
    left = f" ({less} more only cross kinks)" if less else ""
    verb = "agrees with" if found.agrees else "differs from"
    return (
        f"{symmetric}; along {along}{left} it {verb} differences of the gradient, by "
        f"{found.max_rel_error:.1g} with these unsure to {found.uncertainty:.1g}"
    )


def matrix_cells(spectrum: Spectrum) -> list[str]:
    """A row of the table of matrices; see `MATRIX_HEADINGS`."""
    rank = _NOTHING if spectrum.rank is None else f"{spectrum.rank:,}"
    negative = _NOTHING if spectrum.negative is None else f"{spectrum.negative:,}"
    return [
        NAMES[spectrum.matrix],
        _smallest(spectrum),
        give_or_take(spectrum.largest, spectrum.largest_error),
        give_or_take(spectrum.trace, spectrum.trace_error),
        give_or_take(spectrum.frobenius, spectrum.frobenius_error),
        rank,
        negative,
    ]


def _smallest(spectrum: Spectrum) -> str:
    """The smallest eigenvalue; of one that is assembled zero where rounding allows no more."""
    value, error = spectrum.smallest, spectrum.smallest_error
    if not spectrum.eigenvalues:
        return give_or_take(value, error)
    return figure(0.0 if abs(value) <= error else value)


def undefined_lines(result: CurvatureResult) -> list[str]:
    """The matrices that there are none of, each with the reason."""
    return [
        f"no {NAMES[spectrum.matrix]}: {spectrum.undefined}"
        for spectrum in result.spectra.values()
        if spectrum.undefined
    ]


class Bin(NamedTuple):
    """A range of eigenvalues: how it is written, its share of all, how many are in it if known."""

    label: str
    share: float
    number: int | None
    style: Style


def bins(spectrum: Spectrum) -> list[Bin]:
    """The spectrum by sign and power of ten, from the largest down; empty ends are left out."""
    exact = bool(spectrum.eigenvalues)
    places = (
        [(value, 1 / len(spectrum.eigenvalues)) for value in spectrum.eigenvalues]
        if exact
        else list(spectrum.density)
    )
    largest = max((abs(value) for value, _ in places), default=0.0)
    if not largest:
        return []
    top = math.floor(math.log10(largest))
    powers = range(top, top - _DECADES, -1)
    found: list[Bin] = []
    styles: tuple[tuple[int, Style], ...] = ((1, "good"), (0, "faint"), (-1, "bad"))
    for sign, style in styles:
        ordered: Sequence[int] = powers if sign > 0 else powers[::-1]
        for power in ordered if sign else (powers[-1],):
            low, high = 10.0**power, 10.0 ** (power + 1)
            within = [
                share
                for value, share in places
                if (low <= sign * value < high if sign else abs(value) < low)
            ]
            label = f"{'-' if sign < 0 else ''}1e{power:+d}" if sign else f"below 1e{power:+d}"
            found.append(Bin(label, sum(within), len(within) if exact else None, style))
    while found and not found[0].share:
        found.pop(0)
    while found and not found[-1].share:
        found.pop()
    return found


def amount(each: Bin) -> str:
    """How many eigenvalues are in a bin, or what share of all."""
    if each.number is not None:
        return f"{each.number:,}" if each.number else ""
    return f"{each.share:.1%}" if each.share else ""


def exit_line(report: CurvatureReport) -> str:
    """What the exit code means here."""
    code = report.exit_code
    meaning = {
        ExitCode.OK: "the Hessian is the derivative of the gradient",
        ExitCode.WRONG: "the Hessian of a definition is not the derivative of its gradient",
        ExitCode.INVALID: "the spec is invalid",
        ExitCode.BUG: "a bug in gradcli",
    }[code]
    if report.verdict == "inconclusive":
        meaning = "the Hessian could not be compared with differences"
    return f"exit {int(code)}: {meaning}"
