"""What a report says of the curvature of a loss, from results written by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gradcli.analysis.curvature.report import (
    Block,
    Crosscheck,
    CurvatureReport,
    CurvatureResult,
    Relation,
    Spectrum,
    Step,
)
from gradcli.report import curvature_words as words


def spectrum(*eigenvalues: float, **known: Any) -> Spectrum:
    """Of an assembled matrix with these eigenvalues, in ascending order."""
    return Spectrum(**{
        "matrix": "hessian", "smallest": eigenvalues[0], "smallest_error": 1e-12,
        "largest": eigenvalues[-1], "largest_error": 1e-12, "trace": sum(eigenvalues),
        "trace_error": 1e-12, "frobenius": math.hypot(*eigenvalues), "frobenius_error": 1e-12,
        "negative": sum(each < 0 for each in eigenvalues),
        "zero": sum(each == 0 for each in eigenvalues),
        "positive": sum(each > 0 for each in eigenvalues),
        "eigenvalues": eigenvalues, **known,
    })  # fmt: skip


SAMPLED: dict[str, Any] = {"negative": None, "zero": None, "positive": None, "eigenvalues": ()}


def result(hessian: Spectrum, **known: Any) -> CurvatureResult:
    plain = {"loss": 0.5, "parameters": len(hessian.eigenvalues) or 1200, "gradient_norm": 1.0}
    spectra = {"hessian": hessian, **known.pop("spectra", {})}
    return CurvatureResult("net", **{"verdict": "pass", "spectra": spectra, **plain, **known})


def said(of: CurvatureResult, heading: str) -> str | None:
    return dict(words.summary(of)).get(heading)


@pytest.mark.parametrize(
    ("hessian", "gradient", "shape"),
    [
        (spectrum(0.5, 2.0), 1.0, "positive definite: every direction curves upward"),
        (spectrum(0.0, 0.0, 2.0), 1.0,
         "positive semidefinite: 2 of 3 directions are flat, the others curve upward"),
        (spectrum(-1.0, 0.5, 2.0), 1.0,
         "indefinite: 1 of 3 directions curve downward, the steepest by -1"),
        (spectrum(-2.0, -1.0), 1.0,
         "indefinite: 2 of 2 directions curve downward, the steepest by -2, none of them upward"),
        (spectrum(0.0, 0.0), 1.0, "flat: the Hessian is zero"),
        (spectrum(-1.0, 2.0), 1e-13, "a saddle point, since the gradient is zero; "
         "indefinite: 1 of 2 directions curve downward, the steepest by -1"),
        (spectrum(0.5, 2.0), 1e-13, "a stationary point, since the gradient is zero; "
         "positive definite: every direction curves upward"),
        (spectrum(-1.0, 2.0, smallest_error=0.25, **SAMPLED), 1.0,
         "indefinite: some directions curve downward, the steepest by -1 ± 0.25"),
        (spectrum(-0.1, 2.0, smallest_error=0.25, **SAMPLED), 1.0,
         "no negative curvature was found"),
    ],
)  # fmt: skip
def test_shape(hessian: Spectrum, gradient: float, shape: str) -> None:
    assert said(result(hessian, gradient_norm=gradient), "shape") == shape


def test_what_bounds_the_step_of_gradient_descent() -> None:
    assert said(result(spectrum(0.5, 4.0)), "sharpness") == (
        "λ_max = 4: gradient descent is stable up to a step of 2/λ_max = 0.5"
    )
    assert said(result(spectrum(-2.0, -1.0)), "sharpness") is None


@pytest.mark.parametrize(
    ("known", "method"),
    [
        ({"passes": {"gradient": 9, "hessian": 1000, "fisher": 1}},
         "every eigenvalue of the assembled matrices, from 1,001 products"),
        ({"passes": {"hessian": 1}, "method": "lanczos", "by_differences": True},
         "Lanczos for the outermost eigenvalues, random probes for sums, from 1 product, real "
         "differences of gradients since an op takes real numbers only"),
    ],
)  # fmt: skip
def test_method(known: dict[str, Any], method: str) -> None:
    assert said(result(spectrum(1.0), **known), "method") == method


@pytest.mark.parametrize(
    ("found", "check"),
    [
        (Crosscheck(4, 4, 1e-9, 2e-9, 1e-16, True),
         "symmetric to 1e-12; along 4 random directions it agrees with differences of the "
         "gradient, by 1e-09 with these unsure to 2e-09"),
        (Crosscheck(4, 1, 0.5, 2e-9, 1e-3, False),
         "symmetric to 0.001; along 1 random direction (3 more only cross kinks) it differs from "
         "differences of the gradient, by 0.5 with these unsure to 2e-09"),
        (Crosscheck(4, 0, 0.0, 0.0, 1e-16, None),
         "symmetric to 1e-12; not compared with differences of the gradient: along each of 4 "
         "random directions every step crosses a kink, or the Hessian leaps: it is that of the "
         "branch taken"),
    ],
)  # fmt: skip
def test_check(found: Crosscheck, check: str) -> None:
    assert said(result(spectrum(1.0, asymmetry=1e-12), crosscheck=found), "check") == check


def test_matrices() -> None:
    """What rounding cannot tell from zero is zero, of a matrix that is assembled."""
    tiny = spectrum(1e-13, 3.0, 4.0, trace=7.0, frobenius=5.0)
    assert words.matrix_cells(tiny) == ["Hessian", "0", "4", "7", "5", "3", "0"]
    sampled = spectrum(1e-13, 4.0, trace=7.0, trace_error=0.7, frobenius=5.0, matrix="fisher",
                       **SAMPLED)  # fmt: skip
    assert words.matrix_cells(sampled) == (
        ["Fisher", "1e-13 ± 1e-12", "4", "7 ± 0.7", "5", "–", "–"]
    )
    none = Spectrum("fisher", "there is no loss on the outputs")
    lines = words.undefined_lines(result(tiny, spectra={"fisher": none}))
    assert lines == ["no Fisher: there is no loss on the outputs"]


def test_layers() -> None:
    plain = {"smallest": -1.0, "smallest_error": 0.0, "largest": 2.0, "largest_error": 0.0,
             "trace": 1.0, "trace_error": 0.0, "gradient_norm": 0.25}  # fmt: skip
    blocks = [Block("dense_1", 1200, share=0.5, **plain), Block("dense_2", 3, share=0.3, **plain)]
    assert words.block_cells(blocks[0]) == ["dense_1", "-1", "2", "1", "50%", "0.25", "1,200"]
    held = "each layer's block of the Hessian, all other layers held"
    assert words.block_words(result(spectrum(1.0), blocks=tuple(blocks))) == (
        f"{held}; share: of its squared entries, 20% of which are between layers"
    )
    unknown = Block("dense_1", 1, share=None, **plain)
    assert words.block_cells(unknown)[4] == "–"
    assert words.block_words(result(spectrum(1.0), blocks=(unknown,))) == held


@pytest.mark.parametrize(
    ("distance", "words_of_it"),
    [
        (1e-9, "Fisher and Gauss-Newton coincide: so it is"),
        (0.25, "Fisher and Gauss-Newton differ by 25% of the latter's norm: so it is"),
        (9.0, "Fisher and Gauss-Newton differ by 900% of the latter's norm: so it is"),
        (12.0, "Fisher and Gauss-Newton differ by 12 times the latter's norm: so it is"),
    ],
)
def test_relations(distance: float, words_of_it: str) -> None:
    relation = Relation("fisher", "gauss_newton", distance, "so it is")
    assert words.relation_words(relation) == words_of_it


def test_steps() -> None:
    newton = Step("newton", length=0.5, predicted=2.0, actual=1.0, gradient_norm=0.1, damping=0.25,
                  products=1200, numbers=1_440_000)  # fmt: skip
    assert words.step_cells(newton) == (
        ["Newton", "2", "1", "0.5", "0.1", "0.25", "1,200", "1,440,000"]
    )
    lbfgs = Step("lbfgs", actual=0.0, gradients=12, taken=10, numbers=24)
    assert words.step_cells(lbfgs)[0] == "L-BFGS, 10"
    assert words.step_cells(lbfgs)[5:] == ["", "12 gradients", "24"]
    assert [words.step_style(each) for each in (newton, lbfgs)] == ["", "bad"]


@pytest.mark.parametrize(
    ("step", "notes"),
    [
        (Step("newton", actual=1.0), []),
        (Step("newton", "no reason"), ["no step of Newton: no reason"]),
        (Step("newton", actual=1.0, damping=2.0),
         ["Newton: damped, since the Hessian is indefinite"]),
        (Step("gauss_newton", actual=1.0, damping=2.0), []),
        (Step("gauss_newton", actual=1.0, damping=2.0, undamped=-3.0),
         ["Gauss-Newton: without damping it raises the loss by 3"]),
        (Step("newton", actual=-1.0),
         ["Newton: raises the loss; --damping NUMBER shortens it"]),
        (Step("newton", actual=1.0, flat=0.5), ["Newton: 50% of the gradient lies where the matrix "
                                                "is flat, and is left alone"]),
        (Step("newton", actual=1.0, flat=1e-3), []),
        (Step("newton", actual=1.0, residual=1e-3, products=300),
         ["Newton: 300 products leave 0.001 of the equation unsolved"]),
        (Step("newton", actual=1.0, residual=1e-6), []),
        (Step("gradient", actual=1.0, note="downward"), ["gradient: downward"]),
    ],
)  # fmt: skip
def test_notes_on_steps(step: Step, notes: list[str]) -> None:
    assert words.step_notes(result(spectrum(-1.0, 2.0), steps=(step,))) == notes


def test_damping_that_was_asked_for_is_no_news() -> None:
    of = result(spectrum(1.0, 2.0), steps=(Step("newton", actual=1.0, damping=2.0),))
    assert words.step_notes(of) == []


def test_a_spectrum_by_powers_of_ten() -> None:
    """Those of each sign in five bins, and one for what is smaller; empty ends are left out."""
    found = words.bins(spectrum(-20.0, -0.3, 1e-9, 0.05, 50.0, 60.0))
    assert [(each.label, words.amount(each)) for each in found] == [
        ("1e+1", "2"), ("1e+0", ""), ("1e-1", ""), ("1e-2", "1"), ("1e-3", ""),
        ("below 1e-3", "1"),
        ("-1e-3", ""), ("-1e-2", ""), ("-1e-1", "1"), ("-1e+0", ""), ("-1e+1", "1"),
    ]  # fmt: skip
    assert sum(each.share for each in found) == pytest.approx(1)
    sampled = words.bins(spectrum(2.0, 30.0, density=((2.0, 0.75), (30.0, 0.25)), **SAMPLED))
    assert [(each.label, words.amount(each)) for each in sampled] == (
        [("1e+1", "25.0%"), ("1e+0", "75.0%")]
    )
    assert words.bins(spectrum(0.0, 0.0)) == []


@pytest.mark.parametrize(
    ("verdict", "builtin", "status", "line"),
    [
        ("pass", True, "✓ pass", "exit 0: the Hessian is the derivative of the gradient"),
        ("inconclusive", True, "? unconfirmed",
         "exit 0: the Hessian could not be compared with differences"),
        ("fail", True, "✗ FAIL, a bug in gradcli", "exit 4: a bug in gradcli"),
        ("fail", False, "✗ FAIL",
         "exit 1: the Hessian of a definition is not the derivative of its gradient"),
        ("invalid", True, "✗ INVALID", "exit 2: the spec is invalid"),
    ],
)  # fmt: skip
def test_the_outcome(verdict: Any, builtin: bool, status: str, line: str) -> None:
    of = result(spectrum(1.0), verdict=verdict, builtin=builtin)
    assert str(words.curvature_status(of)) == status
    assert words.exit_line(CurvatureReport((of,))) == line
