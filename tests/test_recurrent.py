"""Recurrent layers: PyTorch's parameters and outputs, gradients through time, kinks inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.core.op import Initializer, Layer
from gradcli.core.registry import CATALOGUE
from gradcli.engine.cost import Costs
from gradcli.engine.model import Model
from gradcli.errors import SpecError
from gradcli.spec import load_plan

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
KINDS = list(GATES)


def spec_of(network: list[Any], shape: list[int], loss: Any = "mse", **more: Any) -> Any:
    data = {"inputs": {"shape": shape}, "targets": "auto"}
    return {"gradcli": 1, "data": data, "network": network, "loss": loss, **more}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [[4], [4, 3], [4, 3, 2, 2]])
def test_inputs_are_sequences(kind: str, shape: list[int]) -> None:
    with pytest.raises(SpecError) as caught:
        gradcli.load(spec_of([{kind: 5}], shape))
    (problem,) = caught.value.errors
    assert problem.code == "SP012"
    expected = f"{kind}_1: needs inputs (batch, time, features), got shape {tuple(shape)}"
    assert problem.message == expected


@pytest.mark.parametrize("kind", KINDS)
def test_all_parameters_are_drawn_as_torch_draws_them(kind: str) -> None:
    """Uniform on ±1/√units, whatever the number of features."""
    model = gradcli.load(spec_of([{kind: 25}], [2, 3, 400]))
    outputs = 25 * GATES[kind]
    shapes = {name: value.shape for name, value in model.parameters.items()}
    assert shapes == {
        f"{kind}_1.weight_ih": (outputs, 400),
        f"{kind}_1.weight_hh": (outputs, 25),
        f"{kind}_1.bias_ih": (outputs,),
        f"{kind}_1.bias_hh": (outputs,),
    }
    for value in model.parameters.values():
        assert 0.19 * (1 - 10 / value.size) < np.abs(value).max() < 0.2
        assert value.std() == pytest.approx(0.2 / np.sqrt(3), rel=4 / np.sqrt(value.size))


def test_other_initializers_go_by_the_shape_of_what_they_draw() -> None:
    entry = {"lstm": {"units": 20, "init": "lecun_normal"}}
    model = gradcli.load(spec_of([entry], [2, 3, 500]))
    assert model.parameters["lstm_1.weight_ih"].std() == pytest.approx(500**-0.5, rel=0.02)
    assert model.parameters["lstm_1.weight_hh"].std() == pytest.approx(20**-0.5, rel=0.1)
    assert not model.parameters["lstm_1.bias_ih"].any()
    own = CATALOGUE.find("pytorch_default", Initializer)
    assert own is not None
    assert own.pytorch_fan


def test_a_linear_recurrence_by_hand() -> None:
    """In h_t = w·h_{t-1} + u·x_t all is positive: ∂h_3/∂w = h_2 + w·h_1 + w²·h_0, h_0 = 0."""
    spec = spec_of([{"rnn": {"units": 1, "activation": "relu", "output": "last"}}], [1, 3, 1])
    spec["data"] = {"inputs": {"values": [[[1], [2], [5]]]}, "targets": {"values": [[0]]}}
    model = gradcli.load(spec)
    w, u, b = 0.5, 3.0, 0.25
    for name, value in {"weight_ih": u, "weight_hh": w, "bias_ih": b, "bias_hh": 0.0}.items():
        model.parameters[f"rnn_1.{name}"][...] = value
    h = [3.25, 7.875, 19.1875]
    value, gradients = model.value_and_grad()
    assert value == h[2] ** 2
    slope = 2 * h[2]
    np.testing.assert_allclose(gradients["inputs"][0, :, 0], slope * u * np.array([w * w, w, 1]))
    assert gradients["rnn_1.weight_hh"].item() == pytest.approx(slope * (h[1] + w * h[0]))
    assert gradients["rnn_1.weight_ih"].item() == pytest.approx(slope * (5 + w * 2 + w * w))
    for name in ("bias_ih", "bias_hh"):
        assert gradients[f"rnn_1.{name}"].item() == pytest.approx(slope * (1 + w + w * w))


def test_the_last_output_is_that_of_the_sequence() -> None:
    for kind in KINDS:
        models = [
            gradcli.load(spec_of([{kind: {"units": 3, "output": output}}], [2, 4, 5]))
            for output in ("sequence", "last")
        ]
        sequence, last = (model.forward().slots[-1] for model in models)
        np.testing.assert_array_equal(sequence[:, -1], last)


def test_the_cell_of_an_lstm_carries_a_gradient_where_a_plain_state_loses_it() -> None:
    """With open forget gates the gradient of the first input survives 200 steps."""

    def first(kind: str) -> float:
        model = gradcli.load(spec_of([{kind: {"units": 4, "output": "last"}}], [2, 200, 3]))
        if kind == "lstm":
            model.parameters["lstm_1.bias_ih"][4:8] = 12.0
            model.parameters["lstm_1.weight_hh"][...] *= 0.1
        _, gradients = model.value_and_grad()
        return float(np.abs(gradients["inputs"][:, 0]).max())

    assert first("lstm") > 1e-4
    assert first("rnn") < 1e-30


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_sequences_through_deep_networks_pass(kind: str, dtype: str) -> None:
    entry = {kind: {"units": 4, **({"activation": "relu"} if kind == "rnn" else {})}}
    network = [
        {"dense": 5},
        "layer_norm",
        entry,
        {"dropout": 0.2},
        {"residual": [entry, "tanh"]},
        {kind: {"units": 3, "output": "last"}},
        {"dense": 3},
    ]
    report = gradcli.check(spec_of(network, [4, 5, 3], "cross_entropy", dtype=dtype))
    assert report.verdict == "pass", report
    assert all(tensor.checked == tensor.entries for tensor in report.tensors)
    by_step = gradcli.check(spec_of([entry, {"dense": 3}], [4, 5, 3], "cross_entropy", dtype=dtype))
    assert by_step.verdict == "pass", by_step


def relu_network(dtype: str, output: str) -> Model:
    entry = {"rnn": {"units": 3, "activation": "relu", "output": output}}
    return gradcli.load(spec_of([entry, {"dense": 2}], [3, 4, 3], dtype=dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("output", ["sequence", "last"])
def test_units_at_a_kink_inside_a_layer_pass(dtype: str, output: str) -> None:
    """Zero weights or zero inputs put every unit of every step there."""
    model = relu_network(dtype, output)
    for name in list(model.parameters)[:4]:
        model.parameters[name][...] = 0.0
    report = gradcli.check(model)
    assert report.verdict == "pass", report

    model = relu_network(dtype, output)
    model.inputs["inputs"][...] = 0.0
    model.parameters["rnn_1.bias_ih"][...] = 0.0
    model.parameters["rnn_1.bias_hh"][...] = 0.0
    report = gradcli.check(model)
    assert report.verdict == "pass", report


def between_two_branches(output: str, dtype: str = "float32") -> Model:
    """Sums such as 0.1 + 0.2 - 0.3, of which rounding decides on which side of zero they fall."""
    model = relu_network(dtype, output)
    weights = [[0.1, 0.2, -0.3], [-0.1, -0.2, 0.3], [0.3, 0.3, -0.6]]
    model.parameters["rnn_1.weight_ih"][...] = weights
    model.parameters["rnn_1.bias_ih"][...] = 0.0
    model.parameters["rnn_1.bias_hh"][...] = 0.0
    model.inputs["inputs"][...] = np.array([1.0, 3.0, 7.0])[:, None, None]
    return model


@pytest.mark.parametrize("output", ["sequence", "last"])
def test_a_branch_that_rounding_decides_inside_a_layer_passes(output: str) -> None:
    """In float32 some units are on, of which the float64 of the numeric side says off."""
    report = gradcli.check(between_two_branches(output))
    assert report.verdict == "pass", report
    (kink,) = [found for found in report.findings if found.code == "GC201"]
    assert kink.where == "rnn_1"
    assert {len(unit) for unit in kink.data["units"]} == {3}  # row, step, unit
    assert gradcli.check(between_two_branches(output, "float64")).verdict == "pass"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_mistake_beside_such_a_branch_is_caught(dtype: str) -> None:
    """What the last digits of a weight do to the branches is not what rounding does to a slope.

    The order in which a product is summed differs between versions of BLAS, and with it, in
    float64, whether any unit is left whose slope is sure: nothing is green then either.
    """
    model = between_two_branches("sequence", dtype)
    node = model.plan.nodes[0]
    correct = node.op.function

    def wrong(x: Any, **more: Any) -> Any:
        y, pull = correct(x, **more)
        return y, lambda g: (1.01 * pull(g)[0], pull(g)[1])

    nodes = (node.replace(op=node.op.replace(function=wrong)), *model.plan.nodes[1:])
    mistaken = Model(model.plan.replace(nodes=nodes))
    mistaken.parameters.update(model.parameters)
    mistaken.inputs.update(model.inputs)
    report = gradcli.check(mistaken)
    assert report.verdict in {"float32": {"fail"}, "float64": {"fail", "inconclusive"}}[dtype], (
        report
    )
    assert {tensor.name for tensor in report.tensors if tensor.verdict != "pass"} == {"inputs"}


@pytest.mark.torch
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_of_torch_give_the_outputs_of_torch(
    kind: str, layers: int, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(3)
    module = getattr(torch.nn, kind.upper())(5, 4, layers, batch_first=True, dtype=torch.float64)
    x = torch.randn(6, 7, 5, dtype=torch.float64, requires_grad=True)
    y, _ = module(x)
    (y**2).mean().backward()
    own = {
        f"{kind}_{1 + int(name[-1])}.{name[:-3]}": value
        for name, value in module.named_parameters()
    }
    np.savez(tmp_path / "w.npz", **{name: value.detach().numpy() for name, value in own.items()})
    spec = spec_of([{kind: 4}] * layers, [6, 7, 5], weights=tmp_path / "w.npz")
    inputs = {"values": x.detach().numpy()}
    spec["data"] = {"inputs": inputs, "targets": {"values": np.zeros(y.shape)}}
    model = gradcli.load(spec)
    expected = y.detach().numpy()
    np.testing.assert_allclose(model.forward().slots[-1], expected, rtol=0, atol=1e-14)
    _, gradients = model.value_and_grad()
    np.testing.assert_allclose(gradients["inputs"], x.grad.numpy(), rtol=0, atol=1e-15)
    for name, value in own.items():
        np.testing.assert_allclose(gradients[name], value.grad.numpy(), rtol=0, atol=1e-14)


def test_what_is_kept_for_the_way_back_counts_as_memory_and_work() -> None:
    spec = spec_of([{"lstm": {"units": 50, "output": "last"}}], [10, 30, 5])
    plan = load_plan(spec)
    gates = 10 * 30 * 4 * 50
    assert plan.nodes[0].kept > 2 * gates
    assert plan.memory > 8 * plan.nodes[0].kept
    products = 10 * 30 * 4 * 50 * (5 + 50)
    assert Costs(Model(plan).network).nodes[0] > products + plan.nodes[0].kept
    with pytest.raises(SpecError, match="SP016"):
        load_plan(spec, max_memory=8 * gates)


@pytest.mark.parametrize("kind", KINDS)
def test_flow_takes_sequences(kind: str) -> None:
    network = [{kind: 4}, {kind: {"units": 4, "output": "last"}}, {"dense": 1}]
    result = gradcli.flow(spec_of(network, [3, 5, 2]), seeds=2).results[0]
    assert [layer.name for layer in result.layers] == [f"{kind}_1", f"{kind}_2"]
    assert np.isfinite(result.log10_total)
    assert not [found for found in result.findings if found.code in ("GF105", "GF106")]
    if kind == "rnn":
        assert result.log10_total < result.log10_bound < np.inf


def test_every_recurrent_layer_is_tried_here() -> None:
    ops = CATALOGUE.all(Layer)
    assert {op.name for op in ops if op.param("output") is not None} == set(KINDS)
