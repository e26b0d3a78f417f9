"""The passes in the log domain: equal to plain ones where those exist, finite where they do not."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, FlowResult, analyse_flow, build_spec, memory_needed
from gradcli.analysis.flow import structure as structure_module
from gradcli.analysis.flow.scaled import Scaled, added, log2_norm, spectral_norm
from gradcli.engine.model import Model
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

ROUNDING = 1e-12  # of a norm's log10; a sum of 1e4 squares rounds to 1e-14 relative


def run(plan: Plan) -> FlowResult:
    return analyse_flow(plan, FlowOptions(seeds=1)).results[0]


def built(**parts: Any) -> Plan:
    return load_plan(build_spec(**parts), max_memory=1 << 40)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(np.float64, 10.0**e) for e in (-300, -30, 0, 30, 300)]
    + [(np.float32, 10.0**e) for e in (-30, 0, 30)],
)
def test_norms_do_not_square_out_of_range(
    rng: np.random.Generator, dtype: type[np.floating[Any]], size: float
) -> None:
    array = (rng.standard_normal((5, 7)) * size).astype(dtype)
    expected = math.log2(np.linalg.norm(array.astype(np.float64) / size)) + math.log2(size)
    assert log2_norm(array) == pytest.approx(expected, abs=1e-12)


def test_scaled_arrays_keep_every_digit(rng: np.random.Generator) -> None:
    array = rng.standard_normal((3, 4)) * 1e-290
    scaled = Scaled.of(array)
    assert scaled.exponent < -800
    assert np.array_equal(scaled.times(0), array)


def test_sums_are_aligned(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((2, 6))
    total = added([Scaled.of(a, 2000), Scaled.of(b, 1998), Scaled.of(b, -3000)])
    assert np.allclose(total.times(2000), a + b / 4, rtol=1e-15, atol=0)
    zero = Scaled.of(np.zeros(6), 5000)
    assert np.array_equal(added([zero, Scaled.of(a, -7000)]).times(-7000), a)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (1, 4), (4, 1)])
@pytest.mark.parametrize("size", [1.0, 1e-200, 1e200])
def test_the_spectral_norm_is_the_largest_singular_value(
    rng: np.random.Generator, shape: tuple[int, int], size: float
) -> None:
    matrix = rng.standard_normal(shape)
    expected = np.linalg.svd(matrix, compute_uv=False)[0]
    assert spectral_norm(matrix * size) / size == pytest.approx(expected, rel=1e-13)


NETWORK = [
    {"dense": {"units": 6, "bias_init": {"normal": 0.3}}},
    "relu",
    {"residual": {"layers": [{"dense": 6}, "tanh", {"dense": 6}], "scale": 0.7}},
    {"residual": [{"dense": 6}, {"prelu": 0.3}]},
    {"dense": 5},
    "gelu",
    "softmax",
    {"dense": {"units": 2, "bias": False}},
]


def spec(**more: Any) -> dict[str, Any]:
    data = {"inputs": {"shape": [9, 4], "distribution": "normal"}, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": NETWORK, "loss": "mse", **more}


def test_norms_are_those_of_the_engine() -> None:
    plan = load_plan(spec())
    result = run(plan)
    _, gradients = Model(plan).value_and_grad()
    expected = np.log10(np.linalg.norm(gradients["inputs"]))
    assert result.log10_input_gradient_norm == pytest.approx(expected, abs=ROUNDING)
    assert len(result.layers) == 5
    for layer in result.layers:
        norm = np.log10(np.linalg.norm(gradients[f"{layer.name}.weight"]))
        assert layer.log10_weight_gradient_norm == pytest.approx(norm, abs=ROUNDING)
        weight = np.log10(np.linalg.norm(Model(plan).parameters[f"{layer.name}.weight"]))
        assert layer.log10_weight_gradient_ratio == pytest.approx(norm - weight, abs=ROUNDING)


def test_computing_again_gives_what_keeping_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [load_plan(spec()), built(depth=30, width=8, batch=4, residual=True, bias_std=0.1)]
    kept = [run(plan) for plan in plans]
    monkeypatch.setattr(structure_module, "_KEPT", 4096)
    for plan, before in zip(plans, kept, strict=True):
        assert len(structure_module.structure_of(plan).segments) > 3
        assert repr(run(plan)) == repr(before)  # a gain may be NaN, which equals nothing


def test_rescaled_values_give_the_gradients_of_the_true_ones() -> None:
    """float32 overflows at 1e38, which these activations pass; float64 holds them as they are."""
    for gain in (3.0, 0.2):
        plan = built(depth=120, width=12, batch=8, gain=gain, bias_std=0.5, activation="leaky_relu")
        wide, single = run(plan), run(plan.replace(dtype="float32"))
        rms = [layer.activation_rms for layer in wide.layers]
        assert (max(rms) > 1e45) == (gain > 1)
        for a, b in zip(wide.layers, single.layers, strict=True):
            if b.activation_rms < 1e300:
                assert b.activation_rms == pytest.approx(a.activation_rms, rel=1e-3)
            gaps = (
                b.log10_gradient_norm - a.log10_gradient_norm - single_loss_gap(wide, single),
                b.log10_weight_gradient_norm
                - a.log10_weight_gradient_norm
                - single_loss_gap(wide, single),
            )
            assert gaps == pytest.approx((0, 0), abs=1e-3)


def single_loss_gap(wide: FlowResult, single: FlowResult) -> float:
    """Where float32 cannot hold the outputs, the loss is differentiated at scaled ones."""
    return single.layers[-1].log10_gradient_norm - wide.layers[-1].log10_gradient_norm


def test_a_chain_of_numbers_has_the_product_of_its_numbers() -> None:
    plan = built(
        depth=1200, width=1, activation="identity", init={"normal": {"std": 1e-3}}, batch=2
    )
    result = run(plan)
    weights = [abs(Model(plan).parameters[f"dense_{i}.weight"].item()) for i in (1, 1200)]
    assert result.layers[0].weight_norm == pytest.approx(weights[0], rel=1e-12)
    assert result.layers[-1].weight_norm == pytest.approx(weights[1], rel=1e-12)
    total = math.fsum(math.log10(layer.weight_norm) for layer in result.layers)
    assert total < -3600
    for found in (result.log10_total, result.log10_bound, result.log10_rms_product):
        assert found == pytest.approx(total, rel=1e-13)


def test_memory_does_not_grow_with_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure_module, "_KEPT", 2**20)
    plan = built(depth=400, width=32, batch=64, activation="tanh")
    tracemalloc.start()
    run(plan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    values = sum(math.prod(node.shape) for node in plan.nodes) * 8
    assert peak < values / 3


def test_memory_needed_stays_small_for_a_deep_network() -> None:
    deep = built(depth=10_000, width=64, activation="sigmoid")
    assert memory_needed(deep) < 2**28 < deep.memory


def test_an_overflow_where_values_cannot_be_rescaled_is_named() -> None:
    result = run(built(depth=40, width=16, batch=8, activation="gelu", gain=1e9))
    assert result.verdict == "undetermined"
    (found,) = (found for found in result.findings if found.code == "GF105")
    # gelu keeps about half of the values as they are, 1e9 larger with every layer
    assert found.where in {f"{kind}_{i}" for kind in ("gelu", "dense") for i in (34, 35, 36)}
    assert result.exit_code == 0


def test_outputs_beyond_the_dtype_are_said_and_the_flow_is_still_measured() -> None:
    result = run(built(depth=600, width=16, batch=8, gain=4.0))
    assert result.verdict == "exploding"
    assert math.isfinite(result.log10_total)
    assert {"GF102", "GF105"} <= {found.code for found in result.findings}


def test_a_value_that_is_written_out_too_large_is_an_overflow() -> None:
    network = [
        {"repeat": {"times": 400, "layers": [{"dense": {"units": 8, "init": {"normal": 10}}}]}},
        "tanh",
        {"dense": 1},
    ]
    result = run(load_plan({**spec(), "network": network}))
    assert [found.where for found in result.findings if found.code == "GF105"] == ["tanh_1"]
