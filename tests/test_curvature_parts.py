"""The curvature layer by layer, and what memory and time allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.curvature.exact import Dense, assemble
from gradcli.analysis.curvature.options import CurvatureOptions, method_for, steps_for
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.solve import ByEigenvectors, ByProducts
from gradcli.analysis.curvature.spectra import sampled_spectrum
from gradcli.analysis.curvature.trace import signs
from gradcli.errors import ExitCode, UsageError

NETWORKS: dict[str, tuple[Any, list[int]]] = {
    "dense": ([{"dense": 5}, "tanh", {"dense": {"units": 3, "name": "head"}}], [6, 4]),
    "lstm": ([{"lstm": {"units": 3, "output": "last"}}, {"dense": 3}], [4, 5, 3]),
    "residual": ([{"dense": 4}, {"residual": [{"dense": 4}, "relu"]}, {"dense": 3}], [6, 4]),
}


def spec_of(network: list[Any], shape: list[int], loss: Any = "cross_entropy") -> dict[str, Any]:
    data = {"inputs": {"shape": shape}, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": network, "loss": loss}


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_are_those_of_the_assembled_hessian(name: str) -> None:
    model = gradcli.load(spec_of(*NETWORKS[name]))
    products = Products(model)
    hessian = assemble(products, "hessian").matrix
    exact = gradcli.curvature(model).results[0].blocks
    sampled = gradcli.curvature(model, method="lanczos", probes=200).results[0].blocks
    assert sum(block.parameters for block in exact) == products.size
    assert sum(block.trace for block in exact) == pytest.approx(np.trace(hessian))
    squares, start = 0.0, 0
    for one, other in zip(exact, sampled, strict=True):
        own = [w for key, w in model.parameters.items() if key.startswith(f"{one.layer}.")]
        assert sum(w.size for w in own) == one.parameters == other.parameters
        place = slice(start, start + one.parameters)
        start = place.stop
        values = np.linalg.eigvalsh(hessian[place, place])
        assert one.largest == pytest.approx(values[-1], rel=1e-10)
        assert one.smallest == pytest.approx(values[0], rel=1e-8, abs=1e-14)
        assert one.share is not None
        squares += one.share * float(np.sum(hessian**2))
        assert one.share * np.sum(hessian**2) == pytest.approx(np.sum(hessian[place, place] ** 2))
        assert abs(other.largest - one.largest) <= other.largest_error + 1e-12
        assert abs(other.trace - one.trace) < 5 * other.trace_error + 1e-12
        assert other.gradient_norm == one.gradient_norm


def test_the_layers_of_heads_and_of_the_loss_are_blocks_too() -> None:
    (result,) = gradcli.curvature("specs/multi_task_uncertainty.yaml").results
    names = [block.layer for block in result.blocks]
    assert len(set(names)) == len(names)
    assert any(name.startswith("loss") for name in names)


def test_every_damping_is_solved_from_the_same_products(rng: np.random.Generator) -> None:
    """(G + λI) s = -g as numpy solves it, with no further products for another λ."""
    products = Products(gradcli.load(spec_of(*NETWORKS["dense"])))
    dense = assemble(products, "gauss_newton").matrix
    probes = signs(rng, 4, products.size)
    images = products.times("gauss_newton", probes)
    spectrum = sampled_spectrum(products, "gauss_newton", probes, images, 60, 1e-10)
    solver = ByProducts(products, spectrum, 60)
    g = products.gradient
    solver.solve(g, 1e-3)
    taken = products.passes["gauss_newton"]
    for damping in (1e-2, 1.0, 100.0):
        found = solver.solve(g, damping)
        expected = np.linalg.solve(dense + damping * np.eye(len(g)), -g)
        np.testing.assert_allclose(found.step, expected, rtol=1e-7, atol=1e-12)
        assert found.residual < 1e-9
    assert products.passes["gauss_newton"] == taken


def test_directions_of_no_curvature_are_left_alone() -> None:
    """Half of 3 along the curved one; the other has 4 of the gradient's 5."""
    found = ByEigenvectors(Dense(np.diag([2.0, 0.0]), 0.0)).solve(np.array([3.0, 4.0]), None)
    np.testing.assert_allclose(found.step, [-1.5, 0.0])
    assert found.flat == pytest.approx(0.8)
    assert (found.damping, found.products, found.numbers) == (0.0, 2, 4)
    nowhere = ByEigenvectors(Dense(np.diag([2.0, 0.0]), 0.0)).solve(np.zeros(2), None)
    assert nowhere.flat == 0


def test_negative_curvature_is_turned_into_its_own_size() -> None:
    """-1 and 2 are shifted by 2, unless a damping is given; one below 1 is refused."""
    solver = ByEigenvectors(Dense(np.diag([-1.0, 2.0]), 0.0))
    gradient = np.array([3.0, 4.0])
    np.testing.assert_allclose(solver.solve(gradient, None).step, [-3.0, -1.0])
    np.testing.assert_allclose(solver.solve(gradient, 3.0).step, [-1.5, -0.8])
    with pytest.raises(ValueError, match=r"damping of 0.5 .* takes more than 1$"):
        solver.solve(gradient, 0.5)


def test_lanczos_within_memory_and_time() -> None:
    model = gradcli.load(
        spec_of([{"dense": 400}, "tanh", {"dense": 400}, {"dense": 10}], [32, 100])
    )
    network, size = model.network, sum(w.size for w in model.parameters.values())
    assert method_for(network, size, CurvatureOptions()) == "lanczos"
    free = steps_for(network, size, CurvatureOptions())
    assert 20 <= free <= 300
    tight = CurvatureOptions(max_memory=8 * size * 230)
    assert steps_for(network, size, tight) <= 50
    asked = CurvatureOptions(max_memory=8 * size * 230, iterations=100)
    with pytest.raises(UsageError, match="--iterations 50 fits"):
        steps_for(network, size, asked)
    with pytest.raises(UsageError, match="--max-memory"):
        steps_for(network, size, CurvatureOptions(max_memory=8 * size * 30))


def test_memory_stays_within_what_is_said() -> None:
    """Measured with tracemalloc: the whole of a sampled analysis within its estimate."""
    import tracemalloc

    model = gradcli.load(spec_of([{"dense": 200}, "tanh", {"dense": 200}, {"dense": 5}], [8, 100]))
    size = sum(w.size for w in model.parameters.values())
    tracemalloc.start()
    gradcli.curvature(model, method="lanczos", iterations=30, probes=8, history=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    estimate = 8 * size * (30 + 5 * 8 + 2 * 3)
    assert peak < estimate + 2 * (24 << 20)  # and the chunks in which products are taken


def test_squares_that_overflow_are_no_mistake() -> None:
    """A product of gradients is no number here, and the curvature is."""
    data = {"inputs": {"values": [[1e70]]}, "targets": {"values": [[0.0]]}}
    spec = {"gradcli": 1, "data": data, "network": [{"dense": 1}], "loss": "mse"}
    (result,) = gradcli.curvature(spec).results
    assert result.verdict in ("pass", "inconclusive")
    assert result.sharpness == pytest.approx(2e140)


def test_a_curvature_that_is_not_finite_is_refused() -> None:
    data = {"inputs": {"values": [[1e200]]}, "targets": {"values": [[0.0]]}}
    network = [{"dense": {"units": 1, "init": {"constant": 1e-60}}}, {"dense": 1}]
    spec = {"gradcli": 1, "data": data, "network": network, "loss": "mse"}
    with pytest.raises(UsageError, match="not finite here"):
        gradcli.curvature(spec)


def test_curvature_that_is_nearer_than_any_difference_is_not_called_wrong() -> None:
    """x/sqrt(x² + 1e-14) bends within 1e-7 of zero; farther off it is level, and surely so."""
    zero = {"units": 2, "init": {"constant": 0.0}, "bias_init": {"constant": 1e-9}}
    report = gradcli.curvature(
        {
            "gradcli": 1,
            "data": {"inputs": {"shape": [4, 3], "distribution": "normal"}, "targets": "auto"},
            "network": [{"dense": zero}, {"rms_norm": {"eps": 1e-14}}, {"dense": 1}],
            "loss": "mse",
        }
    )
    (result,) = report.results
    assert result.verdict != "fail"
    assert report.exit_code in (ExitCode.OK, ExitCode.UNDECIDED)
