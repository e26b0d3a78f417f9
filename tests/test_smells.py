"""Specs that are hardly meant: each is warned of, at its line, and no sound one is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import gradcli
import gradcli.ops
from gradcli.analysis.smells import smells
from gradcli.cli.main import main
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode
from gradcli.spec import find_specs, load_plan, load_text

SPECS = Path(__file__).parent.parent / "specs"
DATA = "data: {inputs: {shape: [6, 4]}, targets: auto}"


def targets(*values: float) -> str:
    return f"data: {{inputs: {{shape: [{len(values)}, 4]}}, targets: {{values: {list(values)}}}}}"


def spec(network: str, loss: str, data: str = DATA) -> str:
    return f"gradcli: 1\n{data}\nnetwork: {network}\nloss: {loss}\n"


# The network, the loss, perhaps the data; then the code, where it is, and what the message says.
SMELLS: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "softmax": (
        ("[dense: 3, softmax]", "cross_entropy"),
        "SP101", "softmax_1", "reads logits, numbers of any size, and applies a softmax itself",
    ),
    "softmax-in-a-sum": (
        ("[dense: 3, softmax]", "{sum: [cross_entropy, l2: 1.0e-4]}"), "SP101", "softmax_1", "",
    ),
    "softmax-before-a-loss-on-events": (
        ("[dense: 3, softmax]", "binary_cross_entropy"), "SP101", "softmax_1", "0.5 to 0.731",
    ),
    "sigmoid": (
        ("[dense: 1, sigmoid]", "binary_cross_entropy"),
        "SP102", "sigmoid_1", "0 to 1, and binary_cross_entropy reads logits",
    ),
    "sigmoid-before-classes": (
        ("[dense: 3, sigmoid]", "cross_entropy"), "SP102", "sigmoid_1", "applies a softmax itself",
    ),
    "another-sigmoid": (
        ("[dense: 1, hard_sigmoid]", "binary_cross_entropy"), "SP102", "hard_sigmoid_1", "",
    ),
    "nothing-between": (
        ("[dense: 5, dense: 3]", "mse"),
        "SP103", "dense_1", "dense_1 and dense_2 have nothing between them",
    ),
    "nothing-between-many": (
        ("[dense: 5, repeat: {times: 4, layers: [linear: 5]}, tanh, dense: 1]", "mse"),
        "SP103", "dense_1", "dense_1 to dense_5 have nothing",
    ),
    "low-rank": (
        ("[dense: 2, dense: 4]", "mse"), "SP103", "dense_1", "one linear layer, of rank 2 at most",
    ),
    "nothing-between-in-a-block": (
        ("[residual: [dense: 8, dense: 4]]", "mse"), "SP103", "residual_1.dense_1", "",
    ),
    "dropout": (
        ("[dense: 3, dropout: 0.5]", "mse"), "SP104", "dropout_1", "acts on the predictions",
    ),
    "dropout-before-the-last-activation": (
        ("[dense: 3, dropout: 0.5, tanh]", "mse"), "SP104", "dropout_1", "",
    ),
    "targets-above": (
        ("[dense: 1, sigmoid]", "mse", targets(0.5, 12, 0, 1)),
        "SP105", "sigmoid_1", "1 of 4 targets lie outside what sigmoid can give, 0 to 1; "
        "the farthest is 12",
    ),
    "targets-below": (
        ("[dense: 1, relu]", "huber", targets(-3, -0.5, 2)),
        "SP105", "relu_1", "2 of 3 targets lie outside what relu can give, 0 to inf; "
        "the farthest is -3",
    ),
    "penalty": (
        ("[dense: 3, tanh, dense: 1]", "{sum: [mse, l1: {weight: 1}, l2: {weight: 30}]}"),
        "SP106", "l2", "times as hard at the weights",
    ),
    "mistakes": (
        ("[dense: 4, tanh, dense: 3]", "zero_one"),
        "SP107", "zero_one", "is zero wherever it has one: it measures, and cannot be trained on",
    ),
    "mistakes-in-a-sum": (
        ("[dense: 3]", "{sum: [cross_entropy, zero_one]}"), "SP107", "zero_one", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("smell", SMELLS)
@pytest.mark.parametrize("command", ["check", "flow"])
def test_a_smell_is_a_warning_at_its_line(smell: str, command: str, tmp_path: Path) -> None:
    text, code, where, message = SMELLS[smell]
    path = tmp_path / "s.yaml"
    path.write_text(spec(*text), encoding="utf-8")
    result = CliRunner().invoke(main, [command, str(path), "--format", "json"])
    assert result.exit_code == ExitCode.OK
    (outcome,) = json.loads(result.stdout)["results"]
    (found,) = (each for each in outcome["findings"] if each["code"].startswith("SP"))
    line = 4 if code in ("SP106", "SP107") else 3
    assert (found["code"], found["severity"], found["where"]) == (code, "warning", where)
    assert (found["file"], found["line"]) == (str(path), line)
    assert message in found["message"]


SOUND: dict[str, tuple[str, ...]] = {
    "logits": ("[dense: 3]", "cross_entropy"),
    "hinge": ("[dense: 3]", "hinge"),
    "log-probabilities": ("[dense: 3, log_softmax]", "nll"),
    "logits-of-events": ("[dense: 1]", "binary_cross_entropy"),
    "clipped-logits": ("[dense: 3, tanh]", "cross_entropy"),
    "logits-of-one-sign": ("[dense: 3, relu]", "cross_entropy"),
    "normalised-twice-is-once": ("[dense: 3, log_softmax]", "cross_entropy"),
    "probabilities": ("[dense: 1, sigmoid]", "{binary_cross_entropy: {input: probabilities}}"),
    "softmax-inside": ("[dense: 3, softmax, dense: 3]", "cross_entropy"),
    "identity-between": ("[dense: 5, identity, dense: 3]", "mse"),
    "normalization-between": ("[dense: 5, layer_norm, dense: 3]", "mse"),
    "both-read": ("[dense: 4, residual: [dense: 4, tanh]]", "mse"),
    "shortcut": ("[dense: 4, tanh, residual: [dense: 4], dense: 1]", "mse"),
    "dropout-inside": ("[dense: 5, tanh, dropout: 0.5, dense: 1]", "mse"),
    "targets-within": ("[dense: 1, tanh]", "mse", targets(-1, 0.5, 1)),
    "targets-at-the-end": ("[dense: 1, sigmoid]", "mse", targets(1 + 1e-12, 0)),
    "no-last-activation": ("[dense: 1]", "mse", targets(346, -12)),
    "drawn-targets": ("[dense: 1, sigmoid]", "mse"),
    "events-behind-a-tanh": ("[dense: 1, tanh]", "binary_cross_entropy", targets(0, 1, 1)),
    "small-penalty": ("[dense: 3, tanh, dense: 1]", "{sum: [mse, l2: 1.0e-3]}"),
    "penalty-alone": ("[dense: 3, tanh, dense: 1]", "{sum: [mse, l2: 0]}"),
}


def smells_of(text: str) -> list[tuple[str, str]]:
    """Code and place of what check and flow, which agree, find hardly meant."""
    shown = (text, "s.yaml")
    found = [
        [(each.code, each.where) for each in report.findings if each.code.startswith("SP")]
        for report in (gradcli.check(text=shown), gradcli.flow(text=shown, seeds=1))
    ]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("sound", SOUND)
def test_a_sound_spec_has_no_smell(sound: str) -> None:
    assert smells_of(spec(*SOUND[sound])) == []


def test_no_rule_knows_an_op_by_its_name() -> None:
    op = CATALOGUE.find("sigmoid", Activation)
    assert op is not None
    plan = load_text(spec("[dense: 1, sigmoid]", "binary_cross_entropy"))

    def codes(**changes: Any) -> list[str]:
        node = plan.nodes[1].replace(op=op.replace(name="mine", **changes))
        return [found.code for found in smells(plan.replace(nodes=(plan.nodes[0], node)))]

    traits = op.traits_at({})
    assert traits is not None
    assert codes() == ["SP102"]
    assert codes(elementwise=False) == ["SP101"]
    assert codes(traits=lambda: traits.replace(range=(-5.0, 5.0))) == []
    assert codes(traits=None) == []


def test_what_a_users_activation_may_give_is_not_guessed() -> None:
    text = spec("[dense: 1, squash]", "mse", targets(5, 7))
    text += "define: {squash: {kind: activation, forward: 1 / (1 + exp(-x))}}\n"
    assert smells_of(text) == []


HEADS = """\
gradcli: 1
data: {inputs: {shape: [6, 4]}, targets: auto}
network:
  trunk: [dense: 5]
  heads:
    depth: [dense: 1]
    event: [dense: 4, tanh, dense: 1, sigmoid]
loss: {multi_task: {tasks: {depth: mse, event: binary_cross_entropy}}}
"""


def test_a_trunk_that_two_heads_read_ends_in_something() -> None:
    report = gradcli.check(text=(HEADS, "s.yaml"))
    assert [f.where for f in report.findings if f.severity == "warning"] == ["event.sigmoid_1"]


def test_flow_shows_a_smell_with_the_head_that_it_is_in() -> None:
    depth, event = gradcli.flow(text=(HEADS, "s.yaml"), seeds=1).results
    assert [f.code for f in depth.findings if f.code.startswith("SP")] == []
    assert [f.code for f in event.findings if f.code.startswith("SP")] == ["SP102"]


def test_the_numbers_of_a_smell_are_in_its_data() -> None:
    text = spec("[dense: 1, tanh]", "mse", targets(0.5, -3, 2))
    (found,) = gradcli.check(text=(text, "s.yaml")).findings
    assert found.data == {
        "loss": "mse", "range": [-1.0, 1.0], "outside": 2, "targets": 3, "worst": -3.0,
    }  # fmt: skip
    (found,) = gradcli.check(text=(spec("[dense: 2, dense: 4]", "mse"), "s.yaml")).findings
    assert found.data == {"layers": ["dense_1", "dense_2"], "rank": 2}


def test_penalty_and_loss_are_what_they_are() -> None:
    text = spec("[dense: 3, tanh, dense: 1]", "{sum: [mse, l2: 50]}")
    model = gradcli.load({**PLAIN, "loss": {"sum": ["mse", {"l2": {"weight": 50}}]}})
    weights = [w for name, w in model.parameters.items() if name.endswith("weight")]
    squares = sum(float((w**2).sum()) for w in weights)
    alone = gradcli.load(PLAIN)
    loss, gradients = alone.value_and_grad()
    pull = math.sqrt(sum(float((gradients[n] ** 2).sum()) for n in gradients if "weight" in n))
    (found,) = gradcli.check(text=(text, "s.yaml")).findings
    assert found.data["penalty"] == pytest.approx(50 * squares, rel=1e-12)
    assert found.data["loss"] == pytest.approx(loss, rel=1e-9)
    ratio = 2 * 50 * math.sqrt(squares) / pull
    assert found.data["gradient_ratio"] == pytest.approx(ratio, rel=1e-9)


PLAIN: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [6, 4]}, "targets": "auto"},
    "network": [{"dense": 3}, "tanh", {"dense": 1}],
    "loss": "mse",
}


def test_a_smell_can_be_expected() -> None:
    text = spec("[dense: 3, softmax]", "cross_entropy")
    expected = f"{text}expect: {{check: SP101}}\n"
    assert gradcli.check(text=(expected, "s.yaml")).exit_code == ExitCode.OK
    other = f"{text}expect: {{check: SP102}}\n"
    assert gradcli.check(text=(other, "s.yaml")).exit_code == ExitCode.WRONG
    unknown = gradcli.check(text=(f"{text}expect: {{check: SP199}}\n", "s.yaml"))
    (problem,) = unknown.results[0].errors
    assert (problem.code, problem.hint) == ("SP009", "did you mean SP107?")


def test_the_table_shows_a_smell_with_its_line_and_how_to_read_on() -> None:
    text = spec("[dense: 3, softmax]", "cross_entropy")
    result = CliRunner().invoke(main, ["check", "-", "--no-color"], input=text)
    assert "! SP101 softmax-before-logits in softmax_1  <stdin>:3" in result.stdout
    result = CliRunner().invoke(main, ["flow", "-", "--no-color"], input=text)
    assert "! SP101 softmax-before-logits in softmax_1  <stdin>:3" in result.stdout
    assert "gradcli explain SP101" in result.stdout


@pytest.mark.parametrize("path", find_specs([str(SPECS)]), ids=lambda path: Path(path).stem)
def test_no_spec_of_the_project_has_a_smell_that_it_does_not_show(path: str) -> None:
    plan = load_plan(path, allow_python=True)
    if plan.losses:
        found = {each.code for each in gradcli.check(path, allow_python=True).findings}
        found = {code for code in found if code.startswith("SP")}
        assert found <= {plan.expect.check}
