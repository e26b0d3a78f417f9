"""What a curvature analysis found, in words and numbers: shared by every rendering of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from gradcli.analysis.curvature.report import (
    Block,
    Crosscheck,
    CurvatureReport,
    CurvatureResult,
    Matrix,
    Relation,
    Spectrum,
    Step,
    StepMethod,
)
from gradcli.errors import ExitCode
from gradcli.report.characters import NOTHING
from gradcli.report.surface import Style
from gradcli.report.words import Status, plural

__all__ = [
    "BLOCK_HEADINGS",
    "MATRIX_HEADINGS",
    "NAMES",
    "STEP_HEADINGS",
    "STEP_LEGEND",
    "STEP_NAMES",
    "Bin",
    "amount",
    "block_cells",
    "block_words",
    "bins",
    "curvature_status",
    "exit_line",
    "figure",
    "makeup",
    "matrix_cells",
    "relation_words",
    "step_cells",
    "step_notes",
    "step_style",
    "summary",
    "undefined_lines",
]

NAMES: Final[dict[Matrix, str]] = {
    "hessian": "Hessian",
    "gauss_newton": "Gauss-Newton",
    "fisher": "Fisher",
    "empirical_fisher": "empirical Fisher",
}

BLOCK_HEADINGS: Final = (
    "layer", "smallest", "largest", "trace", "share", "gradient", "parameters",
)  # fmt: skip

STEP_NAMES: Final[dict[StepMethod, str]] = {
    "gradient": "gradient",
    "newton": "Newton",
    "gauss_newton": "Gauss-Newton",
    "natural_gradient": "natural gradient",
    "lbfgs": "L-BFGS",
}

STEP_HEADINGS: Final = (
    "step", "predicted", "actual", "length", "gradient", "damping", "products", "numbers",
)  # fmt: skip

STEP_LEGEND: Final = (
    "predicted: how far the loss falls by the method's own quadratic model; actual: how far it "
    "does; length: of the step; gradient: its norm thereafter; products with the matrix that "
    "it takes, and numbers that it keeps"
)

MATRIX_HEADINGS: Final = ("matrix", "smallest", "largest", "trace", "norm", "rank", "negative")

_STATIONARY: Final = 1e-12
"""Size of a gradient that is zero but for rounding."""

_FLAT: Final = 1e-3
"""Share of a gradient in flat directions that is worth a word,"""
_UNSOLVED: Final = 1e-6
"""and of an equation that is left unsolved."""

_DECADES: Final = 5
"""Powers of ten below the largest eigenvalue that the picture of a spectrum tells apart."""


def figure(value: float | None, digits: int = 4) -> str:
    """A number with a few digits; a dash for what is not known."""
    if value is None or math.isnan(value):
        return NOTHING
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
    if result.gradient_norm < _STATIONARY:
        kind = (
            "a saddle point" if hessian.indefinite and hessian.largest > 0 else "a stationary point"
        )
        return f"{kind}, since the gradient is zero; {_bent(result, hessian)}"
    return _bent(result, hessian)


def _bent(result: CurvatureResult, hessian: Spectrum) -> str:
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
            f"{plural(found.directions, 'random direction')} every step crosses a kink, or the "
            "Hessian leaps: it is that of the branch taken"
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
    rank = NOTHING if spectrum.rank is None else f"{spectrum.rank:,}"
    negative = NOTHING if spectrum.negative is None else f"{spectrum.negative:,}"
    return [
        NAMES[spectrum.matrix],
        _unless_zero(spectrum, spectrum.smallest, spectrum.smallest_error),
        give_or_take(spectrum.largest, spectrum.largest_error),
        _unless_zero(spectrum, spectrum.trace, spectrum.trace_error),
        give_or_take(spectrum.frobenius, spectrum.frobenius_error),
        rank,
        negative,
    ]


def _unless_zero(spectrum: Spectrum, value: float, error: float) -> str:
    """A number; of a matrix that is assembled zero where rounding allows no more."""
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


def block_cells(block: Block) -> list[str]:
    """A row of the table of layers; see `BLOCK_HEADINGS`."""
    return [
        block.layer,
        give_or_take(block.smallest, block.smallest_error),
        give_or_take(block.largest, block.largest_error),
        give_or_take(block.trace, block.trace_error),
        NOTHING if block.share is None else f"{block.share:.0%}",
        figure(block.gradient_norm, 3),
        f"{block.parameters:,}",
    ]


def block_words(result: CurvatureResult) -> str:
    """How to read the table of layers, and what it does not hold."""
    said = "each layer's block of the Hessian, all other layers held"
    shares = [block.share for block in result.blocks]
    known = sum(share for share in shares if share is not None)
    if None in shares or not known:
        return said
    return f"{said}; share: of its squared entries, {1 - known:.0%} of which are between layers"


def relation_words(relation: Relation) -> str:
    """Whether two matrices are one, how far apart they are, and why."""
    pair = f"{NAMES[relation.matrix]} and {NAMES[relation.other]}"
    if relation.coincide:
        return f"{pair} coincide: {relation.why}"
    share = relation.distance
    apart = f"{share:.0%} of" if share < 10 else f"{figure(share, 2)} times"
    return f"{pair} differ by {apart} the latter's norm: {relation.why}"


def step_cells(step: Step) -> list[str]:
    """A row of the table of steps; see `STEP_HEADINGS`."""
    name = STEP_NAMES[step.method]
    taken = f"{name}, {step.taken}" if step.taken > 1 else name
    return [
        taken,
        figure(step.predicted),
        figure(step.actual),
        figure(step.length, 3),
        figure(step.gradient_norm, 3),
        figure(step.damping, 3) if step.damping else "",
        _cost(step),
        f"{step.numbers:,}",
    ]


def _cost(step: Step) -> str:
    return f"{step.products:,}" if step.products else f"{plural(step.gradients, 'gradient')}"


def step_style(step: Step) -> Style:
    """Bad where a step raises the loss."""
    return "bad" if not step.actual > 0 else ""


def step_notes(result: CurvatureResult) -> list[str]:
    """What the table of steps does not say."""
    said = []
    for step in result.steps:
        name = STEP_NAMES[step.method]
        if step.undefined:
            said.append(f"no step of {name}: {step.undefined}")
            continue
        if step.undamped is not None:
            before = f"without damping it raises the loss by {figure(-step.undamped)}"
            said.append(f"{name}: {before}")
        elif step.damping and result.spectra["hessian"].indefinite and step.method == "newton":
            said.append(f"{name}: damped, since the Hessian is indefinite")
        if not step.actual > 0:
            said.append(f"{name}: raises the loss; --damping NUMBER shortens it")
        if step.flat > _FLAT:
            said.append(
                f"{name}: {step.flat:.0%} of the gradient lies where the matrix is flat, and is "
                "left alone"
            )
        if step.residual > _UNSOLVED:
            left = f"{step.products:,} products leave {step.residual:.1g} of the equation unsolved"
            said.append(f"{name}: {left}")
        if step.note:
            said.append(f"{name}: {step.note}")
    return said


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
