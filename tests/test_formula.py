"""The formula language: what a formula is worth, its branches and conditions."""

from __future__ import annotations

import math
import random
import warnings

import numpy as np
import pytest
from formulas import ROUNDING, STEP, formula, gradient

from gradcli.core.branches import record_branches
from gradcli.core.formula import Formula, FormulaError
from gradcli.core.op import Activation

FUNCTIONS = {
    # name: (NumPy's or math's, points, derivative from the textbook)
    "exp": (np.exp, (-30.0, -1.0, 0.0, 2.5), np.exp),
    "expm1": (np.expm1, (-30.0, -1e-9, 0.0, 1e-9, 2.5), np.exp),
    "log": (np.log, (1e-9, 0.5, 1.0, 40.0), lambda x: 1 / x),
    "log1p": (np.log1p, (-0.9, -1e-9, 0.0, 1e-9, 40.0), lambda x: 1 / (1 + x)),
    "sqrt": (np.sqrt, (1e-9, 0.5, 4.0), lambda x: 0.5 / np.sqrt(x)),
    "abs": (np.abs, (-3.0, -1e-9, 1e-9, 2.0), np.sign),
    "sign": (np.sign, (-3.0, -1e-9, 1e-9, 2.0), np.zeros_like),
    "sin": (np.sin, (-3.0, 0.0, 1.0, 30.0), np.cos),
    "cos": (np.cos, (-3.0, 0.0, 1.0, 30.0), lambda x: -np.sin(x)),
    "tan": (np.tan, (-1.5, 0.0, 1.0), lambda x: 1 / np.cos(x) ** 2),
    "arctan": (np.arctan, (-40.0, -1.0, 0.0, 0.3), lambda x: 1 / (1 + x**2)),
    "sinh": (np.sinh, (-36.0, -1.0, 0.0, 0.3), np.cosh),
    "cosh": (np.cosh, (-36.0, -1.0, 0.0, 0.3), np.sinh),
    "tanh": (np.tanh, (-36.0, -20.0, -1.0, 0.0, 0.3, 36.0), lambda x: 1 / np.cosh(x) ** 2),
    "erf": (
        np.vectorize(math.erf),
        (-3.0, -0.5, 0.0, 1e-9, 0.5, 5.0),
        lambda x: 2 / np.sqrt(np.pi) * np.exp(-(x**2)),
    ),
}


# Values


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_value_and_the_derivative_of_the_textbook(name: str) -> None:
    function, points, derivative = FUNCTIONS[name]
    x = np.array(points)
    parsed = formula(f"{name}(x)")
    value, pullback = parsed.value_and_pullback({"x": x}, ["x"])
    np.testing.assert_allclose(value, function(x), rtol=ROUNDING)
    np.testing.assert_array_equal(parsed.evaluate({"x": x}), value)
    np.testing.assert_allclose(pullback(np.full(x.shape, 3.0))["x"], 3 * derivative(x), rtol=1e-13)
    step = parsed.evaluate({"x": x + 1j * STEP}).imag / STEP
    np.testing.assert_allclose(step, derivative(x), rtol=1e-13)


@pytest.mark.parametrize(
    "text",
    [
        "-2**2", "2**-1", "2**3**2", "2**-1**2", "9-5-3", "64/4/2", "2*3+4*5", "2+3*4-5/2",
        "-(2+3)*4", "--2", "-+-2", "2*-3", "2**-2*3", "-2*-3**2", "8/2*4", "1-(2-3)-4",
        "2 ** (1 + 1) ** 2", ".5 + 5. + 1e-3 + 2E+2", "(((7)))",
    ],
)  # fmt: skip
def test_precedence_is_that_of_python(text: str) -> None:
    assert formula(text).evaluate({}) == pytest.approx(eval(text), rel=ROUNDING)


def test_random_arithmetic_means_what_it_means_in_python() -> None:
    generator = random.Random(20240501)
    names = {"a": np.float64(1.3), "b": np.float64(-0.7), "c": np.float64(2.0)}

    def expression(depth: int) -> str:
        kind = generator.random()
        if depth == 0 or kind < 0.3:
            return generator.choice(["a", "b", "c", "2", "0.5"])
        if kind < 0.45:
            return generator.choice("+-") + expression(depth - 1)
        if kind < 0.6:
            return f"({expression(depth - 1)})"
        operator = generator.choice(["+", "-", "*", "/", "**", " - ", "*"])
        return expression(depth - 1) + operator + expression(depth - 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(500):
            text = expression(5)
            try:
                expected = eval(text, {}, names)
            except (OverflowError, ZeroDivisionError):  # of Python's own numbers
                continue
            if isinstance(expected, complex):
                continue
            found = formula(text, *names).evaluate(names)
            np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where(x > 0, 1, 2)", [2, 2, 1]),
        ("where(x >= 0, 1, 2)", [2, 1, 1]),
        ("where(x == 0, 1, 2)", [2, 1, 2]),
        ("where(x != 0, 1, 2)", [1, 2, 1]),
        ("where(x <= 0 and x > -0.5, 1, 2)", [2, 1, 2]),
        ("where(x < 0 or not x < 1, 1, 2)", [1, 2, 1]),
        ("where(not (x < 0 or x == 0), 1, 2)", [2, 2, 1]),
        ("x > 0", [0, 0, 1]),
        ("2 - (x > 0) * 3", [2, 2, -1]),
        ("where((x > 0) == (x >= 0), 1, 2)", [1, 2, 1]),
        ("maximum(x, 0.5)", [0.5, 0.5, 2]),
        ("minimum(x, 0.5)", [-1, 0, 0.5]),
        ("clip(x, -0.5, 1)", [-0.5, 0, 1]),
        ("clip(x, -inf, 1)", [-1, 0, 1]),
        ("sign(x)", [-1, 0, 1]),
        ("x * pi", [-math.pi, 0, 2 * math.pi]),
        ("x\n  + 1", [0, 1, 3]),
    ],
)
def test_piecewise_values(text: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(
        formula(text).evaluate({"x": np.array([-1.0, 0.0, 2.0])}), expected
    )


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("sum(x)", lambda x: x.sum()),
        ("sum(x, 0)", lambda x: x.sum(0)),
        ("sum(x, -1)", lambda x: x.sum(-1)),
        ("mean(x)", lambda x: x.mean()),
        ("mean(x, 1)", lambda x: x.mean(1)),
        ("max(x)", lambda x: x.max()),
        ("max(x, -2)", lambda x: x.max(-2)),
        ("softmax(x)", lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        ("softmax(x, 0)", lambda x: np.exp(x) / np.exp(x).sum(0)),
        ("x @ transpose(x)", lambda x: x @ x.T),
        ("matmul(transpose(x), x)", lambda x: x.T @ x),
        ("x @ sum(x, 0)", lambda x: x @ x.sum(0)),
        ("sum(x, 1) @ x", lambda x: x.sum(1) @ x),
        ("sum(x, 0) @ sum(x, 0)", lambda x: x.sum(0) @ x.sum(0)),
        ("x - mean(x, 0)", lambda x: x - x.mean(0)),
    ],
)
def test_array_functions_are_numpys(text: str, reference: object, rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 3))
    expected = reference(x)  # type: ignore[operator]
    parsed = formula(text)
    np.testing.assert_allclose(parsed.evaluate({"x": x}), expected, rtol=ROUNDING, atol=1e-15)
    assert parsed.extent({"x": (4, 3)}).shape == np.shape(expected)


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ("2 * x + pi * b", {"x": np.float32([1, 2]), "b": 0.1}),
        ("x**3 + x**0.5 + 2**x", {"x": np.array(2.0, np.float32)}),
        ("where(x > 1, x, 0) + (x > 1)", {"x": np.array(2.0, np.float32)}),
        ("mean(x) + 0.5 * max(x) + sum(softmax(x))", {"x": np.float32([1, 2])}),
        ("tanh(x) + erf(x) + expm1(x) + log1p(x)", {"x": np.array(0.5, np.float32)}),
        ("x @ transpose(x) * n", {"x": np.ones((2, 2), np.float32), "n": np.array([3, 4])}),
    ],
)
def test_single_precision_stays_single(text: str, env: dict[str, np.ndarray]) -> None:
    value, pullback = formula(text, *env).value_and_pullback(env, ["x"])
    assert value.dtype == np.float32
    assert pullback(np.ones_like(value))["x"].dtype == np.float32


def test_numbers_alone_are_double_precision_scalars() -> None:
    value = formula("2 + 3").evaluate({})
    assert (value.shape, value.dtype, float(value)) == ((), np.float64, 5.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("9**9**9", 0.0, math.inf),
        ("1 / x", 0.0, math.inf),
        ("log(x)", 0.0, -math.inf),
        ("log(x)", -1.0, math.nan),
        ("sqrt(x)", -1.0, math.nan),
        ("x**0.5", -1.0, math.nan),
        ("exp(x)", 1e5, math.inf),
        ("x**-3", 0.0, math.inf),
        ("x**-0.5", 0.0, math.inf),
        ("x**0.5", 0.0, 0.0),
        ("sqrt(x) + x**0", 0.0, 1.0),
        ("x / x", 0.0, math.nan),
        ("0 * inf", 0.0, math.nan),
    ],
)
def test_values_that_are_not_finite_come_without_a_warning(
    text: str, x: float, expected: float
) -> None:
    for argument in (np.array([x]), np.array([x + 1j * STEP])):
        np.testing.assert_array_equal(
            formula(text).evaluate({"x": argument}).real.ravel(), [expected]
        )
    value, pullback = formula(text).value_and_pullback({"x": np.array([x])}, ["x"])
    pullback(np.ones_like(value))


@pytest.mark.parametrize("exponent", [2.0, 3.0, -1.0, -2.0, 0.0, 1.0, 0.5, 1.5, -0.5, 64.0, 99.0])
def test_powers(exponent: float) -> None:
    x = np.array([0.3, 1.0, 2.5, -1.0, -1.7][: 5 if exponent.is_integer() else 3])
    parsed = formula(f"x**{exponent}")
    value, pullback = parsed.value_and_pullback({"x": x}, ["x"])
    np.testing.assert_allclose(value, x**exponent, rtol=ROUNDING)
    slope = exponent * x ** (exponent - 1)
    np.testing.assert_allclose(pullback(np.ones_like(value))["x"], slope, rtol=1e-13)
    step = parsed.evaluate({"x": x + 1j * STEP}).imag / STEP
    np.testing.assert_allclose(step, slope, rtol=1e-13)


def test_whole_exponents_of_an_array_take_negative_bases() -> None:
    x, y = np.array([-1.5, -2.0, 0.0, 0.0, 0.0]), np.array([3.0, -2.0, 0.0, 1.0, 2.0])
    slope = [3 * 2.25, -2 * -0.125, 0, 1, 0]
    np.testing.assert_array_equal(formula("x**y").evaluate({"x": x, "y": y}), x**y)
    np.testing.assert_allclose(gradient("x**y", x=x, y=y)["x"], slope, rtol=ROUNDING)
    step = formula("x**y").evaluate({"x": x + 1j * STEP, "y": y}).imag / STEP
    np.testing.assert_allclose(step, slope, rtol=ROUNDING)


def test_a_square_is_the_product_exactly(rng: np.random.Generator) -> None:
    x = rng.normal(size=1000) * 10.0 ** rng.integers(-150, 150, size=1000)
    np.testing.assert_array_equal(formula("x**2").evaluate({"x": x}), x * x)
    # The perturbation too, even where it is larger than the number it perturbs.
    x = np.append(rng.normal(size=1000) * 10.0 ** rng.integers(-90, 90, size=1000), 1e-150)
    moved = formula("x**2").evaluate({"x": x + 1j * 1e-100})
    np.testing.assert_array_equal(moved.imag, 2 * x * 1e-100)


# Activations, branches, conditions


def halved(x: np.ndarray, *, factor: float) -> tuple[np.ndarray, object]:
    """A multiple."""
    return factor * x, lambda g: factor * g


def test_activations_are_called_with_their_defaults() -> None:
    from gradcli.core.param import Param

    ops = {"halved": Activation(name="halved", function=halved, params=(Param("factor", 0.5),))}
    parsed = Formula.parse("halved(x) ** 2", ["x"], ops)
    value, pullback = parsed.value_and_pullback({"x": np.array([4.0])}, ["x"])
    np.testing.assert_array_equal(value, [4.0])
    np.testing.assert_array_equal(pullback(np.ones(1))["x"], [2.0])
    with pytest.raises(FormulaError, match="halved"):
        Formula.parse("halvd(x)", ["x"], ops)


def test_the_activations_of_the_catalogue_are_known() -> None:
    import gradcli.ops  # noqa: F401

    x = np.array([-2.0, 3.0])
    np.testing.assert_array_equal(formula("relu(x)").evaluate({"x": x}), [0, 3])
    (condition,) = formula("relu(x - 1)").conditions
    assert condition.text == "relu(x - 1)"


@pytest.mark.parametrize(
    ("text", "margins"),
    [
        ("where(y >= 2 * x, 1, 0)", {"y >= 2 * x": [3.0]}),
        ("where(x > 0 and y < 1, x, y)", {"x > 0": [1.0], "y < 1": [4.0]}),
        ("abs(x - y) + exp(x)", {"abs(x - y)": [-4.0]}),
        ("maximum(x, y)", {"maximum(x, y)": [-4.0]}),
        ("clip(x, 0, y)", {"clip(x, 0, y)": [1.0, -4.0]}),
        ("exp(x * y)", {}),
    ],
)
def test_conditions_say_where_a_kink_may_be(text: str, margins: dict[str, list[float]]) -> None:
    found: dict[str, list[float]] = {}
    for condition in formula(text).conditions:
        assert text[condition.offset :].startswith(condition.text)
        margin = condition.margin.evaluate({"x": 1.0, "y": 5.0})
        found.setdefault(condition.text, []).append(float(margin))
    assert found == margins


def test_every_piecewise_function_records_its_branch() -> None:
    for text in (
        "abs(x)",
        "where(x > 0, 1, 2)",
        "x > 0",
        "maximum(x, 0)",
        "clip(x, 0, 9)",
        "sign(x)",
    ):
        taken = []
        for x in (-1.0, 1.0):
            with record_branches() as branches:
                formula(text).evaluate({"x": np.array([x])})
            taken.append([bool(branch.all()) for branch in branches])
        assert taken[0] != taken[1], text
    with record_branches() as branches:
        formula("max(x)").evaluate({"x": np.array([1.0, 2.0])})
    np.testing.assert_array_equal(branches[0], [False, True])


def test_arrays_given_are_left_as_they_were(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 3))
    before = x.copy()
    gradient("softmax(x) @ x + max(x, 0) - sum(x) * abs(x)", x=x)
    np.testing.assert_array_equal(x, before)
