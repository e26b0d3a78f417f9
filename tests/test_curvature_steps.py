"""Steps of second order: where they are known in closed form, and against textbook references."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.curvature.lbfgs import Descent, Pair, direction, minimise
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import CurvatureResult, Step
from gradcli.core.arrays import Array
from gradcli.report.render import render
from gradcli.report.surface import FILE

LEAST_SQUARES = "specs/least_squares.yaml"
QUICK = "specs/quickstart.yaml"


def result_of(spec: Any, **options: Any) -> CurvatureResult:
    (result,) = gradcli.curvature(spec, **options).results
    return result


def step(result: CurvatureResult, method: str) -> Step:
    return next(step for step in result.steps if step.method == method)


@pytest.mark.parametrize("method", ["exact", "lanczos"])
@pytest.mark.parametrize("by", ["newton", "gauss_newton", "natural_gradient"])
def test_one_step_reaches_the_minimum_of_a_quadratic(by: str, method: str) -> None:
    """The residual of least squares as numpy.linalg.lstsq has it."""
    model = gradcli.load(LEAST_SQUARES)
    x = np.hstack([model.inputs["inputs"], np.ones((442, 1))])
    y = model.targets["targets"].reshape(-1)
    best = float(np.mean((x @ np.linalg.lstsq(x, y, rcond=None)[0] - y) ** 2))
    result = result_of(model, method=method)
    taken = step(result, by)
    assert taken.damping == 0
    assert result.loss - taken.actual == pytest.approx(best, rel=1e-12)
    assert taken.predicted == pytest.approx(taken.actual, rel=1e-10)
    assert taken.gradient_norm < 1e-8 * result.gradient_norm


def test_the_gradient_step_has_the_exact_length_on_a_quadratic() -> None:
    model = gradcli.load(LEAST_SQUARES)
    x = np.hstack([model.inputs["inputs"], np.ones((442, 1))])
    g = Products(model).gradient
    length = float(g @ g) / (2 / 442 * float(np.sum((x @ g) ** 2)))
    taken = step(result_of(model), "gradient")
    assert taken.length == pytest.approx(length * float(np.linalg.norm(g)), rel=1e-12)
    assert taken.actual == pytest.approx(taken.predicted, rel=1e-10)
    assert taken.cosine == pytest.approx(1)
    assert taken.products == 1


def test_newton_is_damped_where_the_hessian_is_indefinite() -> None:
    result = result_of(QUICK)
    taken, hessian = step(result, "newton"), result.spectra["hessian"]
    assert taken.damping == pytest.approx(-2 * hessian.smallest)
    assert taken.actual > 0
    assert taken.cosine > 0
    matrices = {matrix: step(result_of(QUICK, method=matrix), "newton").length
                for matrix in ("exact", "lanczos")}  # fmt: skip
    assert matrices["lanczos"] == pytest.approx(matrices["exact"], rel=1e-6)


def test_a_damping_that_leaves_negative_curvature_is_refused() -> None:
    taken = step(result_of(QUICK, damping=0.1), "newton")
    assert "still negative curvature: it takes more than 0.51" in taken.undefined


def test_a_step_that_would_raise_the_loss_is_damped_until_it_does_not() -> None:
    result = result_of(QUICK)
    taken = step(result, "gauss_newton")
    assert taken.undamped is not None
    assert taken.undamped < 0
    assert taken.actual >= 0.25 * taken.predicted
    plain = step(result_of(QUICK, damping=0.0), "gauss_newton")
    assert plain.actual == pytest.approx(taken.undamped, rel=1e-6)
    assert "raises the loss" in render(gradcli.curvature(QUICK, damping=0.0), "table", FILE)


def test_natural_gradient_is_gauss_newton_where_the_matrices_coincide() -> None:
    result = result_of(QUICK)
    (relation,) = [each for each in result.relations if each.matrix == "fisher"]
    assert relation.coincide
    assert step(result, "natural_gradient").length == pytest.approx(
        step(result, "gauss_newton").length, rel=1e-9
    )
    (huber,) = [each for each in result_of("specs/diabetes_huber.yaml").relations
                if each.matrix == "fisher"]  # fmt: skip
    assert not huber.coincide
    assert "depends on the targets" in huber.why


def test_a_saddle_has_no_steps() -> None:
    result = result_of("specs/saddle.yaml")
    hessian = result.spectra["hessian"]
    assert result.steps == ()
    assert (hessian.negative, hessian.zero, hessian.positive) == (2, 2, 2)
    assert hessian.largest == pytest.approx(-hessian.smallest)
    assert "a saddle point" in render(gradcli.curvature("specs/saddle.yaml"), "table", FILE)


def inverse_hessian(pairs: list[tuple[Array, Array]]) -> Array:
    """BFGS' inverse Hessian as a matrix (Nocedal and Wright 2006, 6.17 and 7.20)."""
    s, y = pairs[-1]
    size = len(s)
    matrix = float(s @ y) / float(y @ y) * np.eye(size)
    for s, y in pairs:
        rho = 1 / float(y @ s)
        turn = np.eye(size) - rho * np.outer(s, y)
        matrix = turn @ matrix @ turn.T + rho * np.outer(s, s)
    return matrix


@pytest.mark.parametrize("count", [1, 3, 8])
def test_two_loops_are_the_matrix(count: int, rng: np.random.Generator) -> None:
    root = rng.standard_normal((12, 12))
    curved = root @ root.T + np.eye(12)
    pairs = [(s, curved @ s) for s in rng.standard_normal((count, 12))]
    g = rng.standard_normal(12)
    found = direction(g, [Pair(s, y) for s, y in pairs])
    np.testing.assert_allclose(found, -inverse_hessian(pairs) @ g, rtol=1e-8)


DIGITS: dict[str, Any] = {
    "gradcli": 1,
    "data": {"file": "specs/data/digits.npz", "inputs": "x", "targets": "y"},
    "network": [{"dense": {"units": 10, "init": "zeros"}}],
    "loss": {"sum": ["cross_entropy", {"l2": {"weight": 0.01}}]},
}


class Logistic:
    """Multinomial logistic regression written out, over [W, b] flat."""

    def __init__(self, x: Array, labels: Array) -> None:
        self.x, self.hot = x, np.eye(10)[labels]

    def __call__(self, point: Array) -> tuple[float, Array]:
        w, b = point[:-10].reshape(10, -1), point[-10:]
        z = self.x @ w.T + b
        z = z - z.max(axis=1, keepdims=True)
        log_q = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        value = -np.sum(self.hot * log_q) / len(z) + 0.01 * np.sum(w * w)
        off = (np.exp(log_q) - self.hot) / len(z)
        return float(value), np.concatenate([(off.T @ self.x + 0.02 * w).ravel(), off.sum(axis=0)])


MEMORY = 5


@pytest.fixture(scope="module")
def regression() -> tuple[Logistic, Descent]:
    model = gradcli.load(DIGITS)
    products = Products(model)
    run = minimise(products.value_and_gradient, products.point, 25, MEMORY)
    return Logistic(model.inputs["inputs"], model.targets["targets"]), run


def test_lbfgs_takes_the_iterates_of_the_textbook(regression: tuple[Logistic, Descent]) -> None:
    """Each point from the last ones: the direction of the dense inverse Hessian, a unit step
    wherever that meets the strong Wolfe conditions, and one that meets them elsewhere.
    """
    logistic, run = regression
    points = list(run.points)
    assert len(points) == 26
    unit = 0
    for k, (point, after) in enumerate(pairwise(points)):
        value, g = logistic(point)
        assert run.values[k] == pytest.approx(value, rel=1e-12)
        assert run.norms[k] == pytest.approx(float(np.linalg.norm(g)), rel=1e-9)
        recent = points[max(0, k - MEMORY) : k + 1]
        gradients = [logistic(each)[1] for each in recent]
        pairs = [
            (recent[i + 1] - recent[i], gradients[i + 1] - gradients[i])
            for i in range(len(recent) - 1)
        ]
        along = -inverse_hessian(pairs) @ g if pairs else -g
        first = 1.0 if pairs else 1 / float(np.linalg.norm(g))

        def wolfe(length: float, along: Array = along, at: Array = point) -> bool:
            (before, g), (later, h) = logistic(at), logistic(at + length * along)
            slope = float(g @ along)
            falls = later <= before + 1e-4 * length * slope
            return falls and abs(float(h @ along)) <= -0.9 * slope

        length = float((after - point) @ along) / float(along @ along)
        if wolfe(first):
            assert length == pytest.approx(first, rel=1e-8)
            unit += 1
        assert wolfe(length)
        np.testing.assert_allclose(after, point + length * along, rtol=0, atol=1e-9)
    assert unit > 15


def test_lbfgs_goes_to_the_minimum(regression: tuple[Logistic, Descent]) -> None:
    """The loss is convex: where its gradient, written out, vanishes is the minimum."""
    logistic, run = regression
    assert all(after < before for before, after in pairwise(run.values))
    products = Products(gradcli.load(DIGITS))
    long = minimise(products.value_and_gradient, products.point, 400, 10)
    _, g = logistic(long.points[-1])
    assert float(np.linalg.norm(g)) < 1e-7
    assert long.values[-1] <= run.values[-1]


def test_a_search_survives_values_that_are_no_numbers() -> None:
    """log barriers: the first length tried leaves the domain."""

    def barrier(point: Array) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            return float(np.sum(point - np.log(point))), 1 - 1 / point

    run = minimise(barrier, np.array([1e-3, 2.0]), 60, 5)
    np.testing.assert_allclose(run.points[-1], [1.0, 1.0], rtol=1e-5)


@pytest.mark.parametrize("case", ["quadratic", "cubic"])
def test_the_length_of_a_cubic_is_found_at_once(case: str) -> None:
    """The first length, 1, leads beyond the minimum; a cubic through both ends has it exactly."""

    def quadratic(point: Array) -> tuple[float, Array]:
        return float(50 * point @ point), 100 * point

    def cubic(point: Array) -> tuple[float, Array]:
        return float(np.sum(point**3 - point)), 3 * point**2 - 1

    function, start, least = {
        "quadratic": (quadratic, 0.3, 0.0),
        "cubic": (cubic, 0.1, 1 / np.sqrt(3)),
    }[case]
    run = minimise(function, np.array([start]), 1, 1)
    np.testing.assert_allclose(run.points, [[start], [least]], atol=1e-15)
    assert run.evaluations == 2
