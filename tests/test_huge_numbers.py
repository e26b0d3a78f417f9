"""Numbers near the ends of what floats hold: verdicts and infinities, never a warning or an error.

That warnings are errors in tests is what makes these fail.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import gradcli

INPUTS = np.array([[1.0, -2.0], [0.5, 0.0], [3.0, -1.0], [2.0, 2.0], [0.0, 0.0], [1.0, 1.0]])
LOSSES: list[Any] = [
    "mse",
    "log_cosh",
    "squared_hinge",
    {"huber": {"delta": 1e300}},
    {"focal": {"gamma": 1e300}},
    {"cross_entropy": {"temperature": 1e-300}},
    {"gaussian_nll": {"variance": 1e-300, "learn": True}},
    {"triplet": {"distance": "euclidean"}},
    {"contrastive": {"margin": 1e300}},
    {"adaptive_robust": {"alpha": 1e-300, "scale": 1e-300}},
    {"adaptive_robust": {"alpha": -1e300, "scale": 1e300}},
    {"adaptive_robust": {"alpha": 1.9, "learn": "all"}},
]


def spec_of(loss: Any, scale: float) -> dict[str, Any]:
    return {
        "gradcli": 1,
        "data": {"inputs": {"values": (INPUTS * scale).tolist()}, "targets": "auto"},
        "network": [{"dense": 2}],
        "loss": loss,
    }


@pytest.mark.parametrize("scale", [1.0, 1e-90, 1e155, 1e300])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_no_number_is_too_large_to_be_judged(loss: Any, scale: float) -> None:
    spec = spec_of(loss, scale)
    report = gradcli.check(spec)
    assert report.verdict in ("pass", "inconclusive", "invalid"), report
    if report.verdict == "invalid":  # where the loss itself is no number
        (problem,) = report.results[0].errors
        assert "there is no gradient to check at this point" in problem.message
    gradcli.flow(spec, seeds=1, remedies=False)


@pytest.mark.parametrize("scale", [1.0, 1e155, 1e300])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_model_overflows_in_its_values_only(loss: Any, scale: float) -> None:
    model = gradcli.load(spec_of(loss, scale))
    value, gradients = model.value_and_grad()
    np.testing.assert_equal(model.loss(), value)
    directions = {name: np.ones_like(array) for name, array in model.parameters.items()}
    assert model.hvp(directions).keys() == gradients.keys()
    assert np.shape(model.jvp(directions)) == (6, 2)
    assert model.vjp(np.full((6, 2), 1e300)).keys() >= {"inputs", "dense_1.weight"}


def test_a_matrix_may_be_larger_than_any_float(tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", **{"dense_1.weight": np.full((2, 2), 1.7e308)})
    spec = {**spec_of("mse", 1e-300), "weights": "weights.npz"}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    report = gradcli.flow(tmp_path / "spec.yaml", seeds=1, remedies=False)
    assert report.results[0].layers[0].weight_norm == np.inf


@pytest.mark.parametrize("scale", [2.0**600, 2.0**1010])
def test_distances_are_as_large_as_their_rows(scale: float) -> None:
    """Nothing on the way is a square, which would be infinite."""
    losses = []
    for size in (scale, 1.0):
        spec = spec_of({"triplet": {"distance": "euclidean", "margin": 2.0**-40 * size}}, size)
        losses.append(gradcli.load({**spec, "network": ["identity"]}).loss())
    assert losses[0] / scale == pytest.approx(losses[1], rel=1e-12)
    assert losses[1] > 0.1


@pytest.mark.parametrize(
    ("definition", "verdict"),
    [
        ({"kind": "activation", "forward": "x", "derivative": 1}, "pass"),
        ({"kind": "activation", "forward": "2 * x", "derivative": 1}, "fail"),
        ({"kind": "activation", "forward": "x**2", "derivative": "2 * x"}, "pass"),
        ({"kind": "loss", "forward": "(y - p) / 2", "gradient": -0.5}, "pass"),
    ],
)
def test_a_definition_is_checked_at_the_largest_numbers(
    definition: dict[str, Any], verdict: str
) -> None:
    at = {"p" if definition["kind"] == "loss" else "x": [1e308, -1.7e308, 5e-324]}
    report = gradcli.check({"gradcli": 1, "define": {"own": {**definition, "at": at}}})
    assert report.verdict == verdict, report


@pytest.mark.parametrize("scale", [1e155, 1e300])
def test_functions_are_judged_at_the_largest_numbers(scale: float) -> None:
    point = INPUTS * scale
    square = gradcli.gradcheck(lambda x: float(np.sum(x * x)), lambda x: 2 * x, point / scale)
    assert square.passed
    linear = gradcli.gradcheck(
        lambda x: float(np.sum(x / 8)), lambda x: np.full_like(x, 1 / 8), point
    )
    assert linear.verdict in ("pass", "inconclusive"), linear
    wrong = gradcli.gradcheck(
        lambda x: float(np.sum(x / 8)), lambda x: np.full_like(x, 1 / 4), point
    )
    assert wrong.verdict in ("fail", "inconclusive"), wrong
