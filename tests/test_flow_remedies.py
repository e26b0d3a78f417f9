"""Remedies: each is the change that it says, measured, and the best of them mend the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.flow import FlowOptions, analyse_flow
from gradcli.analysis.flow.clipping import clipping_of
from gradcli.analysis.flow.report import FlowResult, Remedy
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.op import Activation, Layer
from gradcli.core.registry import CATALOGUE
from gradcli.engine.model import Model
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan
from gradcli.spec.rewrite import Insertion, with_insertions, with_op

SMALL = {"width": 48, "batch": 32, "seeds": 3}

UNHEALTHY: dict[str, dict[str, Any]] = {
    "sigmoid": {"depth": 20, "activation": "sigmoid"},
    "pytorch_default": {"depth": 20, "init": "pytorch_default"},
    "gain 2": {"depth": 20, "gain": 2.0},
    "tanh, small weights": {"depth": 20, "activation": "tanh", "gain": 0.5},
}


def flow_of(**network: Any) -> FlowResult:
    (result,) = gradcli.flow(**{**SMALL, **network}).results
    return result


def remedy_of(result: FlowResult, start: str) -> Remedy:
    return next(remedy for remedy in result.remedies if remedy.change.startswith(start))


@pytest.mark.parametrize("name", UNHEALTHY)
def test_at_least_one_remedy_turns_the_verdict_on_every_draw(name: str) -> None:
    result = flow_of(**UNHEALTHY[name])
    assert result.verdict in ("vanishing", "exploding")
    best = result.remedies[0]
    assert (best.verdict, best.draws) == ("healthy", 3)
    assert abs(best.log10_total) < abs(result.log10_total)
    order = {"healthy": 0, "undetermined": 1, "vanishing": 2, "exploding": 2}
    ranks = [order[remedy.verdict] for remedy in result.remedies]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("start", "network"),
    [
        ("init: orthogonal", {"init": "orthogonal"}),
        ("init: he_normal", {"init": "he_normal"}),
        ("activation: relu, init: he_normal", {"activation": "relu", "init": "he_normal"}),
        ("activation: selu, init: lecun_normal", {"activation": "selu", "init": "lecun_normal"}),
    ],
)
def test_a_remedy_is_what_that_network_measures(start: str, network: dict[str, Any]) -> None:
    """The same draws under the same names, so the same total to the last digits."""
    ill = {"depth": 12, "activation": "sigmoid"}
    remedy = remedy_of(flow_of(**ill), start)
    alone = flow_of(**{**ill, **network}, remedies=False)
    assert remedy.log10_total == pytest.approx(alone.log10_total, rel=1e-12)


def test_the_solved_gain_is_that_of_he_for_relu() -> None:
    result = flow_of(**UNHEALTHY["pytorch_default"])
    solved, he = remedy_of(result, "weights: std"), remedy_of(result, "init: he_normal")
    assert solved.log10_total == pytest.approx(he.log10_total, rel=1e-9)


def test_a_residual_remedy_grows_as_the_theory_says() -> None:
    """Branches scaled by 1/sqrt(L) give e in squared norm whatever the depth; see Fixup."""
    ill = {"depth": 40, "width": 128, "activation": "relu", "gain": 1.0, "init": "xavier_normal"}
    remedy = remedy_of(flow_of(**ill, threshold=1.0), "residual blocks, scale")
    assert abs(remedy.log10_total) < 0.5


def test_a_healthy_network_needs_none_and_they_can_be_left_out() -> None:
    assert not flow_of(depth=10).remedies
    ill = flow_of(**UNHEALTHY["sigmoid"], remedies=False)
    assert (ill.remedies, ill.remedies_untried) == ((), False)


def test_what_would_take_long_is_not_measured_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gradcli.analysis.flow.remedies._BUDGET", 1.0)
    assert flow_of(**UNHEALTHY["sigmoid"]).remedies_untried
    assert flow_of(**UNHEALTHY["sigmoid"], remedies=True).remedies


def test_given_weights_are_not_drawn_in_another_way() -> None:
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [16, 8]}, "targets": "auto"},
        "network": [{"repeat": {"times": 12, "layers": [{"dense": 8}, "sigmoid"]}}, {"dense": 1}],
        "loss": "mse",
    }
    plan = load_plan(spec)
    model = Model(plan)
    plan = plan.replace(weights=dict(model.parameters))
    (result,) = analyse_flow(plan, FlowOptions(seeds=1, remedies=True)).results
    assert result.remedies
    assert not [r for r in result.remedies if "init" in r.change or "weights" in r.change]


def test_clipping_keeps_or_turns_the_direction() -> None:
    assert flow_of(**UNHEALTHY["gain 2"]).clipping is not None
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [16, 8], "std": 100.0}, "targets": "auto"},
        "network": [{"dense": 8}, "relu", {"dense": 1}],
        "loss": "mse",
    }
    found = clipping_of(load_plan(spec))
    assert found is not None
    model = gradcli.load(spec)
    _, gradients = model.value_and_grad()
    g = np.concatenate([gradients[name].ravel() for name in model.parameters])
    clipped = np.clip(g, -1, 1)
    assert found.norm_factor == pytest.approx(1 / np.linalg.norm(g))
    assert found.clipped == np.mean(np.abs(g) > 1)
    cosine = g @ clipped / np.linalg.norm(g) / np.linalg.norm(clipped)
    assert found.cosine == pytest.approx(cosine)


def small_plan() -> Plan:
    return load_plan(
        {
            "gradcli": 1,
            "data": {"inputs": {"shape": [6, 4]}, "targets": "auto"},
            "network": [{"dense": 4}, "prelu", {"dense": 4}, "tanh", {"dense": 2}],
            "loss": "mse",
        }
    )


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "residual"])
def test_a_rewritten_network_has_right_gradients(name: str) -> None:
    op = CATALOGUE.find(name, Layer)
    assert op is not None
    reads = {0: (0, 1), 2: (2, 3)} if name == "residual" else {0: (1,), 2: (3,)}
    plan = with_insertions(
        small_plan(),
        {at: Insertion(op, {**op.defaults()}, slots) for at, slots in reads.items()},
    )
    assert [node.op.name for node in plan.nodes].count(name) == 2
    assert check_plan(plan, CheckOptions()).verdict == "pass"


def test_an_exchanged_activation_takes_its_parameters_along() -> None:
    relu, prelu = CATALOGUE.find("relu", Activation), CATALOGUE.find("prelu", Activation)
    assert relu is not None
    assert prelu is not None
    without = with_op(small_plan(), [1], relu, relu.defaults())
    assert "prelu_1.weight" not in without.parameters
    both = with_op(small_plan(), [3], prelu, prelu.defaults())
    assert "tanh_1.weight" in both.parameters
    for plan in (without, both):
        assert check_plan(plan, CheckOptions()).verdict == "pass"
