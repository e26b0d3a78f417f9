"""Functions that gradcli knows nothing about, whose slope hides: in noise, in ties, in stairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.core.arrays import Array
from gradcli.engine.noise import SPACING, measure_noise

EPS = float(np.finfo(float).eps)
Function = Callable[[Array], Any]
WIDE = np.array([2e5, 2e2, 2e6, 2e-4])

HIDDEN: dict[str, tuple[Function, Function, Array]] = {
    "a root": (
        lambda x: 1e6 + np.arctan(1e4 + np.sqrt(np.abs(x))).sum(),
        lambda x: np.sign(x) / (2 * np.sqrt(np.abs(x)) * (1 + (1e4 + np.sqrt(np.abs(x))) ** 2)),
        np.array([7e-6, 3.0]),
    ),
    "a step": (
        lambda x: 1e6 + 1e-10 * np.tanh(x / 1e-10).sum(),
        lambda x: 1 / np.cosh(np.clip(x / 1e-10, -300, 300)) ** 2,
        np.array([0.0, 1.0]),
    ),
    "a bump": (
        lambda x: 1e6 + 1e-5 * (1 / (1 + x * x)).sum(),
        lambda x: -2e-5 * x / (1 + x * x) ** 2,
        WIDE,
    ),
    "a kink": (
        lambda x: 1 + 1e-9 * (np.maximum(x, 1e-8) + x**2).sum(),
        lambda x: 1e-9 * ((x > 1e-8) + 2 * x),
        np.array([4e-9, 3e-8]),
    ),
    "a dent": (
        lambda x: 3 + 1e-11 * (x**2 / (np.abs(x) + 1e-8) ** 2).sum(),
        lambda x: 2e-19 * x / (np.abs(x) + 1e-8) ** 3,
        np.array([2e-19, 1.0]),
    ),
    "stairs of a far larger entry": (
        lambda x: np.sin(x[0]) + np.sin(x[0] + x[1]),
        lambda x: np.cos(x[0] + x[1]) + np.array([np.cos(x[0]), 0.0]),
        np.array([0.0123, 53354.2]),
    ),
    "nothing, but rounding": (
        lambda x: 3 + 0 * x.sum(),
        lambda x: np.array([3e-16, 0.0]),
        np.array([2541.0, -1.0]),
    ),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_slope_that_cannot_be_seen_from_the_point_is_not_called_wrong(name: str) -> None:
    """Differences see the other side of the kink, none of the bump, or one step of the stairs."""
    fun, grad, point = HIDDEN[name]
    for seed in range(3):
        assert gradcli.gradcheck(fun, grad, point, seed=seed).verdict != "fail"


def test_beside_a_far_larger_entry_a_mistake_is_told() -> None:
    fun, grad, point = HIDDEN["stairs of a far larger entry"]
    for factor in (np.array([1.1, 1.0]), np.array([-1.0, 1.0])):
        report = gradcli.gradcheck(fun, lambda x, by=factor: by * grad(x), point)
        assert report.verdict == "fail", report
    report = gradcli.gradcheck(lambda x: 3 + 0 * x.sum(), lambda x: np.full(2, 1e-14), point)
    assert report.verdict == "fail", report


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.0])
def test_a_slope_below_the_noise_of_one_step_is_still_told(factor: float) -> None:
    """The same size of slope and noise, on a function that is smooth for as far as it takes."""
    point = np.array([0.3, -1.0])
    report = gradcli.gradcheck(
        lambda x: 1 + 1e-9 * np.sin(x).sum(), lambda x: factor * 1e-9 * np.cos(x), point
    )
    assert report.verdict == "fail", report


def test_a_claim_for_one_point_alone_adds_up_to_nothing() -> None:
    """It is right everywhere but where it is checked, at which nothing can be seen of the slope."""

    def wrong(x: Array) -> Array:
        return np.where(x == 0, 5.0, 2 * x)

    report = gradcli.gradcheck(lambda x: 1e6 + (x**2).sum(), wrong, np.array([0.0, 1.0]))
    assert report.verdict == "fail", report


WEIGHTS = np.array([1.0, 5.0, -3.0, 2.0, 0.5, 1.5])


def ranked(x: Array) -> Array:
    """The weight of each entry's place in a stable sort."""
    made = np.empty_like(x)
    made[np.argsort(x, kind="stable")] = WEIGHTS
    return made


@pytest.mark.parametrize(("tie", "largest"), [(0.3, 1.0), (0.0, 1.0), (0.0, 1e6)])
def test_in_a_tie_every_place_is_a_slope(tie: float, largest: float) -> None:
    """Alone, an entry moves to one end of the tie or to the other, and never to the middle."""
    point = np.array([tie, tie, tie, tie, tie, largest])

    def fun(x: Array) -> Any:
        return (np.sort(x) * WEIGHTS).sum()

    report = gradcli.gradcheck(fun, ranked, point)
    assert report.passed, report
    assert report.tensors[0].kinks == 5
    assert gradcli.gradcheck(fun, lambda x: 1.5 * ranked(x), point).verdict == "fail"


def tied(x: Array) -> Array:
    return (x == x.max()).astype(float)


TIE = np.array([1.0, 2.0, 2.0, 0.5, 2.0])


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (lambda x: tied(x) / tied(x).sum(), "pass"),
        (lambda x: np.eye(len(x))[x.argmax()], "pass"),
        (tied, "fail"),
        (lambda x: 2 * tied(x) / tied(x).sum(), "fail"),
    ],
    ids=["shared", "first", "each", "shared twice"],
)
def test_a_tie_of_max_is_counted_once(claim: Function, verdict: str) -> None:
    report = gradcli.gradcheck(lambda x: x.max(), claim, TIE)
    assert report.verdict == verdict, report


def test_how_often_a_tie_is_counted_is_named() -> None:
    (found,) = gradcli.gradcheck(lambda x: x.max(), tied, TIE).findings[:1]
    assert found.code == "GC102"
    assert found.data["factor"] == pytest.approx(3)


def test_kinks_that_do_not_tie_are_each_their_own() -> None:
    """Half of these slopes are the lower ones of their kinks and half the higher, all at once."""
    c = np.random.default_rng(0).standard_normal(40)
    report = gradcli.gradcheck(
        lambda x: (c * np.maximum(x, 0)).sum(), lambda x: c * (x >= 0), np.zeros(40)
    )
    assert report.passed, report


def test_the_middle_of_a_kink_is_no_slope_of_a_smooth_function() -> None:
    report = gradcli.gradcheck(
        lambda x: np.maximum(x, 0).sum(), lambda x: np.where(x == 0, 0.5, x > 0), np.array([0, 1.0])
    )
    assert report.passed, report
    assert report.tensors[0].kinks == 1


@pytest.mark.parametrize("slope", [1e-5, 1e-4, 1e-3, 1e-2, 0.1])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_stairs_under_a_slope_are_noise(slope: float, size: float) -> None:
    """Between two stairs nothing changes, and over many the slope hides them."""

    def rounded(x: Array) -> Array:
        return np.asarray((size + slope * np.sin(1 + x)) - size)

    found = measure_noise(rounded, rounded(np.zeros(1)), np.array([SPACING]), EPS)
    assert 0.1 * EPS * size <= found[0] <= 20 * EPS * size


@pytest.mark.parametrize("x", [7.5e-12, 1e-13, -3e-12])
def test_a_zero_on_fine_stairs_is_not_passed(x: float) -> None:
    """Next to ten thousand the argument changes nothing, until it does: the slope is not zero."""

    def fun(p: Array) -> Any:
        return np.sin(1e4 + p).sum()

    report = gradcli.gradcheck(fun, np.zeros_like, np.array([x]))
    assert report.verdict != "pass", report
    assert gradcli.gradcheck(fun, lambda p: np.cos(1e4 + p), np.array([x])).verdict != "fail"


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.25, 1.0])
def test_a_gradient_of_one_point_is_not_asked_beside_its_kink(slope: float) -> None:
    """As an array it says nothing of the slope there, where a function of its value is wrong."""
    point = np.array([0.0, 2.0])

    def fun(x: Array) -> Any:
        return np.abs(x).sum()

    report = gradcli.gradcheck(fun, np.array([slope, 1.0]), point)
    assert report.passed, report
    assert report.tensors[0].kinks == 1
    assert gradcli.gradcheck(fun, lambda x: np.array([slope, 1.0]), point).verdict == "fail"
    assert gradcli.gradcheck(fun, np.array([1.5, 1.0]), point).verdict == "fail"
    assert gradcli.gradcheck(fun, np.array([slope, -1.0]), point).verdict == "fail"


def test_the_gradient_of_one_point_comes_in_the_structure_of_the_arguments() -> None:
    w = np.array([0.3, -1.2, 2.0])
    point = {"w": w, "b": 0.5}

    def fun(p: dict[str, Any]) -> Any:
        return np.sin(p["w"]).sum() * p["b"]

    right = {"w": np.cos(w) * 0.5, "b": np.sin(w).sum()}
    assert gradcli.gradcheck(fun, right, point).passed
    assert gradcli.gradcheck(fun, {**right, "b": 1.1 * right["b"]}, point).verdict == "fail"
    (found,) = gradcli.gradcheck(fun, right["w"], point).findings
    assert (found.code, "expected a dict" in found.message) == ("GC002", True)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("factors", [np.positive, np.abs, np.square], ids=["x", "|x|", "x²"])
def test_a_product_of_zeros_has_no_slope(size: int, factors: Function) -> None:
    """Each alone changes nothing, however large; only all together do."""

    def fun(x: Array) -> Any:
        return factors(x).prod() if size > 1 else 0 * x.sum()

    point = np.zeros(size)
    assert gradcli.gradcheck(fun, np.zeros_like, point).passed
    for wrong in (1.0, 1e-9):
        report = gradcli.gradcheck(fun, lambda x, by=wrong: np.eye(1, size)[0] * by, point)
        assert report.verdict == "fail", report


def test_where_it_cannot_be_computed_a_function_is_not_constant() -> None:
    def fun(x: Array) -> Any:
        return np.where(np.abs(x - 1) < 1e-14, 3.0, np.nan).sum()

    assert gradcli.gradcheck(fun, np.zeros_like, np.ones(1)).verdict == "inconclusive"
