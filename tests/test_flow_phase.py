"""What becomes of differences between inputs: against kernels, mean-field theory, plain arithmetic.

Rates at the fixed points of tanh with σ_b² = 0.05 are those of Schoenholz et al. 2017.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gradcli.ops
from gradcli.analysis.flow import GATES, FlowOptions, FlowResult, analyse_flow, build_spec
from gradcli.analysis.flow.phase import separations
from gradcli.analysis.flow.propagate import Propagation
from gradcli.analysis.flow.rows import Rows, rows_of
from gradcli.analysis.flow.structure import structure_of
from gradcli.analysis.flow.verdict import cause_of
from gradcli.cli.main import main
from gradcli.diagnostics.rules import all_rules
from gradcli.engine.model import Model
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

WIDE = 700


def plan_of(**built: Any) -> Plan:
    return load_plan(build_spec(**{"width": 64, "batch": 32, **built}))


def flow(threshold: float = 2.0, **built: Any) -> FlowResult:
    options = FlowOptions(seeds=1, threshold=threshold, remedies=False)
    return analyse_flow(plan_of(**built), options).results[0]


def rows_along(plan: Plan) -> list[Rows]:
    """At the input and behind each activation."""
    structure = structure_of(plan)
    run = Propagation(plan, structure)
    slots = {0, *(place.slot for place in structure.layers)}
    return [rows_of(each.array) for slot, each in run.values(run.inputs()) if slot in slots]


@pytest.mark.parametrize(
    ("rows", "cosine", "spread", "rank"),
    [
        ([[1, 0], [0, 1]], 0.0, math.sqrt(0.5), 2.0),
        ([[1, 2], [1, 2], [1, 2]], 1.0, 0.0, 1.0),
        ([[1, 2], [-1, -2]], -1.0, 1.0, 1.0),
        ([[1, 0], [3, 0]], 1.0, math.sqrt(0.2), 1.0),  # mean 2, deviations 1, squares 10
        ([[1, 0], [0, 0], [0, 1]], 0.0, math.sqrt(0.5), 2.0),  # a row of zeros is left out
        ([[1, 0, 0], [0, 2, 0]], 0.0, math.sqrt(0.5), 25 / 17),
        ([[[1], [0]], [[0], [1]]], 0.0, math.sqrt(0.5), 2.0),  # a sequence is one example
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
def test_rows_by_hand(
    rows: list[Any], cosine: float, spread: float, rank: float, scale: float
) -> None:
    found = rows_of(np.array(rows, float) * scale)
    expected = (cosine, spread, rank)
    assert (found.cosine, found.spread, found.effective_rank) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("rows", [[[1.0, 2.0]], [[0.0], [0.0]], [[math.inf], [1.0]]])
def test_what_cannot_be_compared_is_not_a_number(rows: list[Any]) -> None:
    found = rows_of(np.array(rows))
    assert all(map(math.isnan, found.to_dict().values()))


def test_differences_far_below_the_values_are_still_seen(rng: np.random.Generator) -> None:
    """1 - cosine would have lost them: it ends at 1e-16, they at the square root of that."""
    noise = 1e-12 * rng.standard_normal((32, 64))
    found = rows_of(1 + noise)
    assert found.spread == pytest.approx(1e-12, rel=0.1)


def test_angles_in_relu_networks_follow_the_arc_cosine_kernel() -> None:
    """Cho and Saul 2009: the cosine c becomes (√(1 - c²) + c·(π - arccos c))/π."""
    found = rows_along(plan_of(depth=12, width=WIDE, batch=8))
    cosine = found[0].cosine
    for rows in found[1:]:
        cosine = (math.sqrt(1 - cosine**2) + cosine * (math.pi - math.acos(cosine))) / math.pi
        assert rows.cosine == pytest.approx(cosine, abs=0.03)
    assert found[-1].effective_rank == pytest.approx(8 / (1 + 7 * cosine**2), rel=0.03)


TANH = {"activation": "tanh", "width": WIDE, "batch": 4, "bias_std": math.sqrt(0.05)}


def tanh(weight_variance: float, depth: int) -> Plan:
    return plan_of(init={"normal": math.sqrt(weight_variance / WIDE)}, depth=depth, **TANH)


def test_differences_shrink_at_the_published_rate_in_the_ordered_phase() -> None:
    spread = [rows.spread for rows in rows_along(tanh(1.5, 50))]
    rate = (spread[50] / spread[20]) ** (1 / 30)
    assert rate == pytest.approx(math.sqrt(0.93864), rel=0.01)


def test_differences_grow_at_the_published_rate_in_the_chaotic_phase() -> None:
    plan = tanh(2.5, 50)
    structure = structure_of(plan)
    apart = separations(plan, structure)
    growth = apart[structure.layers[49].slot] - apart[structure.layers[19].slot]
    # one draw of 30 layers of this width varies by 0.7 % a layer
    assert 10 ** (growth / 30) == pytest.approx(math.sqrt(1.13352), rel=0.02)


PHASES = {"GF110", "GF111", "GF112"}


@pytest.mark.parametrize(
    ("built", "codes"),
    [
        ({}, set()),
        ({"activation": "tanh"}, set()),
        ({"activation": "selu"}, set()),
        ({"activation": "sigmoid"}, {"GF110"}),
        ({"init": "pytorch_default"}, {"GF110"}),  # its biases outlive the signal
        ({"init": "xavier_normal"}, set()),  # vanishes, but all shrinks alike
        ({"activation": "tanh", "gain": 3.0}, {"GF111"}),
        ({"norm": "batch"}, {"GF111"}),
        ({"gain": 2.0}, set()),  # explodes, but near inputs stay near
        ({"residual": True, "activation": "tanh"}, set()),
        ({"activation": "identity", "width": 8, "depth": 400}, {"GF112"}),
        ({"depth": 1000, "width": 16, "batch": 8}, {"GF112"}),
    ],
)
def test_phases(built: dict[str, Any], codes: set[str]) -> None:
    assert {found.code for found in flow(**built).findings} & PHASES == codes


def test_inputs_that_are_alike_from_the_start_are_no_finding() -> None:
    rng = np.random.default_rng(0)
    for values in (
        np.ones((8, 4)),
        1 + 1e-3 * rng.standard_normal((8, 4)),
        np.outer(range(8), [1.0]),
    ):
        data = {"inputs": {"values": values}, "targets": "auto"}
        network = [{"dense": 16}, "tanh", {"dense": 16}, "tanh", {"dense": 1}]
        spec = {"gradcli": 1, "data": data, "network": network, "loss": "mse"}
        (result,) = analyse_flow(load_plan(spec), FlowOptions(seeds=1)).results
        assert not {found.code for found in result.findings} & PHASES


def test_a_collapse_is_placed_where_it_happens() -> None:
    result = flow(activation="sigmoid")
    (found,) = (each for each in result.findings if each.code == "GF110")
    spreads = {layer.name: layer.rows.spread for layer in result.layers}
    names = list(spreads)
    assert spreads[found.where] < 0.01 < spreads[names[names.index(found.where) - 1]]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_chaos_is_found_in_either_precision_and_only_as_far_as_it_can_be_told(dtype: str) -> None:
    """float32 starts 3.5 decades below the values: inputs that differ by a tenth are apart."""
    for threshold in (2.0, 6.0):
        result = flow(threshold, activation="tanh", gain=3.0, dtype=dtype)
        assert result.verdict == "exploding"
        assert "GF111" in {found.code for found in result.findings}


@pytest.mark.parametrize(
    ("built", "cause"),
    [
        # Schoenholz et al. 2017: χ = 0.93864 and 1.13352 at rest, on either side of the edge
        ({"init": {"lecun_normal": {"gain": math.sqrt(1.5)}}, "depth": 250}, "ordered phase"),
        ({"init": {"lecun_normal": {"gain": math.sqrt(2.5)}}, "depth": 120}, "chaotic phase"),
        ({"init": {"lecun_normal": {"gain": 4.0}}, "activation": "sigmoid"}, "ordered phase"),
        # one part alone is to blame, whatever phase it leads to
        ({"activation": "sigmoid"}, "slope"),
        ({"activation": "relu", "init": "pytorch_default"}, "weights"),
        ({"gain": 0.5}, "weights"),
        # no phase: values that merely grow
        ({"activation": "relu", "gain": 2.0}, "weights"),
        # He's weights make up for ReLU's slopes; what is left is the normalization's
        ({"activation": "relu", "norm": "batch", "depth": 80}, "rest"),
    ],
)
def test_the_phase_is_the_cause_where_slopes_and_weights_pull_apart(
    built: dict[str, Any], cause: str
) -> None:
    given = {"bias_std": math.sqrt(0.05), "activation": "tanh", "depth": 50, **built}
    result = flow(**{**given, "bias_std": 0.0} if "norm" in built else given)
    assert result.cause is not None
    assert result.cause.name == cause
    verdict = next(found for found in result.findings if found.code in ("GF101", "GF102"))
    assert verdict.data["cause"]["name"] == cause
    told = "between the layers" if cause == "rest" else cause
    assert told in verdict.message
    if cause.endswith("phase"):
        assert result.cause.slope * result.cause.weights < 0


def test_the_cause_by_hand() -> None:
    phase, one = "ordered phase", {"threshold": 2.0}
    assert cause_of("healthy", -1.0, -9.0, 8.0, phase=phase, **one) is None
    for parts, name in {
        (-3.0, -9.0, 6.0): "ordered phase",
        (-3.0, -4.0, 1.0): "slope",  # the weights' share is within the threshold
        (-9.0, -5.0, -4.0): "slope",
        (-9.0, -4.0, -5.0): "weights",
        (-9.0, 5.0, -14.0): "ordered phase",
        (-9.0, -15.0, 15.0): "rest",
    }.items():
        found = cause_of("vanishing", *parts, phase=phase, **one)
        assert found is not None
        assert found.name == name
        unphased = cause_of("vanishing", *parts, **one)
        assert unphased is not None
        assert unphased.name in ("slope", "weights", "rest")


def test_every_finding_but_a_bug_is_a_gate() -> None:
    names = {rule.name for code, rule in all_rules().items() if code.startswith("GF")}
    assert names - {"bound-violated"} <= set(GATES)


SMALL = ("--width", "32", "--batch", "16", "--seeds", "3", "--no-remedies")


@pytest.mark.parametrize(
    ("gate", "arguments"),
    [
        ("ordered", "--activation sigmoid"),
        ("chaotic", "--activation tanh --gain 3"),
        ("rank-collapse", "--activation identity --width 8 --depth 400"),
        ("underflow", "--init xavier_normal"),
        ("flat-weight-gradients", "--init xavier_normal"),
        ("saturated", "--activation tanh --bias-std 10"),
        ("non-finite", "--activation gelu --gain 1e9"),
        ("vanishing", "--activation sigmoid"),
        ("exploding", "--gain 2"),
        ("healthy", "--depth 5"),
    ],
)
def test_gates_on_the_command_line(gate: str, arguments: str) -> None:
    found = ("flow", *SMALL, *arguments.split(), "--fail-on", gate, "--format", "json")
    result = CliRunner().invoke(main, found)
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout)["exit_code"] == 1
    elsewhere = ("flow", *SMALL, "--depth", "5", "--fail-on", gate)
    assert CliRunner().invoke(main, elsewhere).exit_code == (1 if gate == "healthy" else 0)


def plain_norms(plan: Plan, dtype: type[np.floating[Any]]) -> list[float]:
    """‖∂L/∂a^l‖ for l = L..0 as a program in this format computes them: squares and all."""
    model = Model(plan)
    sigmoid = plan.nodes[1].op.name == "sigmoid"
    a = model.inputs["inputs"].astype(dtype)
    weights, slopes = [], []
    for index in range(1, len(plan.nodes) // 2 + 1):
        weights.append(model.parameters[f"dense_{index}.weight"].astype(dtype))
        z = a @ weights[-1].T
        a = 1 / (1 + np.exp(-z)) if sigmoid else np.maximum(z, 0)
        slopes.append(a * (1 - a) if sigmoid else (z > 0).astype(dtype))
    head = model.parameters["head.weight"].astype(dtype)
    (target,) = model.targets.values()
    g = 2 * (a @ head.T - target.astype(dtype)) / dtype(len(a)) @ head
    norms = [float(np.sqrt(np.sum(g * g)))]
    for weight, slope in zip(reversed(weights), reversed(slopes), strict=True):
        g = (g * slope) @ weight
        norms.append(float(np.sqrt(np.sum(g * g))))
    return norms


@pytest.mark.parametrize(
    ("built", "field", "reads"),
    [
        ({"activation": "sigmoid"}, "reads_zero", 0.0),
        ({"gain": 2.0}, "reads_infinity", math.inf),
    ],
)
def test_what_plain_float32_would_show(built: dict[str, Any], field: str, reads: float) -> None:
    plan = plan_of(width=16, batch=8, depth=45, **built)
    with np.errstate(all="ignore"):
        norms = plain_norms(plan, np.float32)
    (result,) = analyse_flow(plan, FlowOptions(seeds=1, remedies=False)).results
    # the typical entry stands for all of them: a layer more or less
    assert getattr(result.plain["float32"], field) == pytest.approx(norms.index(reads), abs=1)
    assert getattr(result.plain["float64"], field) is None
    assert math.isfinite(result.log10_total)


def test_activations_that_plain_float32_cannot_hold() -> None:
    result = flow(depth=200, width=16, batch=8, gain=3.0)
    first = next(layer for layer in result.layers if layer.activation_rms >= 2.0**128)
    assert result.plain["float32"].overflows == first.name
    assert result.plain["float64"].overflows is None
    assert gradcli.ops is not None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_underflow_is_a_warning_only_of_the_network_s_own_format(dtype: str) -> None:
    result = flow(activation="sigmoid", depth=80, dtype=dtype)
    (found,) = (each for each in result.findings if each.code == "GF113")
    assert found.severity == ("warning" if dtype == "float32" else "note")
    assert set(found.data) == {"float16", "bfloat16", "float32"}
    half = result.underflow["float16"]
    assert found.data["float16"] == {"layers": half.layers, "loss_scale": half.loss_scale}
    assert half.layers is not None
    assert found.where == result.layers[79 - half.layers].name
    assert "float16 from" in found.message


def test_a_gradient_that_does_not_arrive_is_no_underflow() -> None:
    off = {"dense": {"units": 16, "bias_init": {"constant": -50}}}
    data = {"inputs": {"shape": [16, 8]}, "targets": "auto"}
    network = [{"dense": 16}, "relu", off, "relu", {"dense": 16}, "tanh", {"dense": 1}]
    spec = {"gradcli": 1, "data": data, "network": network, "loss": "mse"}
    (result,) = analyse_flow(load_plan(spec), FlowOptions(seeds=1, remedies=False)).results
    assert result.log10_total == -math.inf
    assert "GF113" not in {found.code for found in result.findings}


def test_inputs_of_zeros_explode_without_a_word_on_chaos() -> None:
    """Their copies differ by no part of their size, since they have none."""
    layers = [{"repeat": {"times": 3, "layers": ["batch_norm", {"dense": 4}]}}, {"dense": 1}]
    (result,) = gradcli.flow(
        {
            "gradcli": 1,
            "data": {"inputs": {"values": [[0.0, 0.0], [0.0, 0.0]]}, "targets": "auto"},
            "network": layers,
            "loss": "mse",
        },
        remedies=False,
    ).results
    assert result.verdict == "exploding"
    assert "GF111" not in {found.code for found in result.findings}
