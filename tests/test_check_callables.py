"""`gradcheck` and `check_vjp` on functions that gradcli knows nothing about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.core.arrays import Array
from gradcli.errors import ExitCode, UsageError

RNG = np.random.default_rng(7)
X = RNG.standard_normal(4)
SQUARE = RNG.standard_normal((5, 5))
POSITIVE = SQUARE @ SQUARE.T + 5 * np.eye(5)
HILBERT = 1.0 / (np.arange(6)[:, None] + np.arange(6) + 1)
F32 = X.astype(np.float32)

Case = tuple[Callable[[Any], Any], Callable[[Any], Any], Any]

CORRECT: dict[str, Case] = {
    "quadratic form": (lambda x: x @ POSITIVE @ x, lambda x: 2 * POSITIVE @ x, np.ones(5) / 3),
    "relu at zero": (
        lambda x: np.maximum(x, 0).sum(),
        lambda x: (x > 0).astype(float),
        np.array([0.0, 1, -1, 0]),
    ),
    "abs near zero": (lambda x: np.abs(x).sum(), np.sign, np.array([1e-8, -1e-8, 1e-12, 0])),
    "tie of max": (lambda x: x.max(), lambda x: np.eye(4)[x.argmax()], np.ones(4)),
    "hinge at its margin": (
        lambda x: np.maximum(0, 1 - x).sum(),
        lambda x: -(x < 1).astype(float),
        np.array([1.0, 2, 0.5]),
    ),
    "small slope on a large value": (lambda x: 1e8 + np.sin(x).sum(), np.cos, X),
    "small slopes": (lambda x: 1e-12 * np.sin(x).sum(), lambda x: 1e-12 * np.cos(x), X),
    "mixed scales": (
        lambda x: 1e10 * np.sin(x[0]) + np.sin(x[1]),
        lambda x: np.array([1e10 * np.cos(x[0]), np.cos(x[1])]),
        np.array([0.3, 0.4]),
    ),
    "saturation, with a derivative that cancels": (
        lambda x: np.tanh(x).sum(),
        lambda x: 1 - np.tanh(x) ** 2,
        np.array([0.0, 5, 15, 19, 25, 40]),
    ),
    "log near zero": (lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e-9, 1e-3, 1.0])),
    "entropy": (lambda x: (x * np.log(x)).sum(), lambda x: np.log(x) + 1, np.array([1e-6, 0.5])),
    "float32 inside": (lambda x: float(np.sin(x.astype(np.float32)).sum()), np.cos, X),
    "rounded": (lambda x: round(float(np.sin(x).sum()), 8), np.cos, X),
    "ill-conditioned": (
        lambda x: np.linalg.slogdet(x)[1],
        lambda x: np.linalg.inv(x).T,
        HILBERT,
    ),
    "high curvature": (lambda x: np.sin(1e4 * x).sum(), lambda x: 1e4 * np.cos(1e4 * x), X),
    "tiny parameter": (
        lambda x: np.exp(1e12 * x).sum(),
        lambda x: 1e12 * np.exp(1e12 * x),
        np.array([1e-12, -2e-12]),
    ),
    "flat": (lambda x: (x**4).sum(), lambda x: 4 * x**3, np.array([0.0, 1e-5, 1e-2])),
    "constant": (lambda x: 3.0, lambda x: 0 * x, np.ones(3)),
    "far from the mean": (
        lambda x: np.log(np.exp(x - x.max()).sum()) + x.max(),
        lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
        np.array([0.0, -30, 700, 5]),
    ),
    "float32": (lambda x: np.sin(x).sum(dtype=np.float32), np.cos, F32),
    "tiny beside large": (lambda x: np.log(x).sum(), lambda x: 1 / x, np.array([1e10, 1, 1e-10])),
    "smooth on one side only": (
        lambda x: np.abs(x).sum(),
        np.sign,
        np.array([1e-12, -1e-12, 2]),
    ),
    "bend at a margin": (
        lambda x: 40 + (np.maximum(0, 1 - x) ** 2).sum(),
        lambda x: -2 * np.maximum(0, 1 - x),
        np.array([1, 0.5, 1 - 1e-9]),
    ),
    "at a minimum": (lambda x: ((x - 1) ** 2).sum(), lambda x: 2 * (x - 1), np.ones(2)),
    "steep beside a border": (
        lambda x: np.log1p(x).sum(),
        lambda x: 1 / (1 + x),
        np.array([-1 + 2.0**-33, 0]),
    ),
    "too large to be squared": (
        lambda x: 1e200 * np.sin(x).sum(),
        lambda x: 1e200 * np.cos(x),
        X,
    ),
    "scalar": (lambda x: x**3, lambda x: 3 * x**2, 1.3),
    "no entries": (lambda x: x.sum(), np.ones_like, np.zeros((0, 3))),
    "list": (lambda p: (p[0] * p[1]).sum(), lambda p: [p[1], p[0]], [X, X + 1]),
    "dict": (
        lambda p: (p["a"] ** 2).sum() * p["b"],
        lambda p: {"a": 2 * p["a"] * p["b"], "b": (p["a"] ** 2).sum()},
        {"a": X, "b": 0.7},
    ),
    "raises outside its domain": (
        lambda x: sum(__import__("math").log(v) for v in x),
        lambda x: 1 / x,
        np.array([0.1, 2.0]),
    ),
}


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_gradient_passes(name: str) -> None:
    fun, grad, point = CORRECT[name]
    report = gradcli.gradcheck(fun, grad, point)
    assert report.passed, report


def test_noise_is_told_from_a_mistake(rng: np.random.Generator) -> None:
    report = gradcli.gradcheck(
        lambda x: float(np.sin(x).sum()) + 1e-9 * rng.standard_normal(), np.cos, X
    )
    assert report.verdict == "pass", report


def test_a_border_of_the_domain_is_not_wrong() -> None:
    """x**1.5 at 0 has one side, on which differences converge too slowly to decide."""
    with np.errstate(invalid="ignore"):
        report = gradcli.gradcheck(
            lambda x: (x**1.5).sum(), lambda x: 1.5 * np.sqrt(x), np.array([0.0, 1e-4, 1.0])
        )
    assert report.verdict in ("pass", "inconclusive"), report


WRONG: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any], Any]] = {
    "sign": ("GC101", lambda x: (x**2).sum(), lambda x: -2 * x, X),
    "factor": ("GC102", lambda x: (x**2).sum(), lambda x: 4 * x, X),
    "zero": ("GC103", lambda x: (x**2).sum(), lambda x: 0 * x, X),
    "one entry": (
        "GC109",
        lambda x: (x**2).sum(),
        lambda x: 2 * x * (1 + 1e-3 * (np.arange(4) == 2)),
        X,
    ),
    "sign of small slopes": (
        "GC101",
        lambda x: 1e-7 * np.sin(x).sum(),
        lambda x: -1e-7 * np.cos(x),
        X,
    ),
    "NaN": ("GC004", lambda x: (x**2).sum(), lambda x: x * np.nan, X),
    "infinite": ("GC004", lambda x: (x**2).sum(), lambda x: x + np.inf, X),
    "no subgradient": (
        "GC100",
        lambda x: np.maximum(x, 0).sum(),
        lambda x: (x > 0) + 2.0 * (x == 0),
        np.array([0.0, 1, -1]),
    ),
    "one in ten thousand": (
        "GC102",
        lambda x: np.exp(x).sum(),
        lambda x: np.exp(x) * (1 + 1e-4),
        X,
    ),
    "float32": (
        "GC102",
        lambda x: np.sin(x).sum(dtype=np.float32),
        lambda x: 1.02 * np.cos(x),
        F32,
    ),
    "small beside large": (
        "GC100",
        lambda x: 1e6 * np.sin(x[0]) + 1e-2 * np.sin(x[1]),
        lambda x: np.array([1e6 * np.cos(x[0]), 2e-2 * np.cos(x[1])]),
        np.array([0.3, 0.4]),
    ),
    "shape": ("GC002", lambda x: (x**2).sum(), lambda x: 2 * x[:2], X),
    "raises": ("GC007", lambda x: (x**2).sum(), lambda x: {}["nothing"], X),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_fails_in_the_right_words(name: str) -> None:
    code, fun, grad, point = WRONG[name]
    report = gradcli.gradcheck(fun, grad, point)
    assert report.verdict == "fail", report
    assert report.exit_code == ExitCode.WRONG
    errors = [found.code for found in report.findings if found.severity == "error"]
    assert errors == [code], report


AT_KINKS: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any], Any]] = {
    "zero at a tie": ("GC103", lambda x: x.max(), lambda x: 0 * x, np.ones(4)),
    "zero at zero": ("GC103", lambda x: np.abs(x).sum(), lambda x: 0 * x, np.zeros((2, 2))),
    "one on both sides": (
        "GC100", lambda x: np.maximum(x, 0).sum(), np.ones_like, np.zeros(1),
    ),
    "a number": ("GC100", abs, lambda x: 0.5 + 0 * x, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_KINKS)
def test_a_slope_allowed_at_a_kink_alone_is_found_beside_it(name: str) -> None:
    code, fun, grad, point = AT_KINKS[name]
    report = gradcli.gradcheck(fun, grad, point)
    (error,) = (found for found in report.findings if found.severity == "error")
    assert error.code == code
    assert "beside the kinks" in error.message
    assert report.tensors[0].max_rel_error > 0.1


def test_kinks_are_named_by_their_index() -> None:
    point = np.array([[1.0, 0, 2], [0, 3, 4]])
    report = gradcli.gradcheck(lambda x: np.abs(x).sum(), np.sign, point)
    (kink,) = report.findings
    assert (kink.code, report.verdict, report.tensors[0].kinks) == ("GC201", "pass", 2)
    assert kink.data["indices"] == [[0, 1], [1, 0]]
    assert "right where asked beside the kinks" in kink.message


def test_a_gradient_that_raises_on_one_side_of_a_kink_is_asked_on_the_other() -> None:
    def slope(x: float) -> float:
        return float(np.sign(x)) if x >= 0 else 1 / 0

    report = gradcli.gradcheck(abs, slope, 0.0)
    assert report.passed, report
    assert "right where asked beside the kinks" in report.findings[0].message
    assert gradcli.gradcheck(abs, lambda x: 3 * slope(x), 0.0).verdict == "fail"


F32_CANCELS = np.array([0.1, -0.7, 0.3], np.float32)


def test_rounding_in_float32_is_no_mistake_and_a_mistake_is() -> None:
    """The mean of ±1/7 over seven rows leaves an ulp of a summand where zero is right."""
    weights = (np.array([1, -1, 1, -1, 1, -1, 0]) / np.float32(7)).astype(np.float32)

    def loss(b: Array) -> Any:
        return (weights * (b.sum() + np.arange(7, dtype=np.float32))).sum()

    def slope(b: Array) -> Array:
        return np.full_like(b, np.float32(0.3) + weights.sum() - np.float32(0.3))

    report = gradcli.gradcheck(loss, slope, F32_CANCELS)
    assert report.passed, report
    for factor in (1.02, 0.98, -1):
        report = gradcli.gradcheck(
            lambda x: np.tanh(x).sum(),
            lambda x, f=factor: np.float32(f) * (1 - np.tanh(x) ** 2),
            F32_CANCELS,
        )
        assert report.verdict == "fail", report


def test_a_function_that_takes_float32_alone_is_checked_in_it() -> None:
    def picky(x: Array) -> Any:
        assert x.dtype == np.float32
        return np.sin(x).sum()

    assert gradcli.gradcheck(picky, np.cos, F32).passed
    assert gradcli.gradcheck(picky, lambda x: 1.05 * np.cos(x), F32).verdict == "fail"


def test_a_mistake_within_the_grade_is_a_warning() -> None:
    report = gradcli.gradcheck(lambda x: np.exp(x).sum(), lambda x: np.exp(x) * (1 + 1e-6), X)
    assert report.passed
    assert [found.code for found in report.findings] == ["GC113"]
    report = gradcli.gradcheck(
        lambda x: np.exp(x).sum(), lambda x: np.exp(x) * (1 + 1e-6), X, require="excellent"
    )
    assert not report.passed


def test_a_gradient_that_differs_each_time() -> None:
    calls = iter(range(100))
    report = gradcli.gradcheck(
        lambda x: (x**2).sum(), lambda x: 2 * x * (1 + next(calls) * 1e-9), X
    )
    assert [found.code for found in report.findings] == ["GC005"]


def test_a_gradient_that_changes_its_argument() -> None:
    def grad(x: Array) -> Array:
        x *= 2
        return x

    report = gradcli.gradcheck(lambda x: (x**2).sum(), grad, X)
    assert [found.code for found in report.findings] == ["GC006"]


def test_the_arguments_are_left_as_they_were() -> None:
    point = X.copy()
    gradcli.gradcheck(lambda x: (x**2).sum(), lambda x: 2 * x, point)
    np.testing.assert_array_equal(point, X)


@pytest.mark.parametrize(
    ("fun", "params", "message"),
    [
        (lambda x: x, X, "one real number"),
        (lambda x: np.nan, X, "is nan at the point"),
        (lambda x: 0.0, np.arange(3), "nothing to differentiate"),
        (lambda x: 0.0, np.array(["a"]), "arrays of real numbers"),
        (lambda x: 0.0, {"a": X, "b": {"c": X}}, "real numbers, got a dict as b"),
        (lambda x: 0.0, [X, None], "real numbers, got None at 1"),
        (lambda x: 0.0, [X, [1.0, [2.0]]], "got a nested list that is no array at 1"),
    ],
)
def test_a_function_that_cannot_be_checked_says_why(fun: Any, params: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gradcli.gradcheck(fun, lambda x: x, params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entries": 0}, "entries cannot be 0: expected all or a whole number at least 1"),
        ({"entries": "many"}, "entries cannot be 'many'"),
        ({"budget": -1}, "budget cannot be -1: expected a number above 0"),
        ({"require": "perfect"}, "require: expected excellent"),
        ({"seed": -1}, "seed cannot be -1"),
    ],
)
def test_options_that_make_no_sense_let_nothing_pass(options: Any, message: str) -> None:
    def pull(x: Array, y: Array, g: Array) -> Array:
        return 2 * x * g

    with pytest.raises(UsageError, match=message):
        gradcli.gradcheck(lambda x: (x**2).sum(), lambda x: 2 * x, X, **options)
    with pytest.raises(UsageError, match=message):
        gradcli.check_vjp(np.square, pull, X, **options)


@pytest.mark.parametrize("options", [{"entries": 0}, {"oracle": "best"}, {"wrt": "weights"}])
def test_a_loaded_model_is_checked_with_sensible_options_alone(options: Any) -> None:
    data = {"inputs": {"values": [[1.0]]}, "targets": {"values": [[0.0]]}}
    model = gradcli.load({"gradcli": 1, "data": data, "loss": "mse"})
    with pytest.raises(UsageError, match=f"{next(iter(options))} cannot be"):
        gradcli.check(model, **options)


def softmax(inputs: dict[str, Array]) -> Array:
    e = np.exp(inputs["x"] - inputs["x"].max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_pullback(inputs: dict[str, Array], y: Array, g: Array) -> dict[str, Array]:
    return {"x": y * (g - (g * y).sum(axis=-1, keepdims=True))}


def test_a_vector_function_with_its_pullback() -> None:
    assert gradcli.check_vjp(softmax, softmax_pullback, {"x": RNG.standard_normal((3, 4))}).passed


def test_a_pullback_that_forgets_a_term() -> None:
    report = gradcli.check_vjp(
        softmax, lambda inputs, y, g: {"x": y * g}, {"x": RNG.standard_normal((3, 4))}
    )
    assert report.verdict == "fail"


def test_saved_values_reach_the_pullback() -> None:
    report = gradcli.check_vjp(
        lambda x: (np.exp(x), "saved"),
        lambda x, y, g, saved: {"saved": g * y}[saved],
        RNG.standard_normal(5),
    )
    assert report.passed, report


@pytest.mark.parametrize("largest", range(5))
def test_of_errors_that_tie_the_one_of_the_largest_gradient_is_shown(largest: int) -> None:
    """All are off by the same factor: rounding must not choose, which differs by machine."""
    x = np.array([0.3, 0.7, 1.1, 1.3, 1.7])
    x[largest] = 9.1
    report = gradcli.gradcheck(lambda x: np.sum(x**3), lambda x: 6 * x**2, x)
    (tensor,) = report.tensors
    assert tensor.wrong == 5
    assert tensor.worst is not None
    assert tensor.worst.index == (largest,)
