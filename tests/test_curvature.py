"""`gradcli curvature`: matrices in closed form, what is said of them, and the check of itself."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.curvature import analyse
from gradcli.analysis.curvature.crosscheck import crosscheck
from gradcli.analysis.curvature.exact import assemble
from gradcli.analysis.curvature.lanczos import lanczos, outermost
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import MATRICES, CurvatureResult
from gradcli.analysis.curvature.trace import estimate, signs
from gradcli.cli.main import main
from gradcli.core.arrays import Array
from gradcli.errors import ExitCode, UsageError
from gradcli.report.render import FORMATS, render
from gradcli.report.surface import FILE

QUICK = "specs/quickstart.yaml"


def spec_of(network: list[Any], loss: Any, shape: tuple[int, ...] = (6, 4)) -> dict[str, Any]:
    data = {"inputs": {"shape": list(shape)}, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": network, "loss": loss}


def result_of(spec: Any, **options: Any) -> CurvatureResult:
    (result,) = gradcli.curvature(spec, **options).results
    return result


def test_least_squares_have_the_hessian_of_the_normal_equations() -> None:
    """A linear model under mse: 2/N XᵀX, which Gauss-Newton and Fisher are, too."""
    model = gradcli.load(spec_of([{"dense": {"units": 1, "bias": False}}], "mse"))
    x = model.inputs["inputs"]
    products = Products(model)
    for matrix in ("hessian", "gauss_newton", "fisher"):
        found = assemble(products, matrix).matrix  # type: ignore[arg-type]
        np.testing.assert_allclose(found, 2 / len(x) * x.T @ x, rtol=1e-13)
    values = np.linalg.eigvalsh(2 / len(x) * x.T @ x)
    spectrum = result_of(model).spectra["hessian"]
    np.testing.assert_allclose(spectrum.eigenvalues, values, rtol=1e-12)
    assert spectrum.condition == pytest.approx(values[-1] / values[0], rel=1e-10)
    assert (spectrum.negative, spectrum.zero, spectrum.positive) == (0, 0, 4)


def test_logistic_regression_has_the_hessian_of_the_textbook() -> None:
    """Xᵀ diag(q(1 - q)) X / N for one logit."""
    spec = spec_of([{"dense": {"units": 1, "bias": False}}], "binary_cross_entropy")
    model = gradcli.load(spec)
    x, w = model.inputs["inputs"], model.parameters["dense_1.weight"]
    q = 1 / (1 + np.exp(-x @ w.T))
    expected = (x * q * (1 - q)).T @ x / len(x)
    products = Products(model)
    for matrix in ("hessian", "gauss_newton", "fisher"):
        found = assemble(products, matrix).matrix  # type: ignore[arg-type]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    y = model.targets["targets"].reshape(q.shape)
    scores = x * (q - y)
    empirical = assemble(products, "empirical_fisher").matrix
    np.testing.assert_allclose(empirical, scores.T @ scores / len(x), rtol=1e-12, atol=1e-15)


NOISE: list[tuple[str, Any, float]] = [
    ("mse", "mse", 2.0),
    ("mae: Laplace", "mae", 1.0),
    ("log_cosh: E tanh² under 1/(π cosh)", "log_cosh", 0.5),
    ("quantile: τ(1 - τ)", {"quantile": {"tau": 0.9}}, 0.09),
    ("gaussian_nll: precision", {"gaussian_nll": {"variance": 4.0}}, 0.25),
    ("Cauchy: 1/(2γ²) at γ = √2", {"adaptive_robust": {"alpha": 0.0}}, 0.25),
]


@pytest.mark.parametrize(("loss", "information"), [case[1:] for case in NOISE],
                         ids=[case[0] for case in NOISE])  # fmt: skip
def test_the_information_of_a_residual_is_that_of_its_noise(loss: Any, information: float) -> None:
    """Fisher information of a location, in closed form, over the mean of the squared inputs."""
    model = gradcli.load(spec_of([{"dense": {"units": 1, "bias": False}}], loss))
    x = model.inputs["inputs"]
    found = assemble(Products(model), "fisher").matrix
    np.testing.assert_allclose(found, information / len(x) * x.T @ x, rtol=2e-8)


def test_a_learned_variance_has_its_information() -> None:
    """Of log σ², under Gaussian noise: ½ a value, and none together with the mean."""
    loss = {"gaussian_nll": {"variance": 0.5, "learn": True}}
    model = gradcli.load(spec_of([{"dense": {"units": 2, "bias": False}}], loss))
    model.parameters["loss.log_variance"][...] = 0.3
    x = model.inputs["inputs"]
    found = assemble(Products(model), "fisher").matrix
    block = math.exp(-0.3) / (2 * len(x)) * x.T @ x
    zero = np.zeros_like(block)
    column = np.zeros((8, 1))
    expected = np.block([[np.block([[block, zero], [zero, block]]), column], [column.T, 0.5]])
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_fisher_is_not_gauss_newton_where_curvature_depends_on_the_targets() -> None:
    spectra = result_of(spec_of([{"dense": 3}], "huber")).spectra
    assert not spectra["fisher"].undefined
    assert spectra["fisher"].trace != pytest.approx(spectra["gauss_newton"].trace, rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        ("hinge", "hinge is no likelihood"),
        ({"cross_entropy": {"label_smoothing": 0.1}}, "cross_entropy is no likelihood"),
        ({"sum": ["cross_entropy", {"entropy": {"weight": -0.1}}]}, "entropy is no likelihood"),
    ],
    ids=["hinge", "smoothed", "entropy"],
)
def test_what_is_no_likelihood_has_no_fisher_matrix(loss: Any, why: str) -> None:
    result = result_of(spec_of([{"dense": 3}], loss))
    assert why in result.spectra["fisher"].undefined
    assert "undefined" in result.to_dict()["matrices"][2]


NETWORKS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "smooth": ([{"dense": 5}, "tanh", {"dense": 3}], (6, 4)),
    "kinked": ([{"dense": 5}, "relu", {"dense": 3}], (6, 4)),
    "batch_norm": ([{"dense": 5}, "batch_norm", "relu", {"dense": 3}], (6, 4)),
    "lstm": ([{"lstm": {"units": 3, "output": "last"}}, {"dense": 3}], (4, 5, 3)),
}
each_network = pytest.mark.parametrize("name", NETWORKS)


@each_network
def test_the_hessian_is_symmetric_and_the_derivative_of_the_gradient(name: str) -> None:
    network, shape = NETWORKS[name]
    result = result_of(spec_of(network, "cross_entropy", shape))
    assert result.verdict == "pass"
    assert result.crosscheck is not None
    assert result.crosscheck.compared == result.crosscheck.directions
    assert result.crosscheck.max_rel_error < 1e-7
    assert result.spectra["hessian"].asymmetry is not None
    assert result.spectra["hessian"].asymmetry < 1e-13


@each_network
def test_lanczos_finds_what_the_assembled_matrix_has(name: str) -> None:
    network, shape = NETWORKS[name]
    spec = spec_of(network, "cross_entropy", shape)
    exact, sampled = result_of(spec), result_of(spec, method="lanczos", probes=200)
    for matrix in MATRICES:
        all_of, some = exact.spectra[matrix], sampled.spectra[matrix]
        assert some.largest == pytest.approx(all_of.largest, rel=1e-10)
        assert abs(some.smallest - all_of.smallest) <= some.smallest_error + 1e-12
        assert abs(some.trace - all_of.trace) < 5 * some.trace_error
        assert abs(some.frobenius - all_of.frobenius) < 5 * some.frobenius_error


def test_lanczos_on_five_thousand_parameters() -> None:
    """λ_max within 1e-6 of the exact one, and within the error that is stated."""
    network = [{"dense": 64}, "tanh", {"dense": 48}, "tanh", {"dense": 10}]
    model = gradcli.load(spec_of(network, "cross_entropy", (16, 20)))
    products = Products(model)
    assert 4900 < products.size < 5100
    result = result_of(model, method="lanczos", probes=2)
    spectrum = result.spectra["gauss_newton"]
    # G = JᵀMJ has the nonzero eigenvalues of the small matrix M½JJᵀM½
    jacobian = np.concatenate(
        [by_output.reshape(160, -1) for by_output in _jacobian(model).values()], axis=1
    )
    z = model.forward().slots[-1]
    q = np.exp(z - z.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    root = np.zeros((160, 160))
    for row, chances in enumerate(q):
        values, vectors = np.linalg.eigh((np.diag(chances) - np.outer(chances, chances)) / 16)
        place = slice(10 * row, 10 * row + 10)
        root[place, place] = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    exact = float(np.linalg.eigvalsh(root @ jacobian @ jacobian.T @ root)[-1])
    assert spectrum.largest == pytest.approx(exact, rel=1e-6)
    assert abs(spectrum.largest - exact) <= spectrum.largest_error


def test_lanczos_on_the_hessian_of_five_thousand_parameters() -> None:
    """Least squares of a hundred outputs: its eigenvalues are those of 2/N·XᵀX, each so often."""
    layers = [{"dense": {"units": 100, "bias": False}}]
    model = gradcli.load(spec_of(layers, "mse", (60, 50)))
    exact = np.linalg.svd(model.inputs["inputs"], compute_uv=False) ** 2 * 2 / 6000
    spectrum = result_of(model, method="lanczos", probes=40).spectra["hessian"]
    assert model.parameters["dense_1.weight"].size == 5000
    assert spectrum.largest == pytest.approx(exact[0], rel=1e-6)
    assert abs(spectrum.largest - exact[0]) <= spectrum.largest_error
    assert abs(spectrum.smallest - exact[-1]) <= spectrum.smallest_error
    assert abs(spectrum.trace - 100 * exact.sum()) < 5 * spectrum.trace_error
    assert spectrum.condition == pytest.approx(exact[0] / exact[-1], rel=1e-4)


def _jacobian(model: Any) -> dict[str, Array]:
    """∂outputs/∂parameter (outputs, *parameter), a cotangent an output."""
    shape = model.network.slot_shape(model.plan.losses[0].slot)
    rows = []
    for output in range(math.prod(shape)):
        cotangent = np.zeros(math.prod(shape))
        cotangent[output] = 1.0
        rows.append(model.vjp(cotangent.reshape(shape)))
    return {name: np.stack([row[name] for row in rows]) for name in model.parameters}


def test_lanczos_stops_where_the_krylov_space_ends(rng: np.random.Generator) -> None:
    """Of a matrix with three eigenvalues, three products are enough, and exact."""
    basis, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    values = np.repeat([-2.0, 0.5, 3.0], [1, 30, 9])
    matrix = basis * values @ basis.T
    found = lanczos(lambda v: matrix @ v, rng.standard_normal(40), 40, outermost(1e-12))
    assert found.complete
    assert found.steps == 3
    np.testing.assert_allclose(found.values, [-2.0, 0.5, 3.0], rtol=1e-12)
    np.testing.assert_allclose(matrix @ found.vector(-1), 3 * found.vector(-1), atol=1e-12)


def test_the_error_of_a_ritz_value_is_a_bound(rng: np.random.Generator) -> None:
    matrix = rng.standard_normal((60, 60))
    matrix = matrix + matrix.T
    values = np.linalg.eigvalsh(matrix)
    for most in (5, 10, 20):
        found = lanczos(lambda v: matrix @ v, rng.standard_normal(60), most, outermost(1e-15))
        for value, error in zip(found.values, found.errors, strict=True):
            assert np.abs(values - value).min() <= error


def test_the_trace_is_within_its_error(rng: np.random.Generator) -> None:
    """Over two hundred repetitions, two standard errors cover the truth about 95 times of 100."""
    matrix = rng.standard_normal((30, 30))
    matrix = matrix + matrix.T
    covered = 0
    for _ in range(200):
        probes = signs(rng, 40, 30)
        found = estimate(np.einsum("ki,ij,kj->k", probes, matrix, probes))
        covered += abs(found.value - np.trace(matrix)) < 2 * found.error
    assert 180 <= covered <= 199


def test_a_saddle_is_told(tmp_path: Any) -> None:
    result = result_of(QUICK)
    assert result.spectra["hessian"].indefinite
    assert "downward" in render(gradcli.curvature(QUICK), "table", FILE)


def test_a_hessian_at_a_kink_is_not_compared() -> None:
    """A bias of zero before relu, where all inputs are zero: every step crosses the kink."""
    data = {"inputs": {"values": [[0.0, 0.0], [0.0, 0.0]]}, "targets": {"values": [[1.0], [2.0]]}}
    spec = {"gradcli": 1, "data": data, "network": [{"dense": 3}, "relu", {"dense": 1}],
            "loss": "mse"}  # fmt: skip
    result = result_of(spec)
    assert result.verdict == "inconclusive"
    assert result.exit_code == ExitCode.OK
    assert "crosses a kink" in render(gradcli.curvature(spec), "table", FILE)


class _Planted(Products):
    """Products with a mistake: a matrix that is symmetric and not the Hessian, or not symmetric."""

    how = "scaled"

    def _turn(self, vectors: Array) -> Array:
        right = super()._turn(vectors)
        if self.how == "scaled":
            return (1 + 1e-5) * right
        right[:, 0] += 1e-5 * vectors[:, 1]
        return right


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "selu"])
def test_at_a_kink_nothing_is_proven_wrong(activation: str) -> None:
    """Where all that an activation reads is zero, products of two directions may take two branches;
    the slope of `elu` has its kink there, which no branch of the value shows.
    """
    zero = {"rnn": {"units": 3, "init": {"constant": {"value": 0.0}}, "output": "last"}}
    layers = [zero, activation, {"dense": 3}, activation, {"dense": 2}]
    for loss in ("mse", "hinge"):
        result = gradcli.curvature(spec_of(layers, loss, (2, 2, 2))).results[0]
        assert result.verdict == "inconclusive", result
        assert result.crosscheck is not None
        assert result.crosscheck.compared == 0


@pytest.mark.parametrize("how", ["scaled", "asymmetric"])
def test_a_wrong_product_is_caught(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Planted, "how", how)
    monkeypatch.setattr(analyse, "Products", _Planted)
    found = crosscheck(_Planted(gradcli.load(QUICK)), 0)
    assert found.agrees is False
    report = gradcli.curvature(QUICK)
    assert report.verdict == "fail"
    assert report.exit_code == ExitCode.BUG


def test_what_is_too_large_is_refused_with_what_would_work() -> None:
    spec = spec_of([{"dense": 200}, "tanh", {"dense": 200}, "tanh", {"dense": 10}], "mse", (8, 100))
    with pytest.raises(UsageError, match="--method lanczos") as caught:
        gradcli.curvature(spec, method="exact")
    assert "GiB" in str(caught.value)
    assert result_of(spec, method="lanczos", iterations=5, probes=2).verdict == "pass"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probes": 1}, "probes"),
        ({"iterations": 0}, "iterations"),
        ({"tolerance": 2.0}, "tolerance"),
        ({"method": "guess"}, "method"),
        ({"probes": 5, "iterations": 9}, "probes, iterations: only with --method lanczos"),
        ({"method": "exact", "tolerance": 1e-3}, "tolerance: only with --method lanczos"),
        ({"steps": False, "history": 3, "damping": 0.0}, "history, damping: only where steps"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_options_out_of_range_or_without_effect(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gradcli.curvature(QUICK, **options)


def test_a_network_without_parameters_has_no_curvature() -> None:
    with pytest.raises(UsageError, match="no parameters"):
        gradcli.curvature(spec_of(["tanh"], "mse"))


def test_definitions_alone_are_no_network() -> None:
    report = gradcli.curvature("specs/course-notes/swish.yaml")
    assert report.verdict == "invalid"
    assert report.exit_code == ExitCode.INVALID


@pytest.mark.parametrize("form", FORMATS[:3])
@pytest.mark.parametrize("method", ["exact", "lanczos"])
def test_every_format(form: str, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["curvature", QUICK, "--format", form, "--method", method]
    assert main(arguments, standalone_mode=False) == 0
    out = capsys.readouterr().out
    assert main(arguments, standalone_mode=False) == 0
    assert capsys.readouterr().out == out
    if form == "json":
        told = json.loads(out)["results"][0]
        assert told["parameters"] == 51
        assert [matrix["matrix"] for matrix in told["matrices"]] == list(MATRICES)
        assert told["stable_step"] == pytest.approx(2 / told["sharpness"])
    else:
        assert "empirical Fisher" in out


def test_a_layer_in_python_is_differentiated_by_differences() -> None:
    """The same network with a dense layer as a user's class, which takes real numbers only."""
    from layer_specs import layer, network

    entries = [{"dense": 4}, "tanh", "mine", {"dense": 3}]
    opaque = gradcli.load(network(entries, mine=layer("Dense", units=3)), allow_python=True)
    plain = gradcli.load(network([{"dense": 4}, "tanh", {"dense": 3}, "tanh", {"dense": 3}]))
    for mine, ours in zip(opaque.parameters.values(), plain.parameters.values(), strict=True):
        mine[...] = ours
    by_hand, ours = Products(opaque), Products(plain)
    assert by_hand.by_differences
    for matrix in MATRICES:
        found, expected = (assemble(each, matrix).matrix for each in (by_hand, ours))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    assert result_of(opaque).verdict == "pass"


def test_moments_without_keeping_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many classes the scores are made anew for each product, and give the same."""
    model = gradcli.load(spec_of([{"dense": 5}], "cross_entropy"))
    kept = assemble(Products(model), "fisher").matrix
    monkeypatch.setattr("gradcli.analysis.curvature.likelihood._KEPT", 0)
    np.testing.assert_array_equal(assemble(Products(model), "fisher").matrix, kept)
