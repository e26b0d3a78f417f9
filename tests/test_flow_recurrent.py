"""Flow over time: the norms of states' gradients, step by step, and what drives them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.flow import analyse_flow, build_network
from gradcli.analysis.flow.gates import KEEPING
from gradcli.analysis.flow.remedies_over_time import changes_over_time
from gradcli.analysis.flow.report import FlowResult
from gradcli.engine.model import Model
from gradcli.errors import UsageError
from gradcli.ops import recurrent
from gradcli.report.flow_words import measures_of
from gradcli.report.render import text_report
from gradcli.report.surface import Surface
from gradcli.spec import load_plan


def spec_of(layer: dict[str, Any], steps: int) -> dict[str, Any]:
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [6, steps, 3]}, "targets": "auto"},
        "network": [layer, {"dense": 1}],
        "loss": "mse",
    }


def over_time(layer: dict[str, Any], steps: int = 12, **more: Any) -> FlowResult:
    options = {"seeds": 2, "remedies": False, **more}
    (result,) = gradcli.flow(spec_of(layer, steps), **options).results
    return result


def norms_of(result: FlowResult) -> list[float]:
    return [
        result.log10_input_gradient_norm,
        *(layer.log10_gradient_norm for layer in result.layers),
    ]


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_norms_are_those_of_the_steps_multiplied_by_hand(activation: str) -> None:
    """∂L/∂h_{t-1} = W_hhᵀ (f'(z_t) ⊙ ∂L/∂h_t), one product after the other."""
    entry = {"rnn": {"units": 5, "activation": activation, "output": "last"}}
    result = over_time(entry, steps=9)
    model = Model(
        load_plan(
            {
                "gradcli": 1,
                "data": {"inputs": {"shape": [6, 9, 3]}, "targets": "auto"},
                "network": [entry, {"dense": 1}],
                "loss": "mse",
            }
        )
    )
    p = {name.split(".")[1]: w for name, w in model.parameters.items() if name.startswith("rnn")}
    x, y = model.inputs["inputs"], model.targets["targets"]
    h, slopes = np.zeros((6, 5)), []
    for t in range(9):
        z = x[:, t] @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
        h = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        slopes.append(1 - h**2 if activation == "tanh" else (z > 0).astype(float))
    w, b = model.parameters["dense_1.weight"], model.parameters["dense_1.bias"]
    g = 2 * (h @ w.T + b - y.reshape(6, 1)) / 6 @ w
    expected = [math.log10(np.linalg.norm(g))]
    for slope in slopes[:0:-1]:
        g = (slope * g) @ p["weight_hh"]
        expected.append(math.log10(np.linalg.norm(g)))
    assert norms_of(result) == pytest.approx(expected[::-1], abs=1e-9)


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_norms_are_those_of_pytorch(kind: str) -> None:
    """The product of the steps' Jacobians, each from PyTorch's own cell."""
    torch = pytest.importorskip("torch")
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [6, 12, 3]}, "targets": "auto"},
        "network": [{kind: {"units": 5, "output": "last"}}, {"dense": 1}],
        "loss": "mse",
    }
    (result,) = gradcli.flow(spec, seeds=1, remedies=False).results
    model = gradcli.load(spec)
    cell = getattr(torch.nn, {"rnn": "RNNCell", "lstm": "LSTMCell", "gru": "GRUCell"}[kind])(3, 5)
    cell.double()
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter.copy_(torch.tensor(model.parameters[f"{kind}_1.{name}"]))
    x = torch.tensor(model.inputs["inputs"])
    zero = torch.zeros(6, 5, dtype=torch.float64)
    states = [(zero, zero) if kind == "lstm" else (zero,)]

    def step(t: int, state: tuple[Any, ...]) -> tuple[Any, ...]:
        made = cell(x[:, t], state if kind == "lstm" else state[0])
        return made if kind == "lstm" else (made,)

    for t in range(12):
        states.append(tuple(part.detach() for part in step(t, states[-1])))
    w = torch.tensor(model.parameters["dense_1.weight"])
    b = torch.tensor(model.parameters["dense_1.bias"])
    target = torch.tensor(model.targets["targets"]).reshape(6, 1)
    last = states[-1][0].requires_grad_()
    loss = torch.nn.functional.mse_loss(last @ w.T + b, target)
    g = [*torch.autograd.grad(loss, last), *(torch.zeros_like(part) for part in states[-1][1:])]
    expected = [math.log10(float(torch.cat(g, 1).norm()))]
    for t in range(11, 0, -1):
        before = tuple(part.requires_grad_() for part in states[t])
        g = list(torch.autograd.grad(step(t, before), before, g))
        expected.append(math.log10(float(torch.cat(g, 1).norm())))
    expected.reverse()
    assert norms_of(result) == pytest.approx(expected, abs=1e-9)


def test_the_bound_holds_and_gains_multiply_to_the_total() -> None:
    for seed in range(20):
        result = over_time({"rnn": {"units": 7, "output": "last"}}, seed=seed)
        assert result.log10_total <= result.log10_bound + 1e-9
        gains = math.fsum(math.log10(layer.gain) for layer in result.layers)
        assert gains == pytest.approx(result.log10_total, abs=1e-9)


def test_a_matrix_below_one_over_gamma_vanishes_for_certain() -> None:
    """Pascanu, Mikolov, Bengio 2013: σ_max < 1/γ is sufficient."""
    small = {"rnn": {"units": 16, "output": "last", "init": {"normal": 0.05}}}
    result = over_time(small, steps=20)
    assert result.recurrence is not None
    assert result.recurrence.slope_max is not None
    assert result.recurrence.weight_norm < 1 / result.recurrence.slope_max
    assert result.verdict == "vanishing"
    assert result.log10_bound < 0


def test_an_orthogonal_matrix_in_the_linear_range_keeps_the_gradient() -> None:
    entry = {"rnn": {"units": 16, "output": "last", "init": "orthogonal"}}
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [6, 30, 16], "std": 1e-4}, "targets": "auto"},
        "network": [entry, {"dense": 1}],
        "loss": "mse",
    }
    (result,) = gradcli.flow(spec, seeds=2).results
    assert result.verdict == "healthy"
    assert result.log10_total == pytest.approx(0, abs=1e-5)


def test_gates_say_how_open_they_are() -> None:
    recurrence = over_time({"lstm": {"units": 4, "output": "last", "init": "zeros"}}).recurrence
    assert recurrence is not None
    gates = recurrence.gates
    assert {gate.name: gate.mean for gate in gates} == {"input": 0.5, "forget": 0.5, "output": 0.5}
    assert {gate.shut + gate.open for gate in gates} == {0.0}


def test_remedies_over_time_are_measured() -> None:
    layer = {"rnn": {"units": 32, "output": "last"}}
    result = over_time(layer, steps=40, seeds=5, remedies=True)
    assert result.verdict == "vanishing"
    changes = {remedy.change: remedy.log10_total for remedy in result.remedies}
    assert changes["init of the recurrent weights: orthogonal"] > result.log10_total
    assert {"lstm for rnn", "gru for rnn"} <= set(changes)


@pytest.mark.parametrize(
    ("built", "change"),
    [
        ({"arch": "lstm"}, "bias of the forget gates: +3.4"),
        ({"arch": "gru"}, "bias of the update gates: +3.4"),
        ({"arch": "rnn", "activation": "tanh"}, "recurrent weights: std 1."),
        ({"arch": "rnn", "activation": "relu"}, "recurrent weights: std 1.414/"),
    ],
)
def test_open_gates_or_critical_weights_keep_the_gradient(
    built: dict[str, Any], change: str
) -> None:
    """Of each layer as PyTorch draws it, over 30 steps."""
    (result,) = gradcli.flow(**built, depth=30, width=48, batch=8, seeds=3).results
    assert result.verdict == "vanishing"
    best = result.remedies[0]
    assert best.change.startswith(change)
    assert (best.verdict, best.draws) == ("healthy", 3)
    assert result.cause is not None
    (found,) = (found for found in result.findings if found.code == "GF101")
    if built["arch"] == "rnn":
        assert result.cause.name == "weights"
        assert "the cause is the weights" in found.message
        assert "a step" in found.message
    else:
        assert result.cause.name == "gates"
        assert "gates, which hand the state on from step to step, are open by 50%" in found.message


@pytest.mark.parametrize("arch", ["lstm", "gru"])
def test_the_gate_that_is_opened_is_the_one_that_keeps_the_state(arch: str) -> None:
    """The change is run again, and its gate is looked at; the others stay as they were."""
    spec = build_network(arch=arch, depth=30, width=16, batch=8)
    plan = load_plan(spec)
    opened = next(each for each in changes_over_time(plan, 0) if each.text.startswith("bias"))
    before, after = (
        {gate.name: gate.mean for gate in analyse_flow(each).results[0].recurrence.gates}
        for each in (plan, opened.plan)
    )
    keeping = KEEPING[arch]
    # σ(ln 30) = 30/31
    assert after.pop(keeping) == pytest.approx(30 / 31, abs=0.01)
    assert before.pop(keeping) == pytest.approx(0.5, abs=0.05)
    assert after == pytest.approx(before, abs=0.1)


def test_what_a_spec_states_is_not_drawn_anew(tmp_path: Path) -> None:
    spec = build_network(arch="lstm", depth=30, width=8, batch=4)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    model = gradcli.load(spec)
    stated = {f"lstm_1.{name}": model.parameters[f"lstm_1.{name}"] for name in names}
    np.savez(tmp_path / "weights.npz", **stated)
    plan = load_plan({**spec, "weights": str(tmp_path / "weights.npz")})
    assert list(changes_over_time(plan, 0)) == []


def test_what_steps_do_not_have_is_no_number() -> None:
    result = over_time({"rnn": {"units": 5, "output": "last"}})
    assert all(math.isnan(layer.dead) and math.isnan(layer.saturated) for layer in result.layers)
    headings = {measure.heading for measure in measures_of(result)}
    assert {"gradient", "gain", "product"} <= headings
    assert not headings & {"dead", "saturated"}


def test_a_recurrent_layer_among_others_is_shown_by_itself_too() -> None:
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [6, 8, 3]}, "targets": "auto"},
        "network": [{"dense": 4}, "tanh", {"gru": 5}, {"dense": 4}, "tanh", {"dense": 1}],
        "loss": "mse",
    }
    results = gradcli.flow(spec, seeds=1, remedies=False).results
    assert [result.recurrence is not None for result in results] == [False, True]
    assert results[1].name.endswith("gru_1 over time")


def test_a_verdict_that_depends_on_the_draw_says_so() -> None:
    (result,) = gradcli.flow(
        arch="rnn", depth=10, width=16, batch=8, seeds=2, remedies=False
    ).results
    assert result.verdict == "undetermined"
    assert [found.code for found in result.findings if found.severity != "note"] == ["GF108"]
    assert "depends on the seed" in result.findings[0].message


@pytest.mark.parametrize("arch", ["rnn", "lstm", "gru"])
def test_the_builder_counts_time_steps(arch: str) -> None:
    report = gradcli.flow(arch=arch, depth=15, width=8, seeds=1, remedies=False)
    (result,) = report.results
    assert result.depth == 14
    assert len(report.to_dict()["results"][0]["layers"]) == 14


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "lstn"}, "did you mean lstm"),
        ({"arch": "dense"}, "expected one of mlp, rnn, lstm, gru"),
        ({"arch": "lstm", "activation": "tanh"}, "has gates of its own"),
        ({"arch": "gru", "residual": True}, "residual: expected depth, width, init,"),
        ({"arch": "rnn", "norm": "batch"}, "norm: expected depth, width, activation, init,"),
    ],
)
def test_what_a_recurrent_network_has_not_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gradcli.flow(**options)


def test_a_gradient_lost_on_the_way_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted is the pullback's own: with products halved, it shows at every step."""
    before = over_time({"rnn": {"units": 5, "output": "last"}}).log10_total
    product = recurrent.matmul
    monkeypatch.setattr(recurrent, "matmul", lambda a, b: product(a, b) / 2)
    after = over_time({"rnn": {"units": 5, "output": "last"}}).log10_total
    assert after < before - 1


@pytest.mark.parametrize("layer", [{"rnn": {"units": 4}}, {"gru": {"units": 4}}])
def test_a_sequence_of_one_step_has_nothing_to_lose(layer: dict[str, Any]) -> None:
    result = over_time(layer, steps=1)
    assert (result.verdict, result.depth, result.layers) == ("healthy", 0, ())
    assert result.log10_total == 0
    report = gradcli.flow(spec_of(layer, 1), seeds=2)
    text = text_report(report, Surface(), quiet=False, with_frames=True)
    assert "1 step\n" in text
    assert "nan" not in text + str(report)
