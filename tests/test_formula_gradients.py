"""Derivatives of formulas, and formulas on replicas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from formulas import ROUNDING, STEP, formula, gradient

from gradcli.core.formula import FormulaError

# Derivatives

SMOOTH = [
    "x * y - y / x",
    "x / (x + y) / y",
    "x**y",
    "y**x * 2**x",
    "exp(-x * y) + log(x) * sqrt(y)",
    "where(x > y, x * y, y**3)",
    "where((x > 1) and (y > 1), x, y) * x",
    "maximum(x, y) * minimum(x * x, y)",
    "clip(x * y, y, 2)",
    "abs(x - y)**3",
    "tanh(sinh(x)) + arctan(y * cos(x)) + tan(x / 4)",
    "erf(x) * log1p(y) + expm1(x * y)",
    "-x + +y - -x",
]
MATRIX = [
    "sum(x * y)",
    "sum(x, 0) * y",
    "mean(x, -1) @ y",
    "max(x * y)",
    "max(x, 0) * sum(y)",
    "softmax(x) * y",
    "softmax(x, 0) @ transpose(y)",
    "x @ transpose(y)",
    "transpose(x) @ y * sum(x)",
    "matmul(x, sum(y, 0))",
    "sum(y, 1) @ x",
    "sum(x, 0) @ sum(y, 0) * x",
    "(x - mean(x, 0)) / sqrt(mean((x - mean(x, 0))**2, 0) + 0.1) * y",
    "where(sum(x) > 0, x, y * x)",
]


@pytest.mark.parametrize("text", SMOOTH + MATRIX)
def test_the_pullback_is_the_adjoint_of_the_complex_step(
    text: str, rng: np.random.Generator
) -> None:
    env = {name: rng.uniform(0.3, 2.0, size=(3, 3)) for name in ("x", "y")}
    tangent = {name: rng.normal(size=(3, 3)) for name in env}
    parsed = formula(text)
    value, pullback = parsed.value_and_pullback(env, ["x", "y"])
    moved = {name: env[name] + 1j * STEP * tangent[name] for name in env}
    forward = parsed.evaluate(moved).imag / STEP
    cotangent = rng.normal(size=value.shape)
    found = pullback(cotangent)
    backward = sum((found[name] * tangent[name]).sum() for name in env)
    np.testing.assert_allclose((forward * cotangent).sum(), backward, rtol=1e-12)


@pytest.mark.parametrize("text", SMOOTH + MATRIX)
def test_the_pullback_carries_a_perturbation(text: str, rng: np.random.Generator) -> None:
    """Second derivatives: the complex step of the pullback equals differences of it."""
    env = {name: rng.uniform(0.3, 2.0, size=(3, 3)) for name in ("x", "y")}
    direction = rng.normal(size=(3, 3))
    parsed = formula(text)

    def slope(x: np.ndarray) -> np.ndarray:
        value, pullback = parsed.value_and_pullback(env | {"x": x}, ["x"])
        return pullback(np.cos(np.arange(value.size, dtype=float)).reshape(value.shape))["x"]

    exact = slope(env["x"] + 1j * STEP * direction).imag / STEP
    h = 2.0**-17
    difference = (slope(env["x"] + h * direction) - slope(env["x"] - h * direction)) / (2 * h)
    # Central differences at this step: truncation and rounding are both about 1e-10 of the size.
    scale = max(1.0, np.abs(exact).max())
    np.testing.assert_allclose(exact, difference, atol=1e-6 * scale)


@pytest.mark.torch
@pytest.mark.parametrize("text", SMOOTH + MATRIX)
def test_values_and_gradients_are_those_of_torch(text: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")

    def where(condition: object, a: object, b: object) -> object:
        return torch.where(condition, torch.as_tensor(a), torch.as_tensor(b))

    def softmax(x: object, axis: int = -1) -> object:
        return torch.softmax(x, axis)

    def largest(x: object, axis: int | None = None) -> object:
        return torch.amax(x) if axis is None else torch.amax(x, axis)

    names = [
        "exp", "log", "sqrt", "tanh", "sinh", "cos", "tan", "arctan", "erf", "log1p", "expm1",
        "abs",
        "mean", "sum", "matmul",
    ]  # fmt: skip
    scope = {name: getattr(torch, name) for name in names}
    scope |= {"maximum": torch.maximum, "minimum": torch.minimum, "max": largest}
    scope |= {"where": where, "softmax": softmax, "transpose": lambda x: x.mT}
    scope["clip"] = lambda x, low, high: torch.minimum(torch.maximum(x, low), torch.tensor(high))
    env = {name: rng.uniform(0.3, 2.0, size=(3, 3)) for name in ("x", "y")}
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in env.items()}
    expected = eval(text.replace(" and ", " & "), scope, leaves)
    expected = expected * torch.ones((), dtype=torch.float64)
    cotangent = rng.normal(size=tuple(expected.shape))
    expected.backward(torch.tensor(cotangent))
    value, pullback = formula(text).value_and_pullback(env, ["x", "y"])
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-13)
    for name, found in pullback(cotangent).items():
        grad = leaves[name].grad
        np.testing.assert_allclose(found, grad.numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("text", "x", "y", "expected"),
    [
        ("abs(x)", 0.0, 0.0, {"x": 0.0}),
        ("sign(x)", 0.0, 0.0, {"x": 0.0}),
        ("maximum(x, y)", 1.0, 1.0, {"x": 0.5, "y": 0.5}),
        ("minimum(x, y)", 1.0, 1.0, {"x": 0.5, "y": 0.5}),
        ("maximum(x, y)", 1.0, 2.0, {"x": 0.0, "y": 1.0}),
        ("minimum(x, y)", 1.0, 2.0, {"x": 1.0, "y": 0.0}),
        ("clip(x, 0, 1)", 1.0, 0.0, {"x": 1.0}),
        ("clip(x, 0, 1)", 1.5, 0.0, {"x": 0.0}),
        ("clip(x, y, 3)", 1.0, 2.0, {"x": 0.0, "y": 1.0}),
        ("clip(x, 0, y)", 3.0, 2.0, {"x": 0.0, "y": 1.0}),
        ("where(x > 0, 2 * x, 3 * x)", 0.0, 0.0, {"x": 3.0}),
        ("where(x >= 0, 2 * x, 3 * x)", 0.0, 0.0, {"x": 2.0}),
        ("x > y", 1.0, 1.0, {"x": 0.0, "y": 0.0}),
        ("x * (x > y)", 2.0, 1.0, {"x": 1.0, "y": 0.0}),
    ],
)
def test_slopes_at_kinks(text: str, x: float, y: float, expected: dict[str, float]) -> None:
    found = gradient(text, x=np.array(x), y=np.array(y))
    for name, slope in expected.items():
        np.testing.assert_array_equal(found[name], slope)


def test_the_largest_entries_share_the_slope() -> None:
    x = np.array([1.0, 3.0, 3.0])
    np.testing.assert_array_equal(gradient("max(x)", x=x)["x"], [0, 0.5, 0.5])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where(x > 0, x * log(x), 0)", [0, 0, 1 + math.log(2)]),
        ("sum(where(x > 0, sqrt(x) / x, 0))", [0, 0, -0.5 * 2**-1.5]),
        ("where(x <= 0, 0, x**0.5) * 3", [0, 0, 1.5 * 2**-0.5]),
        ("maximum(log(x), -5)", [math.nan, 0, 0.5]),
        ("where(x > 0, log(maximum(x, 0)), 0) + x", [1, 1, 1.5]),
        ("where(x > 0, where(x > 1, log(x), 1), 0)", [0, 0, 0.5]),
    ],
)
def test_a_branch_not_taken_does_not_poison_the_gradient(text: str, expected: list[float]) -> None:
    x = np.array([-1.0, 0.0, 2.0])
    found = gradient(text, x=x)["x"]
    # The logarithm of a negative number is NaN, which a maximum keeps and does not hide.
    np.testing.assert_allclose(found[1:], expected[1:], rtol=ROUNDING)
    if not math.isnan(expected[0]):
        np.testing.assert_allclose(found[0], expected[0], rtol=ROUNDING)


def test_a_branch_taken_row_by_row_guards_reductions_and_products() -> None:
    x = np.array([[0.0, 1.0], [2.0, 3.0]])
    log_slope = [[0, 0], [0.5, 1 / 3]]
    for text in (
        "where(s > 0, sum(log(x), 1), 0)",
        "where(s > 0, 2 * mean(log(x), 1), 0)",
        "where(s > 0, log(x) @ u, 0)",
        "where(s > 0, u @ transpose(log(x)), 0)",
    ):
        found = gradient(text, x=x, s=np.array([0.0, 1.0]), u=np.ones(2))
        np.testing.assert_allclose(found["x"], log_slope, rtol=ROUNDING)


def test_an_infinite_slope_that_matters_is_not_hidden() -> None:
    assert not np.isfinite(gradient("sqrt(x)**2", x=np.array(0.0))["x"])


# Shapes and replicas


def test_cotangents_have_the_shapes_of_their_variables(rng: np.random.Generator) -> None:
    env = {
        "x": rng.normal(size=(4, 3)),
        "b": rng.normal(size=3),
        "c": rng.normal(size=(4, 1)),
        "s": 2.0,
    }
    found = gradient("x * b + c * s", **env)
    np.testing.assert_allclose(found["b"], env["x"].sum(0), rtol=ROUNDING)
    np.testing.assert_allclose(found["c"], np.full((4, 1), 6.0))
    np.testing.assert_allclose(found["s"], 3 * env["c"].sum(), rtol=ROUNDING)


def test_a_variable_that_does_not_matter_has_a_cotangent_of_zeros() -> None:
    found = gradient("x + 0 * sign(y)", x=np.ones((2, 3)), y=np.ones(3))
    np.testing.assert_array_equal(found["y"], np.zeros(3))


REPLICATED = [
    "x * y + s",
    "sum(x) * y",
    "x - mean(x, 0)",
    "mean(x, -1) * s",
    "max(x, 1) + max(x)",
    "softmax(x) @ y",
    "softmax(x, 0)",
    "y @ transpose(x)",
    "x @ transpose(x) * s",
    "where(x > 0, y, s)",
    "sum(y) * x**2",
]


@pytest.mark.parametrize("perturbed", [("x",), ("y",), ("s",), ("x", "y"), ("x", "y", "s")])
@pytest.mark.parametrize("text", REPLICATED)
def test_replicas_are_evaluated_and_differentiated_as_one_by_one(
    text: str, perturbed: tuple[str, ...], rng: np.random.Generator
) -> None:
    ranks = {"x": 2, "y": 1, "s": 0}
    own: dict[str, tuple[int, ...]] = {"x": (4, 3), "y": (3,), "s": ()}
    replicas = (2, 5)
    env = {
        name: rng.normal(size=(*replicas, *shape) if name in perturbed else shape)
        for name, shape in own.items()
    }
    parsed = formula(text, "x", "y", "s")
    value, pullback = parsed.value_and_pullback(env, list(env), ranks)
    replicated = bool(parsed.names & set(perturbed))
    cotangent = rng.normal(size=value.shape)
    found = pullback(cotangent)
    for index in np.ndindex(replicas if replicated else ()):
        one = {name: env[name][index] if name in perturbed else env[name] for name in env}
        expected, pull = parsed.value_and_pullback(one, list(env))
        np.testing.assert_allclose(value[index], expected, rtol=1e-13, atol=1e-15)
        for name, slope in pull(cotangent[index]).items():
            np.testing.assert_allclose(found[name][index], slope, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("text", "shapes", "marked"),
    [
        ("1 + x * y", {"x": (2, 3), "y": (4,)}, "x * y"),
        ("x @ y", {"x": (2, 3), "y": (2, 3)}, "x @ y"),
        ("x * (x @ y)", {"x": (3,), "y": ()}, "x @ y"),
        ("sum(x, 2)", {"x": (2, 3)}, "sum(x, 2)"),
        ("max(x, -3)", {"x": (2, 3)}, "max(x, -3)"),
        ("softmax(x)", {"x": ()}, "softmax(x)"),
        ("transpose(x)", {"x": (3,)}, "transpose(x)"),
        ("max(x)", {"x": (0,)}, "max(x)"),
        ("matmul(x, y)", {"x": (2, 1, 3), "y": (3, 3, 1)}, "matmul(x, y)"),
    ],
)
def test_shapes_that_do_not_fit_are_an_error_with_a_place(
    text: str, shapes: dict[str, tuple[int, ...]], marked: str
) -> None:
    parsed = formula(text)
    for run in (
        lambda: parsed.extent(shapes),
        lambda: parsed.evaluate({name: np.ones(shape) for name, shape in shapes.items()}),
    ):
        with pytest.raises(FormulaError) as caught:
            run()
        start = caught.value.offset
        assert text[start : start + caught.value.length] == marked


def test_the_extent_counts_every_value() -> None:
    extent = formula("sum(x * y)").extent({"x": (1000, 1), "y": (1, 1000)})
    assert extent.shape == ()
    assert extent.entries == 1000 + 1000 + 1000 * 1000 + 1
