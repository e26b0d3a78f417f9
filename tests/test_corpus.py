"""No correct gradient is called wrong, and every mistake is told that the arithmetic can tell."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from corpus import Planted, check
from corpus.hard import CURVED, HARD, SCALES
from corpus.planted import FORMULAS, PLAIN, PLANTED

from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.core.arrays import Array

MOST_INCONCLUSIVE = 3
MOST_SILENT = 5
SEEDS = range(1, 4)
STRIDE = 9
"""Every ninth case for other seeds; `tests/benchmarks/corpus.py` takes all of them."""


@cache
def correct(name: str, seed: int = 0) -> CheckReport:
    """The report on a hard function with its true gradient."""
    with np.errstate(all="ignore"):  # some are evaluated beyond what NumPy likes
        return check(*HARD[name], seed=seed)


@cache
def wrong(name: str, seed: int = 0) -> CheckReport:
    """The report on a planted mistake."""
    case = PLANTED[name]
    with np.errstate(all="ignore"):
        return check(case.fun, case.wrong, case.point, case.vector, seed)


def test_the_corpus_is_large_enough() -> None:
    assert len(HARD) >= 60
    assert len(PLANTED) >= 60


@pytest.mark.parametrize("name", HARD)
def test_no_correct_gradient_fails(name: str) -> None:
    assert correct(name).verdict in ("pass", "inconclusive"), correct(name)


def test_few_correct_gradients_are_left_undecided() -> None:
    undecided = [name for name in HARD if correct(name).verdict == "inconclusive"]
    assert len(undecided) <= MOST_INCONCLUSIVE, undecided


def told(report: CheckReport) -> bool:
    """Whether a mistake is reported: as one, or within the required grade as a warning."""
    warned = [f for f in report.findings if f.severity == "warning" and f.code.startswith("GC1")]
    return report.verdict == "fail" or (report.verdict == "pass" and bool(warned))


def largest_error(case: Planted) -> float:
    with np.errstate(all="ignore"):
        wrong, right = (np.asarray(grad(case.point), float) for grad in (case.wrong, case.right))
    return float(np.abs(wrong - right).max())


@pytest.mark.parametrize("name", PLANTED)
def test_every_mistake_is_told_or_too_small_to_tell(name: str) -> None:
    report, case = wrong(name), PLANTED[name]
    if not told(report):
        assert not case.vector, report
        assert largest_error(case) <= report.tensors[0].detectable_error, report


def test_few_mistakes_are_too_small_to_tell() -> None:
    silent = [name for name in PLANTED if not told(wrong(name))]
    assert len(silent) <= MOST_SILENT, silent


@pytest.mark.parametrize("name", PLANTED)
def test_the_right_gradient_beside_a_wrong_one_passes(name: str) -> None:
    case = PLANTED[name]
    with np.errstate(all="ignore"):
        report = check(case.fun, case.right, case.point, case.vector)
    assert report.passed, report
    assert not [found for found in report.findings if found.severity != "note"], report


@pytest.mark.parametrize("seed", SEEDS)
def test_the_verdict_does_not_depend_on_the_seed(seed: int) -> None:
    for name in tuple(HARD)[::STRIDE]:
        assert correct(name, seed).verdict == correct(name).verdict, name
    for name in tuple(PLANTED)[::STRIDE]:
        assert wrong(name, seed).verdict == wrong(name).verdict, name
        assert told(wrong(name, seed)) == told(wrong(name)), name


def complex_slopes(fun: Any, point: Array) -> Array | None:
    """Im f(x + ih)/h, entry by entry; None for a function that does not take complex numbers."""
    slopes = np.zeros(point.shape)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        for at in np.ndindex(point.shape):
            moved = point.astype(complex)
            moved[at] += 1e-30j
            try:
                slopes[at] = np.imag(fun(moved)) / 1e-30
            except (TypeError, np.exceptions.ComplexWarning):
                return None
    return slopes if slopes.any() else None


def test_the_gradients_of_smooth_functions_are_their_complex_slopes() -> None:
    """The truth does not come from a check."""
    smooth = [(case.fun, case.grad, case.point) for case in [*SCALES.values(), *CURVED.values()]]
    smooth += [(c.fun, c.right, c.point) for c in [*PLAIN.values(), *FORMULAS.values()]]
    confirmed = 0
    for fun, grad, point in smooth:
        slopes = complex_slopes(fun, point)
        if slopes is not None:
            np.testing.assert_allclose(grad(point), slopes, rtol=1e-8)
            confirmed += 1
    assert confirmed >= 60
