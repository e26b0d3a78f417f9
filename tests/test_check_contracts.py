"""What a function and its gradient have to keep to, whatever their values: GC001 to GC007."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.core.arrays import Array
from gradcli.errors import UsageError

X = np.random.default_rng(7).standard_normal((2, 3))
F32 = X.astype(np.float32)


@pytest.fixture(autouse=True)
def generators_left_alone() -> Iterator[None]:
    """No check moves the generators that it shares with whoever called it."""
    np.random.seed(5)  # noqa: NPY002  (code under check draws from it)
    random.seed(5)
    expected = np.random.RandomState(5).random(), random.Random(5).random()
    yield
    assert (np.random.random(), random.random()) == expected  # noqa: NPY002


class Case(NamedTuple):
    """A function, its gradient (or a forward and its backward), and what is to be said of them."""

    function: Callable[..., Any]
    gradient: Callable[..., Any]
    code: str
    message: str
    severity: str = "error"
    point: Any = X


def square(x: Array) -> float:
    return float((x**2).sum())


def doubled(x: Array) -> Array:
    return 2 * x


class Memory:
    """Keeps something from call to call."""

    def __init__(self) -> None:
        self.last: Any = None
        self.calls = 0

    def remember(self, x: Array) -> float:
        self.last = x.copy()
        return square(x)

    def gradient_of_last(self, _: Array) -> Array:
        return 2 * self.last

    def of_first_call(self, x: Array) -> Array:
        self.last = x.copy() if self.last is None else self.last
        return 2 * self.last

    def average(self, x: Array) -> float:
        mean = x.mean()
        self.last = mean if self.last is None else 0.9 * self.last + 0.1 * mean
        return square(x - self.last)

    def raise_the_second_time(self, x: Array) -> Array:
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("backward through the graph a second time")
        return 2 * x


def dropout(generator: np.random.Generator) -> Callable[[Array], float]:
    return lambda x: float((x * (generator.random(x.shape) < 0.5)).sum())


def changed(x: Array) -> Array:
    x *= 2
    return x


def shifted_in_place(x: Array) -> float:
    x -= x.max()
    return float(np.exp(x).sum())


def reseeding(x: Array) -> float:
    np.random.seed(0)  # noqa: NPY002
    return square(x)


def drawing_in_vain(x: Array) -> Array:
    random.random()
    return 2 * x


SCALAR: dict[str, Case] = {
    "no shape of its own": Case(square, lambda x: 2 * x.ravel(), "GC002", r"shape \(6,\)"),
    "scalar for an array": Case(square, lambda x: 1.0, "GC002", r"float64 of shape \(\)"),
    "none": Case(square, lambda x: None, "GC002", "is None"),
    "a dict": Case(square, lambda x: {"x": 2 * x}, "GC002", "is a dict"),
    "no dict": Case(
        lambda p: square(p["x"]), lambda p: 2 * p["x"], "GC002", "expected a dict", point={"x": X}
    ),
    "no list": Case(lambda p: square(p[0]), lambda p: 1.0, "GC002", "expected a list", point=[X]),
    "too many": Case(
        lambda p: square(p[0]), lambda p: [2 * p[0]] * 2, "GC002", "entry for 1", point=[X]
    ),
    "too few": Case(
        lambda p: square(p[0]), lambda p: [], "GC002", "no entry for 0", point=[X]
    ),
    "complex": Case(square, lambda x: 2 * x + 0j, "GC003", "complex128"),
    "object": Case(square, lambda x: (2 * x).astype(object), "GC003", "object"),
    "text": Case(square, lambda x: (2 * x).astype(str), "GC003", "<U"),
    "cut off": Case(square, lambda x: (2 * x).astype(int), "GC003", "lose their fractions"),
    "rounded": Case(square, lambda x: np.rint(2 * x).astype(int), "GC003", "lose their fractions"),
    "whole by chance": Case(
        lambda x: float(x.sum()), lambda x: np.ones(x.shape, int), "GC003", "right here", "warning"
    ),
    "wider": Case(
        lambda x: (x**2).sum(), lambda x: 2.0 * x.astype(float), "GC003", "update", "warning", F32
    ),
    "random": Case(
        dropout(np.random.default_rng(3)), np.ones_like, "GC005", "the function itself gives"
    ),
    "random in one entry": Case(
        dropout(np.random.default_rng(3)), np.ones_like, "GC005", "the function itself",
        point=np.ones(1),
    ),
    "random, drawn from NumPy's generator": Case(
        lambda x: float((x * (np.random.random(x.shape) < 0.5)).sum()),  # noqa: NPY002
        np.ones_like, "GC005", "draws from NumPy's global random generator",
    ),
    "random, drawn from Python's generator": Case(
        lambda x: square(x) * (random.random() + 0.5), doubled,
        "GC005", "draws from Python's global random generator",
    ),
    "random gradient": Case(
        square, lambda x: 2 * x * (np.random.random(x.shape) < 0.5),  # noqa: NPY002
        "GC005", "computed twice, since the gradient draws from NumPy's",
    ),
    "gradient of the last call": Case(
        (memory := Memory()).remember, memory.gradient_of_last, "GC005", "at another point"
    ),
    "a mean that moves": Case(
        Memory().average, lambda x: 2 * (x - x.mean()), "GC005", "the function itself"
    ),
    "seeds": Case(reseeding, doubled, "GC006", "the function changes the state of NumPy's",
                  "warning"),
    "draws and does not use it": Case(
        square, drawing_in_vain, "GC006", "the gradient changes the state of Python's", "warning"
    ),
    "writes to its argument": Case(square, changed, "GC006", "the gradient changes its argument x"),
    "function writes to its argument": Case(
        shifted_in_place, np.exp, "GC006", "the function changes its argument x"
    ),
    "raises": Case(square, lambda x: {}["nothing"], "GC007", "KeyError: 'nothing'"),
    "raises when called again": Case(
        square, Memory().raise_the_second_time, "GC007", "when it is called again"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALAR)
def test_contracts_of_a_gradient(name: str) -> None:
    case = SCALAR[name]
    _assert_found(gradcli.gradcheck(case.function, case.gradient, case.point), case)


def masked(x: Array) -> tuple[Array, Array]:
    mask = np.random.random(x.shape) < 0.5  # noqa: NPY002
    return x * mask, mask


def scaled_in_place(x: Array, y: Array, g: Array) -> Array:
    g *= 2 * x
    return g


def spoiling_saved(x: Array, y: Array, g: Array, saved: Any) -> Array:
    saved["twice"] *= 2
    return g * saved["twice"] / 2


def of_output_in_place(x: Array, y: Array, g: Array) -> Array:
    np.multiply(g, y, out=y)
    return y.copy()


def picky(x: Array, y: Array, g: Array) -> Array:
    if abs(g).max() > 2.5:
        raise ValueError("too large")
    return 2 * x * g


VECTOR: dict[str, Case] = {
    "cotangent ignored": Case(np.exp, lambda x, y, g: y, "GC001", "not linear"),
    "cotangent added": Case(lambda x: x**2, lambda x, y, g: 2 * x + g, "GC001", "not linear"),
    "cotangent squared": Case(lambda x: x**2, lambda x, y, g: 2 * x * g * g, "GC001", "not linear"),
    "cotangent normalised": Case(
        lambda x: x**2, lambda x, y, g: 2 * x * g / np.linalg.norm(g), "GC102", "times what it"
    ),
    "not a number for another cotangent": Case(
        lambda x: x**2, lambda x, y, g: np.where(np.abs(g).max() < 2.5, 2 * x * g, np.nan),
        "GC001", "not linear",
    ),
    "writes to the cotangent": Case(
        lambda x: x**2, scaled_in_place, "GC006", "the backward changes the cotangent in place"
    ),
    "writes to the output": Case(
        np.exp, of_output_in_place, "GC006", "the backward changes the output in place"
    ),
    "writes to what was saved": Case(
        lambda x: (x**2, {"twice": 2 * x}), spoiling_saved, "GC006", "changes saved value 0"
    ),
    "forward writes to its input": Case(
        lambda x: np.maximum(x, 0, out=x), lambda x, y, g: g * (y > 0),
        "GC006", "the forward changes its argument x",
    ),
    "mask drawn again": Case(
        masked, lambda x, y, g, mask: g * (np.random.random(x.shape) < 0.5),  # noqa: NPY002
        "GC005", "since the backward draws from NumPy's global random generator",
    ),
    "mask drawn once": Case(
        masked, lambda x, y, g, mask: g * mask, "GC005", "the forward uses NumPy's", "note"
    ),
    "raises for another cotangent": Case(lambda x: x**2, picky, "GC007", "another cotangent"),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTOR)
def test_contracts_of_a_backward(name: str) -> None:
    case = VECTOR[name]
    _assert_found(gradcli.check_vjp(case.function, case.gradient, case.point), case)


def _assert_found(report: CheckReport, case: Case) -> None:
    assert {found.code for found in report.findings if found.severity == "error"} <= {case.code}
    assert report.verdict == ("fail" if case.severity == "error" else "pass"), report
    mine = [found for found in report.findings if found.code == case.code]
    found = next(found for found in mine if found.severity == case.severity)
    assert re.search(case.message, found.message), found.message


class Kept(NamedTuple):
    """Arguments with names, of which one is no number to differentiate."""

    x: Array
    rows: Array


KEPT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Any]] = {
    "a number": (lambda x: x**3, lambda x: 3 * x**2, 1.3),
    "numbers in a list": (
        lambda p: p[0] * float.__mul__(p[1], 2.0), lambda p: [2 * p[1], 2 * p[0]], [0.5, 0.7],
    ),
    "numbers in a tuple": (lambda p: p[0] * p[1], lambda p: (p[1], p[0]), (0.5, 0.7)),
    "a list of one array": (lambda p: square(p[0]), lambda p: 2 * np.array(p), [X]),
    "named": (
        lambda p: square(p.x[p.rows]),
        lambda p: Kept(2 * p.x * (np.arange(2) == p.rows)[:, None], None),
        Kept(X, np.array([1])),
    ),
    "an array without axes": (lambda x: x[()] ** 2, doubled, np.array(0.7)),
    "no entries": (lambda x: float(x.sum()), np.ones_like, np.zeros((0, 3))),
    "some without entries": (
        lambda p: square(p["x"]) + p["none"].sum(),
        lambda p: {"x": 2 * p["x"], "none": np.ones((3, 0))},
        {"x": X, "none": np.zeros((3, 0))},
    ),
    "against the order of memory": (
        lambda x: float((x * np.arange(6).reshape(2, 3)).sum()),
        lambda x: np.arange(6.0).reshape(2, 3), np.asfortranarray(X),
    ),
    "every other": (square, doubled, X[:, ::2]),
    "half precision": (square, doubled, X.astype(np.float16)),
    "extended precision": (square, doubled, X.astype(np.longdouble)),
    "keys that are no text": (
        lambda p: square(p[0]) * p[1], lambda p: {0: 2 * p[0] * p[1], 1: square(p[0])},
        {0: X, 1: 0.7},
    ),
    "no gradient for whole numbers": (
        lambda p: square(p["x"]) * p["n"], lambda p: {"x": 2 * p["x"] * p["n"], "n": None},
        {"x": X, "n": 3},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_arguments_keep_their_structure(name: str) -> None:
    fun, grad, point = KEPT[name]
    report = gradcli.gradcheck(fun, grad, point)
    assert report.passed, report
    assert not [found for found in report.findings if found.severity != "note"], report


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: (x, x, x), "a tuple of 3"),
        (lambda x: x + 0j, "complex128"),
        (lambda x: {}["nothing"], "forward raises KeyError: 'nothing'"),
        (lambda x: "text", "not real numbers"),
    ],
)
def test_a_forward_that_cannot_be_checked_says_why(forward: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gradcli.check_vjp(forward, lambda x, y, g: g, X)


def test_a_function_that_raises_at_the_point_says_so() -> None:
    with pytest.raises(UsageError, match="the function raises KeyError: 'nothing'"):
        gradcli.gradcheck(lambda x: {}["nothing"], doubled, X)


def test_rounding_that_differs_from_call_to_call_is_allowed() -> None:
    """As sums on several threads do, which add up in another order each time."""
    calls = iter(range(1000))
    report = gradcli.gradcheck(
        square, lambda x: 2 * x * (1 + (next(calls) % 3) * np.finfo(float).eps), X
    )
    assert report.passed, report
