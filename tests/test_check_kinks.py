"""Units exactly at a kink, wherever the arithmetic of their op sees it."""

from __future__ import annotations

from typing import Any

import pytest

import gradcli
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.self_test_network import NetworkSelfTest
from gradcli.analysis.gradcheck.tensors import NetworkTensors


def check(network: list[Any], inputs: list[float], targets: Any = "auto", **spec: Any) -> Any:
    data = {"inputs": {"values": [[x] for x in inputs]}, "targets": targets}
    spec = {"gradcli": 1, "data": data, "network": network, "loss": "mse", **spec}
    (result,) = gradcli.check(spec).results
    return result


@pytest.mark.parametrize("x", [3.0, -3.0])
def test_a_kink_counts_that_an_op_sees_only_after_it_added_a_number(x: float) -> None:
    result = check(["hard_sigmoid"], [x, 0.5])
    assert result.verdict == "pass"
    assert "GC201" in {finding.code for finding in result.findings}


@pytest.mark.parametrize("slope", ["<", "<="])
@pytest.mark.parametrize("offset", [3, 11, 130, 900])
@pytest.mark.parametrize("x", [3.0, 1.0, 1.7])
def test_either_slope_is_right_at_a_kink_of_a_formula(x: float, offset: int, slope: str) -> None:
    limit = x + offset
    own = {"kind": "activation", "forward": f"minimum({limit!r}, x + {offset})"}
    own["derivative"] = f"where(x {slope} {x!r}, 1, 0)"
    assert check(["own"], [x, 0.25], define={"own": own}).verdict == "pass"
    own["derivative"] = f"where(x {slope} {x!r}, 1, 0) + 0.01*where(x == {x!r}, 1, 0)"
    wrong = check(["own"], [x, 0.25], define={"own": own})
    assert wrong.verdict == ("fail" if slope == "<=" else "pass")  # 0.01 lies between the sides


@pytest.mark.parametrize(("p", "y"), [(1.0, -1.0), (1.0, -7.0), (3.0, -13.0), (0.1, -6.4)])
@pytest.mark.parametrize("sign", [">", ">="])
def test_either_slope_is_right_at_a_kink_of_a_loss(p: float, y: float, sign: str) -> None:
    far = {"kind": "loss", "forward": f"maximum(0, abs(p - y) - {p - y!r})"}
    far["gradient"] = f"where(abs(p - y) {sign} {p - y!r}, sign(p - y), 0)"
    network = [{"dense": {"units": 1, "bias": False, "init": "ones"}}]
    targets = {"values": [[y], [9.0]]}
    assert check(network, [p, 1.0], targets, define={"far": far}, loss="far").verdict == "pass"


def test_a_claim_has_not_passed_that_is_off_where_rounding_flips_its_branches() -> None:
    """Nudged, it moves by as much as it is off, and so does what the part alone would show."""
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"values": [[0.0, 0.0, 0.0]]}, "targets": "auto"},
        "network": ["layer_norm", {"dense": 1}, "leaky_relu"],
        "loss": "mse",
    }
    model = gradcli.load(spec)
    (result,) = gradcli.check(model).results
    assert result.verdict == "pass"
    network = NetworkTensors(model, CheckOptions(seed=model.plan.seed))
    tests = NetworkSelfTest(network, {t.name: t for t in result.tensors}, result.required)
    (planting,) = (
        each
        for each in tests.plantings()
        if (each.part.name, each.mistake.kind) == ("leaky_relu_1", "nonlinear in cotangent")
    )
    nodes = planting.part.network_with(model.plan, planting.op)
    (wrong,) = gradcli.check(model.with_plan(nodes)).results
    assert wrong.verdict == "inconclusive"
    unsure = [finding for finding in wrong.findings if finding.code == "GC203"]
    assert "inputs" in {finding.where for finding in unsure}
    assert all("moves by more than that" in finding.message for finding in unsure)
    assert tests.tried(planting).fate == "undecided"
