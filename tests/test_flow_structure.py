"""Which layers are inside the products, where they end, and what is read from the numbers."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, analyse_flow, build_spec
from gradcli.analysis.flow.formats import underflow
from gradcli.analysis.flow.structure import Structure, structure_of
from gradcli.analysis.flow.units import Normal, Shares, normal_shares, unit_shares, unusual
from gradcli.analysis.flow.verdict import band_of, depth_budget, student_t, verdict_of
from gradcli.api import flow
from gradcli.errors import SpecError, UsageError
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

DATA = {"inputs": {"shape": [4, 3], "distribution": "normal"}, "targets": "auto"}


def plan_of(network: list[Any], **more: Any) -> Plan:
    return load_plan({"gradcli": 1, "data": DATA, "network": network, "loss": "mse", **more})


def layers_of(network: list[Any], **more: Any) -> list[tuple[str, str | None, str]]:
    """Each layer's name, its activation's, and that of the node after which it ends."""
    plan = plan_of(network, **more)
    structure = structure_of(plan)
    names = ["input", *(node.name for node in plan.nodes)]
    return [
        (
            names[place.node + 1],
            None if place.activation is None else names[place.activation + 1],
            names[place.slot],
        )
        for place in structure.layers
    ]


def cuts_of(network: list[Any]) -> tuple[Structure, list[bool]]:
    structure = structure_of(plan_of(network))
    return structure, [place.slot in structure.cuts for place in structure.layers]


def test_a_chain_ends_each_layer_after_its_activation() -> None:
    network = [{"dense": 3}, "relu", {"dense": 3}, {"dense": 2}, "softmax", {"dense": 1}]
    assert layers_of(network) == [
        ("dense_1", "relu_1", "relu_1"),
        ("dense_2", None, "dense_2"),
        ("dense_3", None, "dense_3"),
    ]


def test_a_last_layer_with_an_activation_is_no_head() -> None:
    assert layers_of([{"dense": 3}, "tanh", {"dense": 1}, "sigmoid"])[-1] == (
        "dense_2",
        "sigmoid_1",
        "sigmoid_1",
    )


@pytest.mark.parametrize("network", [[{"dense": 2}], [{"dense": 2}, "softmax"]])
def test_a_network_that_is_only_a_head_is_measured_all_the_same(network: list[Any]) -> None:
    assert [name for name, _, _ in layers_of(network)] == ["dense_1"]


def test_the_last_layer_of_a_block_ends_with_the_block() -> None:
    branch = [{"dense": 3}, "relu", {"dense": 3}]
    network = [{"residual": branch}, "tanh", {"residual": branch}, {"dense": 1}]
    assert layers_of(network) == [
        ("residual_1.dense_1", "residual_1.relu_1", "residual_1.relu_1"),
        ("residual_1.dense_2", "tanh_1", "tanh_1"),
        ("residual_2.dense_1", "residual_2.relu_1", "residual_2.relu_1"),
        ("residual_2.dense_2", None, "residual_2"),
    ]
    assert cuts_of(network)[1] == [False, True, False, True]


def test_a_layer_inside_a_last_block_is_no_head() -> None:
    network = [{"dense": 1}, "relu", {"residual": [{"dense": 1}]}]
    assert layers_of(network)[-1] == ("residual_1.dense_1", None, "residual_1")


def test_the_last_layer_ends_where_the_whole_signal_passes() -> None:
    inner = [{"dense": 3}, "relu", {"residual": ["tanh"]}]
    structure, at_cut = cuts_of([{"residual": inner}, {"dense": 1}])
    assert at_cut == [True]
    assert structure.layers[-1].slot == max(c for c in structure.cuts if c < 6)


def test_specs_without_a_network_loss_or_layer_are_refused() -> None:
    activation = {"kind": "activation", "forward": "x*x", "derivative": "2*x"}
    only = load_plan({"gradcli": 1, "define": {"square": activation}})
    with pytest.raises(UsageError, match="no network"):
        analyse_flow(only)
    with pytest.raises(UsageError, match="no layer"):
        analyse_flow(plan_of(["tanh"]))


@pytest.mark.parametrize(
    "options",
    [{"threshold": 0.0}, {"threshold": math.inf}, {"seeds": 0}, {"fail_on": ("vanished",)}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(options))}: expected"):
        FlowOptions(**options)


def test_given_options_win_and_none_is_not_given() -> None:
    options = FlowOptions(threshold=3.0).with_given({"seeds": 2, "threshold": None})
    assert options == FlowOptions(threshold=3.0, seeds=2)


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (99, 1.9842)],
)
def test_student_t_has_the_tabled_quantiles(degrees: int, quantile: float) -> None:
    assert student_t(degrees) == pytest.approx(quantile, abs=5e-5)


def test_the_band_holds_95_percent_of_further_draws() -> None:
    draws = np.random.default_rng(5).standard_normal((4000, 6))
    bands = np.array([band_of(list(row[:5])) for row in draws])
    inside = (bands[:, 0] <= draws[:, 5]) & (draws[:, 5] <= bands[:, 1])
    assert inside.mean() == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))


@pytest.mark.parametrize(
    ("totals", "band"),
    [
        ([1.0], None),
        ([1.0, math.nan], None),
        ([3.0, 3.0], (3.0, 3.0)),
        ([-math.inf, -math.inf], (-math.inf, -math.inf)),
        ([-math.inf, -5.0], (-math.inf, -5.0)),
        ([math.inf, -math.inf], (-math.inf, math.inf)),
    ],
)
def test_bands_of_few_and_of_infinite_totals(
    totals: list[float], band: tuple[float, float] | None
) -> None:
    assert band_of(totals) == band


@pytest.mark.parametrize(
    ("total", "band", "verdict"),
    [
        (-2.5, None, "vanishing"),
        (-2.0, None, "healthy"),
        (2.5, None, "exploding"),
        (math.nan, None, "undetermined"),
        (-3.0, (-4.0, -2.1), "vanishing"),
        (-3.0, (-4.0, -1.9), "undetermined"),
        (0.0, (-1.0, 1.0), "healthy"),
        (2.1, (-1.0, 1.0), "undetermined"),
        (5.0, (1.0, 9.0), "undetermined"),
        (5.0, (2.5, 9.0), "exploding"),
        (-math.inf, (-math.inf, -math.inf), "vanishing"),
        (-9.0, (-math.inf, 3.0), "undetermined"),
    ],
)
def test_the_verdict_is_the_side_on_which_the_whole_band_lies(
    total: float, band: tuple[float, float] | None, verdict: str
) -> None:
    assert verdict_of(total, band, 2.0) == verdict


def test_depth_budget_counts_from_the_loss() -> None:
    assert depth_budget([-9.0, -5.0, -1.0, 0.0], 2.0) == 1
    assert depth_budget([1.9, 0.0, -1.0, 0.0], 2.0) is None
    assert depth_budget([0.0, 2.1, 0.0], 2.0) == 0


def test_underflow_and_loss_scales_of_a_span() -> None:
    bits = math.log10(2)
    found = underflow([-30 * bits, -25 * bits, -20 * bits])
    assert (found["float16"].layers, found["float16"].loss_scale) == (1, 2.0**6)
    assert (found["bfloat16"].layers, found["bfloat16"].loss_scale) == (None, 1.0)
    too_wide = underflow([-40 * bits, 0.0])
    assert (too_wide["float16"].layers, too_wide["float16"].loss_scale) == (1, None)
    too_large = underflow([18 * bits, 0.0])["float16"]
    assert (too_large.layers, too_large.loss_scale) == (None, 2.0**-3)
    dead = underflow([-math.inf, 0.0])["float64"]
    assert (dead.layers, dead.loss_scale) == (1, None)


@pytest.mark.parametrize(
    ("activation", "dead", "saturated"),
    [
        ("relu", 0.5, 0.0),
        ("leaky_relu", 0.0, 0.0),
        ("tanh", 0.0, 0.0687),  # P(1 - tanh(z)² < 0.1) = P(|z| > 1.8184)
        ("hard_tanh", 0.0, 0.3173),  # P(|z| > 1)
        ("elu", 0.0, 0.0107),  # P(exp(z) < 0.1)
    ],
)
def test_what_is_usual_for_an_activation(activation: str, dead: float, saturated: float) -> None:
    node = plan_of([{"dense": 3}, activation, {"dense": 1}]).nodes[1]
    expected = normal_shares(node, {}).expected
    assert expected.dead == pytest.approx(dead, abs=1 / 200)
    assert expected.saturated == pytest.approx(saturated, abs=1 / 200)


def test_units_count_as_dead_or_saturated_on_the_whole_batch_only() -> None:
    slopes = np.array([[1.0, 0.0, 0.05, 0.0], [0.0, 0.0, 0.0, 0.5]])
    one_sided = Normal(1.0, Shares(0.0, 0.0), saturates=True, on_both_sides=False)
    assert unit_shares(slopes, one_sided) == Shares(0.25, 0.25)
    both = Normal(1.0, Shares(0.0, 0.0), saturates=True, on_both_sides=True)
    assert unit_shares(slopes, both) == Shares(0.0, 0.5)
    neither = Normal(1.0, Shares(0.0, 0.0), saturates=False, on_both_sides=False)
    assert unit_shares(slopes, neither) == Shares(0.25, 0.0)


@pytest.mark.parametrize(
    ("share", "expected", "units", "found"),
    [
        (0.59, 0.5, 10_000, False),  # a tenth of the layer,
        (0.61, 0.5, 10_000, True),
        (0.74, 0.5, 64, False),  # or four deviations, of 1/16 here
        (0.76, 0.5, 64, True),
        (0.51, 0.2, 25, False),  # and of 2/25 here
        (0.53, 0.2, 25, True),
        (0.09, 0.0, 100, False),
        (0.11, 0.0, 100, True),
        (1.0, 0.5, 2, True),
    ],
)
def test_more_units_than_chance_explains(
    share: float, expected: float, units: int, found: bool
) -> None:
    assert unusual(share, expected, units) is found


def test_the_builder_writes_a_plain_spec() -> None:
    plan = load_plan(build_spec(depth=3, width=5, batch=7, activation={"leaky_relu": 0.2}))
    assert [node.name for node in plan.nodes] == [
        *("dense_1", "leaky_relu_1", "dense_2", "leaky_relu_2", "dense_3", "leaky_relu_3"),
        "head",
    ]
    assert plan.inputs is not None
    assert plan.inputs.shape == (7, 5)
    assert plan.nodes[-1].shape == (7, 1)
    assert plan.nodes[1].options == {"alpha": 0.2}


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("auto", 9 * 2 / 6),
        ("xavier_uniform", 9 / 6),
        ({"he_normal": {"gain": 2.0}}, 9 * 4 * 2 / 6),
        ({"normal": 0.1}, 9 * 0.01),
        ({"normal": {"std": 0.1}}, 9 * 0.01),
        ("pytorch_default", 9 / 18),
    ],
)
def test_gain_multiplies_the_rule_s_own_spread(init: Any, variance: float) -> None:
    weight = load_plan(build_spec(depth=1, width=6, init=init, gain=3.0)).parameters[
        "dense_1.weight"
    ]
    chosen = weight.init
    assert chosen.op.variance is not None
    assert chosen.op.variance(6, 6, **chosen.options) == pytest.approx(variance, rel=1e-12)


def test_gain_leaves_the_initializer_s_own_bias() -> None:
    for gain in (1.0, 2.0):
        plan = load_plan(build_spec(depth=1, width=6, init="pytorch_default", gain=gain))
        assert plan.parameters["dense_1.bias"].init.op.name == "pytorch_default"
    plan = load_plan(build_spec(depth=1, width=6, init="pytorch_default", bias_std=0.5))
    assert plan.parameters["dense_1.bias"].init.options == {"std": 0.5}


def test_a_gain_without_a_spread_is_refused() -> None:
    with pytest.raises(UsageError, match="gain: zeros has no spread"):
        build_spec(init="zeros", gain=2.0)


def test_what_the_reader_refuses_reaches_the_reader() -> None:
    for built in ({"activation": {"elu": {"alhpa": 2.0}}}, {"init": {"normal": -1}}, {"depth": 0}):
        with pytest.raises(SpecError):
            load_plan(build_spec(**built))


@pytest.mark.parametrize(
    ("built", "message"),
    [
        ({"activation": "rleu"}, "activation: there is no activation 'rleu'; did you mean relu"),
        ({"activation": "linear"}, "activation: there is no activation 'linear'; expected one of"),
        ({"activation": {}}, "activation: there is no activation {}; expected one of"),
        ({"activation": 3}, "activation: there is no activation 3; expected one of"),
        ({"init": "he_norml", "gain": 2.0}, "init: .* 'he_norml'; did you mean he_normal"),
        ({"loss": "msee"}, "loss: there is no loss 'msee'; did you mean mse"),
        ({"loss": "l2"}, "loss: there is no loss 'l2'; expected one of"),
        ({"gain": math.inf}, "gain: expected a number above 0, got inf"),
        ({"gain": "2"}, "gain: expected a number above 0, got '2'"),
    ],
)
def test_the_builder_names_the_option_that_is_wrong(built: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_spec(**built)


@pytest.mark.parametrize(
    ("loss", "units"),
    [
        ("mse", 1),
        ("binary_cross_entropy", 1),
        ("cross_entropy", 10),
        ({"cross_entropy": {"temperature": 2.0}}, 10),
        ({"sum": ["cross_entropy", {"l2": {"weight": 0.1}}]}, 10),
        ({"sum": ["mse"]}, 1),
    ],
)
def test_the_head_suits_the_loss(loss: Any, units: int) -> None:
    plan = load_plan(build_spec(depth=3, width=5, batch=7, loss=loss))
    assert plan.nodes[-1].shape == (7, units)
    assert math.isfinite(analyse_flow(plan).results[0].log10_total)


def test_memory_refused_is_stated_as_asked_for_and_nothing_is_allocated() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=r"needs about [\d.]+ MiB .* the 16 MiB allowed"):
            flow(max_memory=16 << 20)
        (problem,) = flow(width=1_000_000).results[0].errors
        assert "needs about 14.6 TiB of memory" in problem.message  # 10^12 weights and gradients
        assert "more than the 2 GiB allowed" in problem.message
        huge = {"dense": {"units": 10**9}}
        for loss in ("mse", "binary_cross_entropy", "cross_entropy"):
            spec = {"gradcli": 1, "data": DATA, "network": [{"dense": 3}, huge], "loss": loss}
            (problem,) = flow(spec, max_memory=1 << 20).results[0].errors
            assert problem.code == "SP016"
            assert "more than the 1 MiB allowed" in problem.message
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_data_and_weights_from_files_count_towards_the_memory(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"dense_1.weight": np.zeros((64, 64))})
    np.savez(tmp_path / "x.npz", x=np.zeros((64, 64)))
    own = {"data": {"inputs": {"shape": [4, 64]}, "targets": "auto"}}
    files = (
        {**own, "weights": str(tmp_path / "w.npz")},
        {"data": {"file": str(tmp_path / "x.npz"), "inputs": "x", "targets": "auto"}},
    )
    for part in files:
        spec = {"gradcli": 1, **part, "network": [{"dense": 64}, {"dense": 1}], "loss": "mse"}
        errors = flow(spec, max_memory=32_000).results[0].errors
        assert {problem.code for problem in errors} == {"SP016"}
        assert flow(spec, max_memory=1 << 20, seeds=1).results[0].errors == ()
