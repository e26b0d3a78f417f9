"""Networks with several heads: value, gradients, products with the Jacobian, and the check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.core.arrays import Array
from gradcli.core.op import Loss, Weighting
from gradcli.core.registry import CATALOGUE
from gradcli.engine.model import INPUTS, Model
from gradcli.errors import ExitCode
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

SPEC: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [7, 4]}, "targets": "auto"},
    "network": {
        "trunk": [{"dense": 5}, "tanh"],
        "heads": {
            "depth": [{"dense": 4}, "swish", {"dense": 1}],
            "label": [{"dense": {"units": 3, "init": "pytorch_default"}}],
        },
    },
    "loss": {
        "multi_task": {
            "weighting": "uncertainty",
            "tasks": {"depth": {"loss": {"huber": {"delta": 0.7}}, "weight": 0.5},
                      "label": {"loss": "cross_entropy"}},
        }
    },
}  # fmt: skip


def spec(**changes: Any) -> dict[str, Any]:
    """The spec with its tasks or weighting changed."""
    changed = copy.deepcopy(SPEC)
    for head in ("depth", "label"):
        if head in changes:
            changed["loss"]["multi_task"]["tasks"][head] = changes.pop(head)
    if "weighting" in changes:
        changed["loss"]["multi_task"]["weighting"] = changes.pop("weighting")
    return {**changed, **changes}


def moved(model: Model, **log_variances: float) -> Model:
    for task, value in log_variances.items():
        model.parameters[f"loss.log_variance.{task}"][...] = value
    return model


def losses_alone(model: Model) -> dict[str, float]:
    """Each task's own loss, by hand."""
    slots = model.forward().slots
    p, z = (slots[model.plan.outputs[head]] for head in ("depth", "label"))
    r = np.abs(p - model.targets["depth"])
    huber = np.where(r <= 0.7, r**2 / 2, 0.7 * (r - 0.35)).mean()
    log_probabilities = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    entropy = -log_probabilities[np.arange(7), model.targets["label"]].mean()
    return {"depth": float(huber), "label": float(entropy)}


def errors(report: CheckReport | SpecResult) -> list[tuple[str, str]]:
    return [(found.where, found.code) for found in report.findings if found.severity == "error"]


def test_uncertainty_is_the_weighted_sum_that_it_says() -> None:
    model = moved(gradcli.load(SPEC), depth=0.3, label=-0.4)
    alone = losses_alone(model)
    expected = 0.5 * (np.exp(-0.3) * alone["depth"] + 0.3) + np.exp(0.4) * alone["label"] - 0.4
    value, gradients = model.value_and_grad()
    assert value == pytest.approx(expected, rel=1e-14)
    slopes = {
        "depth": 0.5 * (1 - np.exp(-0.3) * alone["depth"]),
        "label": 1 - np.exp(0.4) * alone["label"],
    }
    for task, slope in slopes.items():
        assert gradients[f"loss.log_variance.{task}"] == pytest.approx(slope, rel=1e-13)


def test_the_optimal_variance_is_the_loss() -> None:
    """The course notes have its square root; and weights move no optimum."""
    model = gradcli.load(SPEC)
    alone = losses_alone(model)
    moved(model, **{task: np.log(loss) for task, loss in alone.items()})
    _, gradients = model.value_and_grad()
    for task in alone:
        assert abs(gradients[f"loss.log_variance.{task}"][0]) < 1e-15


@pytest.mark.parametrize("weighting", ["manual", "gradnorm", "dynamic"])
def test_other_weightings_are_constants_within_a_step(weighting: str) -> None:
    model = gradcli.load(spec(weighting=weighting))
    alone = losses_alone(model)
    assert model.loss() == pytest.approx(0.5 * alone["depth"] + alone["label"], rel=1e-14)
    assert set(model.parameters) == {n for n in model.parameters if not n.startswith("loss")}
    assert gradcli.check(model).passed


def test_one_head_with_one_task_is_its_loss() -> None:
    layers, tasks = [{"dense": 2}], {"tasks": {"d": "mse"}}
    one = gradcli.load({**SPEC, "network": layers, "loss": "mse"})
    headed = {"network": {"heads": {"d": layers}}, "loss": {"multi_task": tasks}}
    other = gradcli.load({**SPEC, **headed})
    other.targets["d"][...] = one.targets["targets"]
    for name, array in one.parameters.items():
        other.parameters[f"d.{name}"][...] = array
    value, gradients = one.value_and_grad()
    other_value, other_gradients = other.value_and_grad()
    assert other_value == value
    for name in one.parameters:
        np.testing.assert_array_equal(other_gradients[f"d.{name}"], gradients[name])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weighting", ["manual", "uncertainty"])
def test_the_check_passes(weighting: str, dtype: str) -> None:
    report = gradcli.check(spec(weighting=weighting, dtype=dtype))
    assert report.verdict == "pass", report
    kinds = {tensor.name: tensor.kind for tensor in report.tensors}
    learned = [name for name, kind in kinds.items() if kind == "loss-parameter"]
    assert learned == ["loss.log_variance.depth", "loss.log_variance.label"] * (
        weighting == "uncertainty"
    )
    assert all(tensor.checked == tensor.entries for tensor in report.tensors)
    assert all(tensor.grade == "excellent" or dtype == "float32" for tensor in report.tensors)


@pytest.mark.parametrize("seed", range(5))
def test_the_check_passes_away_from_the_first_log_variances(seed: int) -> None:
    model = moved(gradcli.load(SPEC, seed=seed), depth=2.5 - seed, label=seed / 2)
    report = gradcli.check(model)
    assert report.verdict == "pass", report


def test_at_a_kink_the_log_variance_still_counts_every_row() -> None:
    """Where p = y the chosen slope stands for the loss in p, not for its weight."""
    model = gradcli.load(spec(depth={"loss": "mae"}))
    slots = model.forward().slots
    model.targets["depth"][...] = slots[model.plan.outputs["depth"]]
    model.targets["depth"][0] += 1.0
    report = gradcli.check(model)
    assert report.verdict == "pass", report
    assert [found.where for found in report.findings if found.code == "GC201"] == ["loss.depth"]
    (learned,) = (t for t in report.tensors if t.name == "loss.log_variance.depth")
    assert learned.worst is not None
    assert learned.worst.numeric == pytest.approx(1 - 1 / 7, rel=1e-12)


def test_weights_of_the_loss_come_from_the_file_of_weights(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"loss.log_variance.label": np.array([0.25])})
    model = gradcli.load({**SPEC, "weights": str(tmp_path / "w.npz")})
    assert model.parameters["loss.log_variance.label"] == 0.25
    assert model.parameters["loss.log_variance.depth"] == 0.0


def test_a_task_keeps_what_its_own_loss_learns_apart() -> None:
    robust = {"loss": {"adaptive_robust": {"learn": "all"}}}
    model = gradcli.load(spec(depth=robust, label={"loss": {"gaussian_nll": {"learn": True}}}))
    learned = [name for name in model.parameters if name.startswith("loss.")]
    assert learned == [
        "loss.depth.log_scale", "loss.depth.alpha_logit", "loss.log_variance.depth",
        "loss.label.log_variance", "loss.log_variance.label",
    ]  # fmt: skip
    report = gradcli.check(moved(model, depth=-0.5, label=0.5))
    assert report.verdict == "pass", report
    assert {tensor.grade for tensor in report.tensors} == {"excellent"}


def test_a_task_whose_loss_couples_rows_passes() -> None:
    """Values need not be one for each row: here they are of neighbouring rows."""

    def neighbours(p: Array) -> Any:
        difference = p[..., 1:, :] - p[..., :-1, :]

        def pullback(g: Array) -> Array:
            pull = 2 * g[..., None] * difference
            zero = np.zeros_like(pull[..., :1, :])
            return np.concatenate([zero, pull], axis=-2) - np.concatenate([pull, zero], axis=-2)

        return (difference**2).sum(axis=-1), pullback

    coupled = Loss(
        name="neighbours", function=neighbours, elementwise=False, reads="none", couples_rows=True
    )
    plan = load_plan(SPEC)
    depth, label = plan.losses
    plan = plan.replace(losses=(depth.replace(op=coupled, options={}, target=None), label))
    result = check_plan(plan, CheckOptions(), model=moved(Model(plan), depth=0.6, label=-0.3))
    assert result.verdict == "pass", result
    grades = {tensor.name: tensor.grade for tensor in result.tensors}
    assert grades.pop("depth.dense_2.bias") is None  # differences do not depend on it
    assert set(grades.values()) == {"excellent"}


def test_targets_and_outputs_are_by_head(rng: np.random.Generator) -> None:
    model = gradcli.load(SPEC)
    assert {name: array.shape for name, array in model.targets.items()} == {
        "depth": (7, 1), "label": (7,),
    }  # fmt: skip
    tangents = model.jvp({"dense_1.bias": rng.standard_normal(5)})
    assert isinstance(tangents, dict)
    assert {name: array.shape for name, array in tangents.items()} == {
        "depth": (7, 1), "label": (7, 3),
    }  # fmt: skip


def test_a_head_left_out_of_the_cotangents_counts_as_zero(rng: np.random.Generator) -> None:
    model = gradcli.load(SPEC)
    u = {"depth": rng.standard_normal((7, 1)), "label": rng.standard_normal((7, 3))}
    whole = model.vjp(u)
    parts = [model.vjp({head: cotangent}) for head, cotangent in u.items()]
    for name, total in whole.items():
        np.testing.assert_allclose(total, sum(part[name] for part in parts), rtol=1e-13, atol=0)
    assert not parts[0]["label.dense_1.weight"].any()
    assert not whole["loss.log_variance.depth"].any()


@pytest.mark.parametrize(
    "u", [np.ones((7, 1)), {"dpeth": np.ones((7, 1))}, {"depth": np.ones((7, 3))}]
)
def test_cotangents_that_fit_no_head_are_refused(u: Any) -> None:
    with pytest.raises(ValueError, match=r"cotangents are by output.*'depth': \(7, 1\)"):
        gradcli.load(SPEC).vjp(u)


WRONG = {
    "sloppy": {
        "kind": "loss",
        "forward": "(p - y)**2",
        "gradient": "(p - y)",
    }
}


def test_the_wrong_loss_of_a_task_is_named() -> None:
    report = gradcli.check(spec(depth={"loss": "sloppy"}, define=WRONG))
    assert report.exit_code == ExitCode.WRONG
    (found,) = (found for found in report.findings if found.where == "loss.depth")
    assert (found.code, found.data["factor"]) == ("GC102", 0.5)
    assert found.message.startswith("sloppy's own pullback")
    assert errors(report) == [("sloppy", "GC102"), ("loss.depth", "GC102")]
    consequences = {found.where for found in report.findings if found.code == "GC204"}
    assert consequences == {
        "dense_1.weight", "dense_1.bias", INPUTS,
        *(f"depth.dense_{i}.{name}" for i in (1, 2) for name in ("weight", "bias")),
    }  # fmt: skip


def test_a_wrong_node_of_one_head_is_no_cause_in_another() -> None:
    wrong = {"kind": "activation", "forward": "tanh(x)", "derivative": "0.9*(1 - tanh(x)**2)"}
    changed = spec(define={"damped": wrong, **WRONG}, label={"loss": "mse"})
    changed["network"]["heads"]["depth"][1] = "damped"
    changed["network"]["heads"]["label"] = [{"dense": 3}, "damped"]
    changed["loss"]["multi_task"]["tasks"]["depth"] = {"loss": "sloppy"}
    report = gradcli.check(changed)
    causes = {f.where: f.data["culprits"] for f in report.findings if f.code == "GC204"}
    assert causes["label.dense_1.weight"] == ["label.damped_1"]
    assert causes["depth.dense_2.bias"] == ["loss.depth"]
    assert causes["depth.dense_1.bias"] == ["depth.damped_1", "loss.depth"]
    assert causes[INPUTS] == ["depth.damped_1", "label.damped_1", "loss.depth"]


def with_weighting(change: Callable[[tuple[Array, Array]], tuple[Array, Array]]) -> Plan:
    """The plan with the pullback of its weighting changed."""
    op = CATALOGUE.find("multi_task", Weighting)
    assert op is not None

    def multi_task(loss: Array, s: Array, *, weighting: str) -> Any:
        value, pull = op.function(loss, s, weighting=weighting)
        return value, lambda g: change(pull(g))

    wrong = op.replace(function=multi_task)
    plan = load_plan(SPEC)
    return plan.replace(
        losses=tuple(
            loss.replace(weighting=loss.weighting.replace(op=wrong)) if loss.weighting else loss
            for loss in plan.losses
        )
    )


def test_the_sign_that_the_course_notes_flip_is_caught_and_named() -> None:
    plan = with_weighting(lambda pulled: (pulled[0], -pulled[1]))
    result = check_plan(plan, CheckOptions())
    assert errors(result) == [("multi_task.depth", "GC101"), ("multi_task.label", "GC101")]
    assert result.exit_code == ExitCode.BUG  # it is gradcli's own
    failing = [tensor.name for tensor in result.tensors if tensor.verdict == "fail"]
    assert failing == ["loss.log_variance.depth", "loss.log_variance.label"]


def test_a_weight_that_is_forgotten_on_the_way_back_is_caught_and_named() -> None:
    plan = with_weighting(lambda pulled: (2 * pulled[0], pulled[1]))
    result = check_plan(plan, CheckOptions())
    assert errors(result) == [("multi_task.depth", "GC102"), ("multi_task.label", "GC102")]
    consequences = {found.where for found in result.findings if found.code == "GC204"}
    assert "dense_1.weight" in consequences
    assert not any(name.startswith("loss.") for name in consequences)
