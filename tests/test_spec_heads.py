"""Several heads in a spec: names, targets, tasks, and every mistake with them in its place."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec import load_plan, load_text
from gradcli.spec.plan import Plan

DATA = "data: {inputs: {shape: [6, 4]}, targets: auto}"
NETWORK = "network: {trunk: [dense: 5, tanh], heads: {depth: [dense: 1], label: [dense: 3]}}"
TASKS = "depth: {loss: mse}, label: {loss: cross_entropy}"


def plan_of(text: str, **options: Any) -> Plan:
    return load_text("gradcli: 1\n" + textwrap.dedent(text), **options)


def problems(text: str, **options: Any) -> tuple[SpecProblem, ...]:
    with pytest.raises(SpecError) as caught:
        load_text(f"gradcli: 1\n{text}\n", "spec.yaml", **options)
    return caught.value.errors


def test_a_task_is_a_summand_named_after_its_head() -> None:
    plan = plan_of(f"""\
        {DATA}
        {NETWORK}
        loss:
          multi_task:
            weighting: uncertainty
            tasks:
              label: {{loss: {{cross_entropy: {{label_smoothing: 0.1}}}}, weight: 0.5}}
              depth: mse
        """)
    label, depth = plan.losses
    assert [(loss.name, loss.op.name, loss.weight) for loss in plan.losses] == [
        ("loss.label", "cross_entropy", 0.5), ("loss.depth", "mse", 1.0),
    ]  # fmt: skip
    assert (label.slot, depth.slot) == (plan.outputs["label"], plan.outputs["depth"])
    assert (label.target, depth.target) == ("label", "depth")
    assert label.options["label_smoothing"] == 0.1
    assert [loss.line for loss in plan.losses] == [8, 9]
    assert label.learned == ("loss.log_variance.label",)
    assert plan.parameters["loss.log_variance.label"].shape == (1,)
    assert plan.targets["label"].shape == (6,)
    assert plan.targets["depth"].shape == (6, 1)


@pytest.mark.parametrize("weighting", ["manual", "gradnorm", "dynamic"])
def test_only_uncertainty_learns_its_weights(weighting: str) -> None:
    plan = plan_of(
        f"{DATA}\n{NETWORK}\nloss: {{multi_task: {{weighting: {weighting}, tasks: {{{TASKS}}}}}}}"
    )
    assert not [name for name in plan.parameters if name.startswith("loss.")]
    assert [loss.learned for loss in plan.losses] == [(), ()]


def test_weights_are_manual_unless_said_otherwise() -> None:
    plan = plan_of(f"{DATA}\n{NETWORK}\nloss: {{multi_task: {{tasks: {{{TASKS}}}}}}}")
    weighting = plan.losses[0].weighting
    assert weighting is not None
    assert weighting.options == {"weighting": "manual"}


def test_penalties_stand_beside_the_tasks_and_a_weight_multiplies_all_of_them() -> None:
    plan = plan_of(f"""\
        {DATA}
        {NETWORK}
        loss:
          sum:
            - multi_task:
                tasks: {{depth: {{loss: mse, weight: 3}}, label: cross_entropy}}
                weight: 2
            - l2: {{weight: 1.0e-3}}
        """)
    assert [loss.weight for loss in plan.losses] == [6.0, 2.0]
    (term,) = plan.terms
    assert term.parameters == ("dense_1.weight", "depth.dense_1.weight", "label.dense_1.weight")


def test_targets_by_head_come_from_a_file_values_or_a_draw(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((8, 4)), y=np.arange(8.0), k=np.arange(8) % 3)
    network = NETWORK.replace("label: [dense: 3]", "label: [dense: 3], extra: [dense: 2]")
    plan = plan_of(
        "data: {file: d.npz, inputs: x, batch: 6, targets: {depth: y, label: k, extra: auto}}\n"
        f"{network}\nloss: {{multi_task: {{tasks: {{{TASKS}, extra: mae}}}}}}",
        folder=tmp_path,
    )
    depth, label, extra = (plan.targets[name] for name in ("depth", "label", "extra"))
    np.testing.assert_array_equal(depth.values, np.arange(6.0)[:, None])
    np.testing.assert_array_equal(label.values, np.arange(6) % 3)
    assert (extra.values, extra.distribution, extra.shape) == (None, "normal", (6, 2))
    stated = plan_of(
        "data: {inputs: {shape: [2, 4]}, targets: {depth: {values: [1, 2]}, "
        f"label: {{values: [0, 2]}}}}}}\n{NETWORK}\nloss: {{multi_task: {{tasks: {{{TASKS}}}}}}}"
    )
    np.testing.assert_array_equal(stated.targets["depth"].values, [[1.0], [2.0]])


def test_drawn_targets_of_two_heads_differ() -> None:
    network = NETWORK.replace("[dense: 3]", "[dense: 1]")
    tasks = "{depth: binary_cross_entropy, label: binary_cross_entropy}"
    plan = plan_of(
        f"data: {{inputs: {{shape: [40, 4]}}, targets: auto}}\n{network}\n"
        f"loss: {{multi_task: {{tasks: {tasks}}}}}"
    )
    first, second = (plan.targets[name].values for name in ("depth", "label"))
    assert first is not None
    assert second is not None
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("targets", ["{values: [1, 2]}", "{depth: {values: [1, 2]}}", "auto"])
def test_a_single_head_takes_a_loss_and_targets_of_its_own(targets: str) -> None:
    plan = plan_of(
        f"data: {{inputs: {{shape: [2, 4]}}, targets: {targets}}}\n"
        "network: {trunk: [dense: 5], heads: {depth: [dense: 1]}}\nloss: mse"
    )
    (loss,) = plan.losses
    assert (loss.name, loss.target, loss.slot) == ("mse", "depth", plan.outputs["depth"])
    assert plan.targets["depth"].shape == (2, 1)


def test_memory_counts_the_heads_and_their_targets() -> None:
    plan = plan_of(
        "data: {inputs: {shape: [6, 4]}, targets: {depth: {shape: [6, 1]}, label: auto}}\n"
        f"{NETWORK}\nloss: {{multi_task: {{tasks: {{{TASKS}}}}}}}"
    )
    parameters = (4 * 5 + 5) + (5 + 1) + (5 * 3 + 3)
    activations = 6 * (5 + 5 + 1 + 3)
    assert plan.memory == 8 * (2 * (parameters + activations) + 6 * 4 + 6)


def test_a_mapping_is_read_the_same() -> None:
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [6, 4]}, "targets": {"depth": "auto", "label": "auto"}},
        "network": {"heads": {"depth": [{"dense": 1}], "label": [{"dense": 3}]}},
        "loss": {"multi_task": {"tasks": {"depth": "mse", "label": {"loss": "cross_entropy"}}}},
    }
    assert [node.inputs for node in load_plan(spec).nodes] == [(0,), (0,)]


def tasks(written: str) -> str:
    return f"{DATA}\n{NETWORK}\nloss: {{multi_task: {{tasks: {{{written}}}}}}}"


def targets(written: str) -> str:
    return (
        f"data: {{inputs: {{shape: [6, 4]}}, targets: {written}}}\n{NETWORK}\n"
        f"loss: {{multi_task: {{tasks: {{{TASKS}}}}}}}"
    )


# The spec below `gradcli: 1`, then code, line, the underlined text, and parts of message and hint.
MISTAKES: dict[str, tuple[str, str, int, str, str, str]] = {
    "unknown-head": (
        tasks("detph: mse, label: cross_entropy"),
        "SP007", 4, "detph", "there is no head 'detph'", "did you mean depth?",
    ),
    "unknown-head-besides": (
        tasks(f"{TASKS}, colour: mse"),
        "SP007", 4, "colour", "there is no head 'colour'", "expected depth, label",
    ),
    "missing-task": (
        tasks("depth: mse"),
        "SP008", 4, "tasks", "head label has no task", "label: {loss: mse}",
    ),
    "task-without-loss": (
        tasks("depth: {weight: 1}, label: cross_entropy"),
        "SP008", 4, "depth", "task depth has no loss", "loss: mse",
    ),
    "misspelled-loss": (
        tasks("depth: {loss: mea}, label: cross_entropy"),
        "SP007", 4, "mea", "there is no loss 'mea'", "did you mean mse?",
    ),
    "misspelled-weight": (
        tasks("depth: {loss: mse, wieght: 2}, label: cross_entropy"),
        "SP006", 4, "wieght", "task depth has no 'wieght'", "did you mean weight?",
    ),
    "loss-as-a-key": (
        tasks("depth: {mse: {}}, label: cross_entropy"),
        "SP006", 4, "mse", "task depth has no 'mse'", "expected loss, weight",
    ),
    "sum-in-a-task": (
        tasks("depth: {loss: {sum: [mse]}}, label: cross_entropy"),
        "SP007", 4, "sum", "there is no loss 'sum'", "",
    ),
    "word-as-weight": (
        tasks("depth: {loss: mse, weight: half}, label: cross_entropy"),
        "SP009", 4, "half", "weight cannot be 'half'", "expected a number",
    ),
    "tasks-as-a-list": (
        f"{DATA}\n{NETWORK}\nloss: {{multi_task: {{tasks: [mse]}}}}",
        "SP009", 4, "[mse]", "tasks cannot be a list", "by head: depth: ..., label: ...",
    ),
    "no-tasks": (
        f"{DATA}\n{NETWORK}\nloss: {{multi_task: uncertainty}}",
        "SP008", 4, "multi_task", "multi_task needs tasks", "losses by task",
    ),
    "misspelled-weighting": (
        f"{DATA}\n{NETWORK}\nloss: {{multi_task: {{weighting: gradnrom, tasks: {{{TASKS}}}}}}}",
        "SP009", 4, "gradnrom", "weighting cannot be 'gradnrom'", "did you mean gradnorm?",
    ),
    "no-heads": (
        f"{DATA}\nnetwork: [dense: 1]\nloss: {{multi_task: {{tasks: {{a: mse}}}}}}",
        "SP008", 4, "tasks", "the network has no heads", "network: {trunk: [...], heads:",
    ),
    "no-network": (
        f"{DATA}\nloss: {{multi_task: {{tasks: {{a: mse}}}}}}",
        "SP008", 3, "tasks", "the network has no heads", "network: {trunk: [...], heads:",
    ),
    "one-loss-for-two-heads": (
        f"{DATA}\n{NETWORK}\nloss: {{huber: 2}}",
        "SP009", 4, "huber", "huber reads one output, and the network has 2 heads", "multi_task",
    ),
    "loss-beside-tasks": (
        f"{DATA}\n{NETWORK}\nloss: {{sum: [multi_task: {{tasks: {{{TASKS}}}}}, mae]}}",
        "SP009", 4, "mae", "mae reads one output", "each of depth, label",
    ),
    "tasks-twice": (
        f"{DATA}\n{NETWORK}\nloss:\n  sum:\n    - multi_task: {{tasks: {{{TASKS}}}}}\n"
        f"    - multi_task: {{tasks: {{{TASKS}}}}}",
        "SP011", 7, "multi_task", "the heads have their tasks already", "",
    ),
    "targets-not-by-head": (
        targets("{shape: [6, 1]}"),
        "SP009", 2, "{shape: [6, 1]}", "targets cannot be a mapping: the network has 2 heads",
        "by head: depth: ..., label: ...",
    ),
    "targets-of-an-unknown-head": (
        targets("{depth: auto, lable: auto}"),
        "SP007", 2, "lable", "there is no head 'lable'", "did you mean label?",
    ),
    "targets-missing-for-a-head": (
        targets("{depth: auto}"),
        "SP008", 4, "cross_entropy", "cross_entropy needs targets, data have none for label",
        "targets: auto",
    ),
    "targets-as-a-word": (
        targets("y"), "SP009", 2, "y", "targets cannot be 'y': the network has 2", "by head",
    ),
    "target-of-a-head-as-a-word": (
        targets("{depth: y, label: auto}"),
        "SP009", 2, "y", "targets of depth cannot be 'y': there is no file", "`auto`",
    ),
    "targets-of-the-wrong-shape": (
        targets("{depth: {shape: [6, 2]}, label: auto}"),
        "SP012", 2, "[6, 2]", "targets have shape [6, 2], the outputs [6, 1]", "mse expects",
    ),
    "label-out-of-range": (
        targets("{depth: auto, label: {values: [0, 1, 2, 3, 0, 0]}}"),
        "SP015", 2, "[0, 1, 2, 3, 0, 0]", "label 3 does not fit 3 outputs", "from 0 to 2",
    ),
    "head-called-loss": (
        f"{DATA}\nnetwork: {{heads: {{loss: [dense: 1]}}}}\nloss: mse",
        "SP011", 3, "loss", "a head cannot be called 'loss'", "",
    ),
    "no-heads-written": (
        f"{DATA}\nnetwork: {{trunk: [dense: 1]}}\nloss: {{multi_task: {{tasks: {{a: mse}}}}}}",
        "SP008", 3, "network", "network has no heads", "trunk and heads",
    ),
    "heads-as-a-list": (
        f"{DATA}\nnetwork: {{heads: [dense: 1]}}\nloss: mse",
        "SP009", 3, "[dense: 1]", "heads cannot be a list", "mapping of lists",
    ),
    "parameters-of-one-name": (
        f"{DATA}\nnetwork: {{heads: {{log_variance: [dense: 1]}}}}\nloss: {{multi_task: {{"
        "weighting: uncertainty, tasks: {log_variance: {loss: {gaussian_nll: {learn: true}}}}}}",
        "SP011", 4, "multi_task",
        "two parameters of the loss are called loss.log_variance.log_variance", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str) -> None:
    text, code, line, underlined, message, hint = MISTAKES[mistake]
    (problem,) = problems(text)
    assert (problem.code, problem.line) == (code, line), problem
    assert message in problem.message
    assert hint in problem.hint
    start = problem.column - 1
    assert problem.source_line[start : start + problem.length] == underlined
