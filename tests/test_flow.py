"""Gradient flow: what is measured on known networks, against theory and published numbers."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, FlowResult, analyse_flow, build_spec
from gradcli.engine.model import Model
from gradcli.errors import UsageError
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan


def plan_of(**built: Any) -> Plan:
    """A network of the builder's default depth, of a size that keeps tests quick."""
    return load_plan(build_spec(**{"width": 64, "batch": 32, **built}))


def codes(result: FlowResult) -> set[str]:
    return {found.code for found in result.findings}


@cache
def flow(seeds: int = 5, **built: Any) -> FlowResult:
    return analyse_flow(plan_of(**built), FlowOptions(seeds=seeds)).results[0]


def spec(network: list[Any], inputs: tuple[int, int] = (32, 8), **more: Any) -> dict[str, Any]:
    data = {"inputs": {"shape": list(inputs), "distribution": "normal"}, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": network, "loss": "mse", **more}


def flow_of(network: list[Any], seeds: int = 1, **more: Any) -> FlowResult:
    return analyse_flow(load_plan(spec(network, **more)), FlowOptions(seeds=seeds)).results[0]


SLOPES = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
}


def products_of(plan: Plan, activation: str) -> tuple[float, float]:
    """log10 of Π ‖W‖₂·max f' and of Π (‖W‖_F/√fan_out)·rms f', from the weights as drawn."""
    model = Model(plan)
    function, slope_of = SLOPES[activation]
    a = model.inputs["inputs"]
    bound = rms = 0.0
    for index in range(1, 51):
        weight = model.parameters[f"dense_{index}.weight"]
        z = a @ weight.T + model.parameters[f"dense_{index}.bias"]
        a, slope = function(z), slope_of(z)
        bound += math.log10(np.linalg.norm(weight, 2) * slope.max())
        rms += math.log10(np.linalg.norm(weight) / 10 * math.sqrt(np.mean(slope**2)))
    return bound, rms


# 50 layers of 100: totals measured on other draws than ours, so that ours agree within the draws'
# own spread.
@pytest.mark.parametrize(
    ("activation", "init", "total"),
    [
        ("tanh", "xavier_normal", -0.99),
        ("relu", "he_normal", -0.08),
        ("relu", "pytorch_default", -19.5),
        ("sigmoid", "xavier_normal", -31.5),
    ],
)
def test_published_networks(activation: str, init: str, total: float) -> None:
    built = {"width": 100, "batch": 128, "activation": activation, "init": init}
    result = flow(**built)
    assert result.band is not None
    assert result.band[0] <= total <= result.band[1]
    assert result.band[1] - result.band[0] < 3
    bound, rms = products_of(plan_of(**built), activation)
    assert result.log10_bound == pytest.approx(bound, abs=1e-11)
    assert result.log10_rms_product == pytest.approx(rms, abs=1e-11)


@pytest.mark.parametrize(
    ("built", "verdict", "rate"),
    [
        ({}, "healthy", 1.0),
        ({"activation": "sigmoid"}, "vanishing", math.sqrt(0.05572)),  # mean-field fixed point
        ({"init": "pytorch_default"}, "vanishing", math.sqrt(1 / 6)),
        ({"gain": 2.0}, "exploding", 2.0),
        ({"activation": "tanh"}, "healthy", 0.955),  # L^-1/2 and finite width: -1 decade in 50
        # E[f'(z)^2] at the fixed point (0, 1): λ²(1/2 + α² e² Φ(-2))
        ({"activation": "selu"}, "healthy", math.sqrt(1.07158)),
    ],
    ids=["default", "sigmoid", "pytorch_default", "gain 2", "tanh", "selu"],
)
def test_the_default_depth(built: dict[str, Any], verdict: str, rate: float) -> None:
    result = flow(**built)
    assert (result.verdict, result.depth) == (verdict, 50)
    assert result.rate == pytest.approx(rate, rel=0.03)


def test_one_seed_has_no_band_and_judges_by_its_value() -> None:
    result = flow(seeds=1, activation="sigmoid", depth=8)
    assert result.band is None
    assert result.verdict == "vanishing"
    assert result.totals == (result.log10_total,)


def test_gains_multiply_to_the_total() -> None:
    result = flow(activation="tanh", depth=10, width=32, seeds=3)
    gains = [math.log10(layer.gain) for layer in result.layers]
    assert math.fsum(gains) == pytest.approx(result.log10_total, abs=1e-12)
    norms = [result.log10_input_gradient_norm, *(x.log10_gradient_norm for x in result.layers)]
    assert gains == pytest.approx(-np.diff(norms), abs=1e-12)
    assert result.rate == pytest.approx(10 ** (result.log10_total / 10))
    assert 2.0 ** (-10 / result.halving_depth) == pytest.approx(10**result.log10_total)


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_a_block_of_several_layers_has_one_gain_at_its_end(scale: float) -> None:
    branch = [{"dense": 8}, "tanh", {"dense": 8}, "tanh", {"dense": 8}]
    block = {"residual": {"layers": branch, "scale": scale}}
    result = flow_of([{"dense": 8}, {"repeat": {"times": 3, "layers": [block]}}, {"dense": 1}])
    assert [math.isnan(layer.gain) for layer in result.layers] == [False, *[True, True, False] * 3]
    gains = [layer.gain for layer in result.layers if layer.at_cut]
    assert math.fsum(map(math.log10, gains)) == pytest.approx(result.log10_total, abs=1e-12)
    if scale == 0.1:  # a block is nearly the identity, whatever its layers do to their part
        assert gains[1:] == pytest.approx([1.0] * 3, abs=0.25)
        inner = result.layers[1].log10_gradient_norm - result.layers[3].log10_gradient_norm
        assert inner < -0.5
        assert result.depth_budget is None
        few = analyse_flow(
            load_plan(spec([{"dense": 8}, block, block, {"dense": 1}])),
            FlowOptions(threshold=0.5, seeds=1),
        ).results[0]
        assert few.depth_budget is None


def test_the_seed_and_its_followers_are_the_draws() -> None:
    three = flow(activation="tanh", depth=5, width=16, seeds=3, seed=4)
    each = [flow(activation="tanh", depth=5, width=16, seeds=1, seed=seed) for seed in (4, 5, 6)]
    assert three.totals == pytest.approx([one.log10_total for one in each], abs=1e-12)
    assert len(set(three.totals)) == 3
    assert three.layers == each[0].layers


def test_scaled_weights_scale_the_gain_of_a_linear_network() -> None:
    plain = flow(activation="identity", depth=10, width=16, seeds=1)
    grown = flow(activation="identity", depth=10, width=16, seeds=1, gain=3.0)
    assert grown.log10_total - plain.log10_total == pytest.approx(10 * math.log10(3), abs=1e-12)


def test_weight_gradients_that_look_even_while_the_signal_dies_are_pointed_out() -> None:
    result = flow(seeds=1, init="xavier_normal", width=256, batch=128)
    first, last = (result.layers[i].log10_weight_gradient_norm for i in (0, -1))
    assert result.log10_total < -6
    assert abs(first - last) < math.log10(2)  # published: a factor of 1.25
    assert codes(result) == {"GF101", "GF107", "GF113"}
    assert "GF107" not in codes(flow(activation="sigmoid"))


@pytest.mark.parametrize(
    ("built", "cause"),
    [
        ({"activation": "sigmoid"}, "slope"),
        ({"init": "pytorch_default"}, "weights"),
        ({"gain": 2.0}, "weights"),
        ({"activation": "tanh", "gain": 0.5}, "weights"),
        ({"init": "xavier_normal"}, "slope"),
        ({"residual": True, "activation": "identity"}, "rest"),
    ],
)
def test_the_cause_is_named(built: dict[str, Any], cause: str) -> None:
    result = flow(**built)
    assert result.cause is not None
    assert result.cause.name == cause
    parts = result.cause.slope + result.cause.weights + result.cause.rest
    assert parts == pytest.approx(result.log10_total)


def test_a_healthy_network_has_no_cause_and_no_findings() -> None:
    for activation in ("relu", "tanh", "leaky_relu"):
        result = flow(activation=activation)
        assert (result.cause, result.findings) == (None, ())


def test_half_of_the_units_off_is_normal_and_all_of_them_dead_is_not() -> None:
    healthy = flow()
    assert 0.3 < healthy.layers[-1].dead < 0.7  # all rows have come to point the same way
    dead = flow_of([{"dense": {"units": 16, "bias_init": {"constant": -50}}}, "relu", {"dense": 1}])
    assert dead.layers[0].dead == 1.0
    assert dead.log10_total == -math.inf or math.isnan(dead.log10_total)
    assert "GF103" in codes(dead)


def test_one_dead_layer_among_others_is_named_and_stops_the_gradient() -> None:
    block = [{"dense": 16}, "relu"]
    off = [{"dense": {"units": 16, "bias_init": {"constant": -50}, "name": "off"}}, "relu"]
    result = flow_of([*block, *off, {"dense": 16}, "tanh", {"dense": 1}])
    assert result.verdict == "vanishing"
    assert result.log10_total == -math.inf
    assert result.cause is not None
    assert result.cause.name == "dead units"
    (found,) = (found for found in result.findings if found.code == "GF103")
    assert found.where == "off"
    assert found.data["usual"] == pytest.approx(0.5, abs=0.01)
    assert [layer.dead for layer in result.layers][1:] == [1.0, 0.0]


def test_saturated_units_are_counted_against_the_activation_s_own_slope() -> None:
    saturated = flow(activation="tanh", bias_std=10.0)
    assert "GF104" in codes(saturated)
    assert all(layer.saturated > 0.5 for layer in saturated.layers)
    # sigmoid's slope is a quarter at most, and hard_tanh's is zero beyond its corners
    assert flow(activation="sigmoid").layers[0].saturated == 0.0
    corners = flow(activation="hard_tanh", bias_std=10.0, seeds=1, depth=5)
    assert (corners.layers[0].dead, corners.layers[0].saturated > 0.5) == (0.0, True)


def test_no_signal_is_said_and_decides_nothing() -> None:
    result = flow_of([{"dense": 8}, "tanh", {"dense": {"units": 1, "init": "zeros"}}], seeds=3)
    assert result.verdict == "undetermined"
    assert codes(result) == {"GF108", "GF109"}


def test_draws_that_disagree_decide_nothing() -> None:
    result = flow(width=8, depth=40)
    assert result.verdict == "undetermined"
    assert result.band is not None
    assert result.band[0] < -2 < result.band[1]
    assert codes(result) == {"GF108", "GF112"}


def test_a_residual_network_of_scaled_branches_tends_to_e() -> None:
    # (1 + 1/L)^L of the squared signal, and 2^L unscaled
    result = flow(residual=True, residual_scale=50**-0.5, activation="identity")
    assert result.verdict == "healthy"
    expected = 25 * math.log10(1 + 1 / 50)
    assert result.band is not None
    assert result.band[0] <= expected <= result.band[1]
    assert result.log10_rms_product == pytest.approx(expected, abs=0.01)
    doubling = flow(residual=True, activation="identity")
    assert doubling.band is not None
    assert doubling.band[0] <= 25 * math.log10(2) <= doubling.band[1]


def test_normal_activations_and_weights_are_in_the_rows() -> None:
    layer = flow(width=256, batch=128, depth=2, seeds=1).layers[0]
    assert (layer.index, layer.name, layer.op, layer.activation) == (1, "dense_1", "dense", "relu")
    assert layer.width == 256
    assert layer.weight_norm == pytest.approx(2 * math.sqrt(2), rel=0.05)  # Marchenko-Pastur edge
    assert layer.slope_max == 1.0
    assert layer.slope_rms == pytest.approx(math.sqrt(0.5), rel=0.03)
    assert layer.activation_rms == pytest.approx(1.0, rel=0.05)


def test_underflow_by_format_and_the_loss_scale_that_saves_it() -> None:
    result = flow(init="xavier_normal", seeds=1)
    half = result.underflow["float16"]
    size = math.log10(32 * 64) / 2
    entries = [result.log10_input_gradient_norm, *(x.log10_gradient_norm for x in result.layers)]
    entries = [entry - size for entry in entries]
    below = [entry < math.log10(2.0**-24) for entry in reversed(entries)]
    assert half.layers == below.index(True)
    assert half.loss_scale is not None
    assert math.log2(half.loss_scale).is_integer()
    assert min(entries) + math.log10(half.loss_scale) >= math.log10(2.0**-24)
    assert min(entries) + math.log10(half.loss_scale / 2) < math.log10(2.0**-24)
    assert result.underflow["float64"].layers is None
    assert result.underflow["float64"].loss_scale == 1.0
    assert flow(activation="sigmoid").underflow["float16"].loss_scale is None  # spans 31 decades


def test_the_depth_budget_is_where_the_threshold_is_crossed() -> None:
    assert flow(activation="sigmoid").depth_budget == 3  # 0.627 decades a layer
    assert flow().depth_budget is None
    deeper = analyse_flow(plan_of(activation="sigmoid"), FlowOptions(threshold=10.0, seeds=1))
    assert deeper.results[0].depth_budget in (15, 16)


def test_penalties_on_weights_are_no_part_of_the_signal() -> None:
    network = [{"dense": 8}, "tanh", {"dense": 1}]
    plain = flow_of(network)
    penalised = flow_of(network, loss={"sum": ["mse", {"l2": {"weight": 100.0}}]})
    assert penalised.layers == plain.layers


def test_a_scale_without_a_residual_block_is_refused() -> None:
    with pytest.raises(UsageError, match="residual_scale"):
        build_spec(depth=2, residual_scale=0.3)
