"""Names, slots, shapes, initializers and memory of a planned network."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.errors import SpecError, UsageError
from gradcli.spec import find_specs, load_plan, load_text
from gradcli.spec.plan import Plan

DATA = "data: {inputs: {shape: [32, 8]}, targets: auto}"


def plan_of(text: str, **options: object) -> Plan:
    return load_text("gradcli: 1\n" + textwrap.dedent(text), **options)  # type: ignore[arg-type]


def network(*entries: str) -> Plan:
    return plan_of(f"{DATA}\nnetwork: [{', '.join(entries)}]\n")


def initializers(plan: Plan) -> dict[str, str]:
    return {name: parameter.init.op.name for name, parameter in plan.parameters.items()}


def test_names_count_by_kind_within_their_block() -> None:
    plan = network(
        "dense: 8", "tanh", "residual: [dense: 8, relu, residual: [linear: 8]]", "linear: 8",
        "residual: {layers: [dense: 8], scale: 0.5}",
        "repeat: {times: 2, layers: [dense: 8, tanh]}",
        "dense: {units: 3, name: head}", "dense: 2",
    )  # fmt: skip
    assert [node.name for node in plan.nodes] == [
        "dense_1", "tanh_1",
        "residual_1.dense_1", "residual_1.relu_1", "residual_1.residual_1.dense_1",
        "residual_1.residual_1", "residual_1",
        "dense_2", "residual_2.dense_1", "residual_2",
        "dense_3", "tanh_2", "dense_4", "tanh_3", "head", "dense_6",
    ]  # fmt: skip
    assert plan.nodes[0].parameters == {"weight": "dense_1.weight", "bias": "dense_1.bias"}
    assert "residual_1.residual_1.dense_1.weight" in plan.parameters


def test_slots_follow_the_branches() -> None:
    plan = network("dense: 4", "residual: [dense: 4, tanh]", "relu")
    assert [node.inputs for node in plan.nodes] == [(0,), (1,), (2,), (1, 3), (4,)]
    assert [node.shape for node in plan.nodes] == [(32, 4)] * 5
    assert plan.outputs == {"outputs": 5}
    assert [node.line for node in plan.nodes] == [3] * 5


def test_options_are_converted_and_defaults_filled_in() -> None:
    plan = network("dense: 8.0", "leaky_relu: {alpha: 1}", "elu: 2", "residual: [tanh]")
    assert plan.nodes[0].options["units"] == 8
    assert isinstance(plan.nodes[0].options["units"], int)
    assert plan.nodes[1].options == {"alpha": 1.0}
    assert plan.nodes[2].options == {"alpha": 2.0}
    assert plan.nodes[4].options == {"scale": 1.0}


def test_heads_hang_on_the_trunk() -> None:
    plan = plan_of(f"""\
        {DATA}
        network:
          trunk: [dense: 4, relu]
          heads:
            depth: [dense: 1]
            label: [dense: 4, tanh, dense: {{units: 3, name: out}}]
        """)
    assert [node.name for node in plan.nodes] == [
        "dense_1", "relu_1", "depth.dense_1", "label.dense_1", "label.tanh_1", "label.out",
    ]  # fmt: skip
    assert plan.outputs == {"depth": 3, "label": 6}
    assert plan.nodes[3].inputs == (2,)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["dense: 8", "relu"], "he_normal"),
        (["dense: 8", "selu"], "lecun_normal"),
        (["dense: 8", "tanh"], "xavier_normal"),
        (["dense: 8"], "xavier_normal"),
        (["dense: 8", "dense: 8", "relu"], "xavier_normal"),
        (["dense: 8", "residual: [relu, dense: 8]"], "he_normal"),
        (["residual: [dense: 8]", "relu"], "he_normal"),
        (["dense: {units: 8, init: auto}", "gelu"], "he_normal"),
        (["dense: {units: 8, init: orthogonal}", "relu"], "orthogonal"),
    ],
)
def test_auto_suits_the_next_activation(entries: list[str], expected: str) -> None:
    first = next(iter(initializers(network(*entries)).values()))
    assert first == expected


def test_initializers_take_options() -> None:
    plan = network(
        "dense: {units: 8, init: {normal: 0.01}}",
        "dense: {units: 8, init: {xavier_normal: {gain: 2}}, bias_init: {constant: 0.1}}",
    )
    assert plan.parameters["dense_1.weight"].init.options == {"std": 0.01}
    assert plan.parameters["dense_2.weight"].init.options == {"gain": 2.0}
    assert plan.parameters["dense_2.bias"].init.options == {"value": 0.1}
    assert plan.parameters["dense_1.weight"].fan_in == 8


def test_pytorch_default_draws_its_bias_too_unless_that_is_written() -> None:
    drawn = initializers(network("dense: {units: 8, init: pytorch_default}"))
    assert drawn["dense_1.bias"] != "zeros"
    written = initializers(
        network("dense: {units: 8, init: pytorch_default, bias_init: zeros}", "dense: 2")
    )
    assert written["dense_1.bias"] == "zeros"
    assert written["dense_2.bias"] == "zeros"


def test_learned_parameters_of_an_activation() -> None:
    plan = network("dense: 4", "prelu: 0.1")
    (parameter,) = (plan.parameters[name] for name in plan.nodes[1].parameters.values())
    assert parameter.name == "prelu_1.weight"
    assert parameter.shape == (1,)
    rng = np.random.default_rng(0)
    assert parameter.init.draw(rng, (1,), 1, 1) == pytest.approx(0.1)


def test_memory_counts_everything_twice_but_the_data() -> None:
    plan = plan_of("data: {inputs: {shape: [32, 8]}}\nnetwork: [dense: 16, tanh]\n")
    parameters, activations, inputs = 8 * 16 + 16, 2 * 32 * 16, 32 * 8
    assert plan.memory == 8 * (2 * (parameters + activations) + inputs)
    half = plan_of("dtype: float32\ndata: {inputs: {shape: [32, 8]}}\nnetwork: [dense: 16, tanh]\n")
    assert half.memory == plan.memory // 2


def test_memory_is_refused_just_above_the_limit() -> None:
    text = f"{DATA}\nnetwork: [dense: 16, tanh]\nloss: mse\n"
    needed = plan_of(text).memory
    assert plan_of(text, max_memory=needed).memory == needed
    with pytest.raises(SpecError, match="SP016"):
        plan_of(text, max_memory=needed - 1)


def test_100_000_nodes_and_no_more() -> None:
    text = "data: {{inputs: {{shape: [1, 1]}}}}\n"
    text += "network: [repeat: {{times: {}, layers: [relu, tanh]}}]"
    assert len(plan_of(text.format(50_000)).nodes) == 100_000
    with pytest.raises(SpecError, match="100,000 nodes"):
        plan_of(text.format(50_001))


def test_losses_and_penalties_of_a_sum() -> None:
    plan = plan_of(f"""\
        {DATA}
        network: [dense: 4, prelu]
        loss: {{sum: [mse, huber: {{delta: 2, weight: 0.5}}, mse: {{weight: -1}}, l2: 1.0e-3]}}
        """)
    assert [(loss.name, loss.weight, loss.options) for loss in plan.losses] == [
        ("mse", 1.0, {}), ("huber", 0.5, {"delta": 2.0}), ("mse_2", -1.0, {}),
    ]  # fmt: skip
    assert {(loss.slot, loss.target) for loss in plan.losses} == {(2, "targets")}
    (term,) = plan.terms
    assert (term.name, term.weight, term.parameters) == ("l2", 1e-3, ("dense_1.weight",))


def test_a_loss_alone_reads_the_inputs() -> None:
    plan = plan_of(f"{DATA}\nloss: mse")
    assert (plan.nodes, plan.outputs, plan.losses[0].slot) == ((), {"outputs": 0}, 0)


def test_head_and_sections() -> None:
    plan = plan_of(f"""\
        name: own name
        seed: 7
        dtype: float32
        {DATA}
        loss: mse
        check: {{require: 1e-4, entries: all, allow-inconclusive: true, only: "dense*"}}
        flow: {{fail-on: [vanishing, exploding]}}
        train: {{lr: 0.1, steps: 10}}
        expect: {{check: GC102, flow: vanishing}}
        """)
    assert (plan.name, plan.seed, plan.dtype) == ("own name", 7, "float32")
    assert plan.sections == {
        "check": {
            "require": 1e-4, "entries": "all", "allow_inconclusive": True, "only": ("dense*",),
        },
        "flow": {"fail_on": ("vanishing", "exploding")},
        "train": {"lr": 0.1, "steps": 10},
    }  # fmt: skip
    assert (plan.expect.check, plan.expect.flow, plan.expect.line) == ("GC102", "vanishing", 10)


def test_the_command_line_wins() -> None:
    text = f"seed: 1\n{DATA}\nloss: mse\ncheck: {{require: good, entries: 5}}\n"
    overrides = {"seed": 9, "dtype": "float32", "check": {"require": 0.1, "step": None}}
    plan = plan_of(text, overrides=overrides)
    assert (plan.seed, plan.dtype) == (9, "float32")
    assert plan.sections["check"] == {"require": 0.1, "entries": 5}


@pytest.mark.parametrize(
    "overrides", [{"seed": -1}, {"check": {"require": "god"}}, {"check": {"x": 1}}, {"sed": 1}]
)
def test_overrides_are_checked_as_well(overrides: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        plan_of(f"{DATA}\nloss: mse\n", overrides=overrides)


def test_a_mapping_is_a_spec(tmp_path: Path) -> None:
    x = np.arange(6.0).reshape(3, 2)
    source = {
        "gradcli": 1,
        "data": {"inputs": {"values": x}, "targets": {"values": [0, 1, 1]}},
        "network": [{"dense": 2}],
        "loss": "cross_entropy",
    }
    plan = load_plan(source)
    assert plan.inputs is not None
    assert plan.inputs.values is not None
    np.testing.assert_array_equal(plan.inputs.values, x)
    assert (plan.name, plan.file) == ("spec", "")
    with pytest.raises(SpecError) as caught:
        load_plan({**source, "network": [{"dense": "many"}], "sed": 1, "x": object()})
    assert [error.code for error in caught.value.errors] == ["SP009"]
    with pytest.raises(SpecError) as caught:
        load_plan({**source, "network": [{"dense": "many"}], "sed": 1})
    assert {(e.code, e.key) for e in caught.value.errors} == {
        ("SP009", "network[0].dense"), ("SP006", "sed"),
    }  # fmt: skip


def test_the_name_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "my.spec.yaml"
    path.write_text(f"gradcli: 1\n{DATA}\nloss: mse\n")
    plan = load_plan(path)
    assert (plan.name, plan.file) == ("my.spec", str(path))
    assert load_plan(str(path), name="other").name == "other"


def test_finding_specs(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/z.yaml", "a/b/c.yaml", ".hidden/x.yaml", ".y.yaml", "a/n.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = find_specs([str(tmp_path), str(tmp_path / "b.yaml"), "gone.yaml"])
    assert found == [
        *(str(tmp_path / name) for name in ("a/b/c.yaml", "a/z.yaml", "b.yaml")), "gone.yaml",
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no specs"):
        find_specs([str(tmp_path / "empty")])
