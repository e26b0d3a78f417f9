"""Layers in networks: shapes refused, buffers given and frozen, every entry checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.arrays import Array
from gradcli.core.op import Layer
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode, SpecError, SpecProblem
from gradcli.spec import load_plan
from gradcli.testing import Case, cases
from gradcli.testing.node_points import node_shapes

NORMS: list[Any] = [
    "batch_norm",
    {"batch_norm": {"mode": "eval"}},
    "layer_norm",
    {"layer_norm": {"affine": False}},
    "rms_norm",
]


def spec_of(network: list[Any], shape: list[int], loss: Any = "cross_entropy", **more: Any) -> Any:
    data = {"inputs": {"shape": shape}, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": network, "loss": loss, **more}


def problems_of(spec: Any) -> tuple[SpecProblem, ...]:
    with pytest.raises(SpecError) as caught:
        gradcli.load(spec)
    return caught.value.errors


def entry_of(case: Case) -> Any:
    """A layer as a spec writes it; its branches are a dense layer each."""
    options = {}
    for param in case.op.params:
        is_swept = case.options[param.name] if param.sweep else param.default
        options[param.name] = [{"dense": 4}, "tanh"] if param.kind == "layers" else is_swept
    return {case.op.name: options}


LAYERS = [case for op in CATALOGUE.all(Layer) for case in cases(op)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_every_entry_passes_alone_and_between_others(case: Case, dtype: str) -> None:
    for shape in node_shapes(case):
        layer = entry_of(case)
        for network in ([layer], ["tanh", layer, "relu", {"dense": 3}]):
            report = gradcli.check(spec_of(network, list(shape), "mse", dtype=dtype))
            assert report.verdict == "pass", report
            assert all(tensor.checked == tensor.entries for tensor in report.tensors)
            told = {f.code for f in report.findings if f.severity != "note"}
            assert told <= {"SP104"}, report  # that dropout is the last layer here


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_a_deep_normalized_network_passes(norm: Any, dtype: str) -> None:
    block = [{"dense": 6}, norm, "relu", {"dropout": 0.2}]
    network = [{"repeat": {"times": 3, "layers": block}}, "flatten", {"dense": 3}]
    for shape in ([8, 5], [4, 3, 5]):
        report = gradcli.check(spec_of(network, shape, dtype=dtype))
        assert report.verdict == "pass", report


def test_features_that_never_vary_pass() -> None:
    """Their variance is zero up to rounding, which a division by it would blow up."""
    rng = np.random.default_rng(0)
    for value in (0.0, 0.1, 7e7):
        x = rng.standard_normal((6, 4))
        x[:, 1] = value
        for norm in NORMS:
            spec = spec_of([norm, {"dense": 3}, "relu", {"dense": 2}], [6, 4])
            spec["data"]["inputs"] = {"values": x}
            report = gradcli.check(spec)
            assert report.verdict == "pass", (norm, value, str(report))


def test_batch_norm_by_hand() -> None:
    """Of the values 1, 3 and 8: mean 4, variance 26/3; of the loss Σy² the gradient is zero."""
    spec = spec_of([{"batch_norm": {"eps": 1e-300}}], [3, 1], "mse")
    spec["data"] = {"inputs": {"values": [[1], [3], [8]]}, "targets": {"values": [1, 0, 0]}}
    model = gradcli.load(spec)
    y = np.array([-3, -1, 4]) / np.sqrt(26 / 3)
    np.testing.assert_allclose(model.forward().slots[-1][:, 0], y, rtol=1e-15)
    # of -2·y_1/3, the part of the loss that is not constant
    expected = -2 / 3 / np.sqrt(26 / 3) * (np.array([1, 0, 0]) - 1 / 3 - y * y[0] / 3)
    _, gradients = model.value_and_grad()
    np.testing.assert_allclose(gradients["inputs"][:, 0], expected, rtol=0, atol=1e-15)
    assert gradients["batch_norm_1.weight"] == pytest.approx(2 / 3 * (3 - y[0]))
    assert gradients["batch_norm_1.bias"] == pytest.approx(-2 / 3)


@pytest.mark.parametrize(
    ("network", "shape", "said"),
    [
        (["batch_norm"], [1, 3], "batch_norm_1: needs more than one row in train mode"),
        (["batch_norm"], [1, 1, 3], "batch_norm_1: needs more than one row in train mode"),
        (["batch_norm"], [4], "batch_norm_1: needs inputs with rows and features, got shape (4,)"),
        (["layer_norm"], [4], "layer_norm_1: needs inputs with rows and features, got shape (4,)"),
        (["flatten"], [4], "flatten_1: needs inputs with rows and features, got shape (4,)"),
    ],
)
def test_shapes_that_do_not_fit(network: list[Any], shape: list[int], said: str) -> None:
    (problem,) = problems_of(spec_of(network, shape, "mse"))
    assert problem.code == "SP012"
    assert problem.message.startswith(said)


def test_one_row_is_enough_in_eval_mode_and_for_the_statistics_of_a_sequence() -> None:
    for network, shape in (([{"batch_norm": "eval"}], [1, 3]), (["batch_norm"], [1, 2, 3])):
        assert gradcli.check(spec_of(network, shape, "mse")).verdict == "pass"


@pytest.mark.parametrize("p", [-0.1, 1, 1.5])
def test_a_share_that_leaves_nothing_is_refused(p: float) -> None:
    (problem,) = problems_of(spec_of([{"dropout": p}], [4, 3], "mse"))
    assert (problem.code, problem.hint) == ("SP009", "expected a number at least 0 and below 1")


EVAL = [{"batch_norm": {"mode": "eval", "name": "norm"}}]


def given(tmp_path: Path, network: list[Any], **arrays: Any) -> Any:
    np.savez(tmp_path / "w.npz", **arrays)
    return spec_of(network, [5, 2], "mse", weights=tmp_path / "w.npz")


def test_statistics_are_zero_and_one_or_those_of_the_weights(tmp_path: Path) -> None:
    model = gradcli.load(spec_of(EVAL, [5, 2], "mse"))
    x = model.inputs["inputs"]
    assert set(model.buffers) == {"norm.running_mean", "norm.running_var"}
    assert set(model.parameters) == {"norm.weight", "norm.bias"}
    np.testing.assert_allclose(model.forward().slots[-1], x / np.sqrt(1 + 1e-5), rtol=1e-15)

    mean, variance = np.array([1.0, -2.0]), np.array([4.0, 0.25])
    arrays = {"norm.running_mean": mean, "norm.running_var": variance}
    spec = given(tmp_path, EVAL, **arrays)
    expected = (x - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(gradcli.load(spec).forward().slots[-1], expected, rtol=1e-14)
    assert gradcli.check(spec).verdict == "pass"
    assert gradcli.load(spec, dtype="float32").buffers["norm.running_var"].dtype == np.float32


@pytest.mark.parametrize(
    ("network", "arrays", "code", "message", "hint"),
    [
        (
            EVAL, {"norm.running_var": [1.0, -1.0]}, "SP009",
            "norm.running_var: the entry at [1] is -1", "expected at least 0",
        ),
        (
            EVAL, {"norm.running_mean": [1.0]}, "SP012",
            "norm.running_mean has shape [2], in", "",
        ),
        (
            EVAL, {"norm.runing_mean": [1.0, 0.0]}, "SP007",
            "'norm.runing_mean', which is no parameter", "did you mean norm.running_mean?",
        ),
        (
            ["batch_norm"], {"batch_norm_1.running_mean": [1.0, 0.0]}, "SP007",
            "'batch_norm_1.running_mean', which is no parameter", "",
        ),
    ],
)  # fmt: skip
def test_buffers_that_cannot_be(
    tmp_path: Path, network: list[Any], arrays: dict[str, Any], code: str, message: str, hint: str
) -> None:
    (problem,) = problems_of(given(tmp_path, network, **arrays))
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint


def test_a_mask_is_drawn_once_from_the_seed_of_the_model() -> None:
    spec = spec_of([{"dropout": 0.3}, {"dense": 200}, {"dropout": 0.3}, {"dense": 2}], [50, 200])
    first, again, other = (gradcli.load(spec, seed=seed) for seed in (1, 1, 2))
    masks = first.buffers
    assert set(masks) == {"dropout_1.mask", "dropout_2.mask"}
    for name, mask in masks.items():
        assert set(np.unique(mask)) == {0.0, 1.0}
        assert abs(mask.mean() - 0.7) < 6 * np.sqrt(0.21 / mask.size)
        np.testing.assert_array_equal(mask, again.buffers[name])
        np.testing.assert_array_equal(
            mask, gradcli.load(spec, seed=1, dtype="float32").buffers[name]
        )
        assert 0.3 < (mask != other.buffers[name]).mean() < 0.6
    assert 0.3 < (masks["dropout_1.mask"] != masks["dropout_2.mask"]).mean() < 0.6
    assert first.loss() == first.loss()
    value, gradients = first.value_and_grad()
    assert value == first.loss()
    dropped = masks["dropout_1.mask"] == 0
    assert not gradients["inputs"][dropped].any()
    assert gradients["inputs"][~dropped].all()


def test_a_mask_may_be_stated(tmp_path: Path) -> None:
    mask = np.array([[1, 0], [0, 0], [1, 1], [1, 0], [0, 1]])
    model = gradcli.load(given(tmp_path, [{"dropout": 0.5}], **{"dropout_1.mask": mask}))
    np.testing.assert_array_equal(model.forward().slots[-1], 2 * mask * model.inputs["inputs"])


def test_a_dropped_path_is_vacuous_not_wrong() -> None:
    spec = spec_of([{"dense": 3}, {"dropout": 0.999}, {"dense": 2}], [4, 3], "mse")
    report = gradcli.check(spec)
    assert report.verdict == "pass", report
    assert {"dense_1.weight", "inputs"} <= {t.name for t in report.tensors if t.vacuous}


def test_memory_counts_buffers_once() -> None:
    """Dropout has its mask, and keeps what multiplies the cotangent; neither has a gradient."""
    plain, masked = (
        load_plan(spec_of([layer], [100, 50], "mse")).memory for layer in ("tanh", {"dropout": 0.5})
    )
    assert masked - plain == 8 * (100 * 50 + 100 * 50)
    with pytest.raises(SpecError, match=r"buffers 39\.1 KiB") as caught:
        load_plan(spec_of([{"dropout": 0.5}], [100, 50], "mse"), max_memory=1000)
    (problem,) = caught.value.errors
    assert problem.hint == "dropout_1 alone needs 156 KiB"


def test_a_wrong_normalization_is_the_culprit_and_a_bug() -> None:
    """Forgetting that the variance depends on the inputs is the classic mistake."""
    plan = load_plan(
        spec_of([{"dense": 4}, "batch_norm", {"dropout": 0.2}, "tanh", {"dense": 3}], [6, 4])
    )
    op = plan.nodes[1].op

    def wrong(x: Array, *, parameters: Any, rank: int, eps: float, **options: Any) -> Any:
        y, pull = op.function(x, parameters=parameters, rank=rank, eps=eps, **options)

        def pullback(g: Array) -> Any:
            _, cotangents = pull(g)
            scale = parameters["weight"] / np.sqrt(x.var(axis=0) + eps)
            return scale * (g - g.mean(axis=0)), cotangents

        return y, pullback

    nodes = list(plan.nodes)
    nodes[1] = nodes[1].replace(op=op.replace(function=wrong))
    result = check_plan(plan.replace(nodes=tuple(nodes)), CheckOptions())
    assert result.exit_code == ExitCode.BUG
    errors = [found for found in result.findings if found.severity == "error"]
    assert {found.where for found in errors} == {"batch_norm_1"}
    consequences = {found.where for found in result.findings if found.code == "GC204"}
    assert consequences == {"dense_1.weight", "inputs"}


@pytest.mark.parametrize("entry", [*NORMS, {"dropout": 0.2}, "flatten"], ids=str)
def test_flow_counts_what_a_layer_does_to_a_gradient(entry: Any) -> None:
    block = [{"dense": 6}, entry, "tanh"]
    network = [{"repeat": {"times": 5, "layers": block}}, {"dense": 1}]
    result = gradcli.flow(spec_of(network, [8, 6], "mse"), seeds=2).results[0]
    assert len(result.layers) == 5
    assert np.isfinite(result.log10_total)
    assert np.isfinite(result.log10_bound)
    assert result.log10_total <= result.log10_bound
    assert not [found for found in result.findings if found.code in ("GF105", "GF106")]


def test_the_bound_counts_the_largest_weight_over_the_smallest_deviation(tmp_path: Path) -> None:
    arrays = {"norm.running_var": [4.0, 0.25], "norm.weight": [5.0, -1.0]}
    spec = given(tmp_path, [{"dense": 2}, *EVAL, "identity", {"dense": 1}], **arrays)
    alone = gradcli.flow(spec_of([{"dense": 2}, {"dense": 1}], [5, 2], "mse"), seeds=1)
    result = gradcli.flow(spec, seeds=1).results[0]
    factor = max(5 / np.sqrt(4 + 1e-5), 1 / np.sqrt(0.25 + 1e-5))
    assert result.log10_bound - alone.results[0].log10_bound == pytest.approx(np.log10(factor))
