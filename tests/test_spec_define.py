"""Definitions: how they read, what they compute, and what they may not do."""

from __future__ import annotations

import math
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.core.registry import CATALOGUE
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec import load_text
from gradcli.spec.plan import ElementwiseDefinition, FunctionDefinition, Plan


def plan_of(text: str, folder: Path | str = "", *, allow_python: bool = False) -> Plan:
    text = "gradcli: 1\ndefine:\n" + textwrap.indent(textwrap.dedent(text), "  ")
    return load_text(text, "spec.yaml", folder=folder, allow_python=allow_python)


def problems(
    text: str, folder: Path | str = "", *, allow_python: bool = False
) -> tuple[SpecProblem, ...]:
    with pytest.raises(SpecError) as caught:
        plan_of(text, folder, allow_python=allow_python)
    return caught.value.errors


def elementwise(text: str) -> ElementwiseDefinition:
    (definition,) = plan_of(text).definitions
    assert isinstance(definition, ElementwiseDefinition)
    return definition


def function(
    text: str, folder: Path | str = "", *, allow_python: bool = False
) -> FunctionDefinition:
    (definition,) = plan_of(text, folder, allow_python=allow_python).definitions
    assert isinstance(definition, FunctionDefinition)
    return definition


SWISH = """\
    swish_notes:
      kind: activation
      params: {beta: 1.5}
      forward: x * sigmoid(beta * x)
      derivative: beta * sigmoid(beta * x)
      domain: {x: [-1, inf]}
      at: {x: [0, 0.5]}
    """


def test_an_activation_uses_the_derivative_that_it_claims() -> None:
    definition = elementwise(SWISH)
    assert (definition.variables, definition.params) == (("x",), {"beta": 1.5})
    assert definition.domain == {"x": (-1.0, math.inf)}
    assert definition.at == {"x": (0.0, 0.5)}
    assert definition.line == 3
    x = np.array([0.0, 2.0])
    y, pull = definition.op.function(x, beta=1.5)
    sigmoid = 1 / (1 + np.exp(-1.5 * x))
    np.testing.assert_allclose(y, x * sigmoid, rtol=1e-15)
    np.testing.assert_allclose(pull(np.array([1.0, 2.0])), [0.75, 3 * sigmoid[1]], rtol=1e-15)
    assert definition.op.traits is None


def test_without_a_claim_the_formula_is_differentiated() -> None:
    definition = elementwise("cube:\n  kind: activation\n  forward: x ** 3\n")
    assert definition.claim is None
    _, pull = definition.op.function(np.array([2.0]))
    np.testing.assert_allclose(pull(np.array([10.0])), [120.0], rtol=1e-14)


def test_a_formula_without_its_variable_has_the_shape_of_the_input() -> None:
    for claim in ("", "  derivative: 0\n"):
        definition = elementwise(f"one:\n  kind: activation\n  forward: 1\n{claim}")
        y, pull = definition.op.function(np.zeros((2, 3), np.float32))
        assert (y.shape, y.dtype) == ((2, 3), np.float32)
        np.testing.assert_array_equal(pull(np.ones((2, 3), np.float32)), np.zeros((2, 3)))


def test_float32_stays_float32() -> None:
    definition = elementwise(SWISH)
    y, pull = definition.op.function(np.ones(3, np.float32), beta=1.5)
    assert y.dtype == np.float32
    assert pull(np.ones(3, np.float32)).dtype == np.float32


def test_a_loss_reads_predictions_and_targets() -> None:
    definition = elementwise("""\
        pinball:
          kind: loss
          params: {tau: 0.9}
          forward: where(y >= p, tau * (y - p), (tau - 1) * (y - p))
          gradient: where(y < p, 1 - tau, -tau)
        """)
    p, y = np.array([1.0, 3.0]), np.array([2.0, 2.0])
    values, pull = definition.op.function(p, y, tau=0.9)
    np.testing.assert_allclose(values, [0.9, 0.1], rtol=1e-15)
    np.testing.assert_allclose(pull(np.ones(2)), [-0.9, 0.1], rtol=1e-15)


def test_definitions_are_used_by_name_and_their_parameters_set() -> None:
    text = """\
        gradcli: 1
        data: {inputs: {shape: [4, 2]}, targets: auto}
        define:
          bent: {kind: activation, params: {beta: 1}, forward: x * beta}
          off: {kind: loss, forward: (p - y) ** 4}
        network: [dense: 2, bent, bent: 3]
        loss: off
        """
    plan = load_text(textwrap.dedent(text))
    assert [node.options for node in plan.nodes[1:]] == [{"beta": 1.0}, {"beta": 3.0}]
    assert plan.losses[0].name == "off"
    assert [definition.name for definition in plan.definitions] == ["bent", "off"]
    assert "bent" not in CATALOGUE.names()


MSE = """\
    mse_notes:
      kind: function
      inputs: {p: {shape: [6]}, y: {shape: [6], differentiable: false}}
      forward: mean((y - p) ** 2)
      gradient: {p: g * 2 * (p - y)}
    """


def test_a_function_is_evaluated_on_whole_arrays() -> None:
    definition = function(MSE)
    assert definition.formula is not None
    assert {name: plan.differentiable for name, plan in definition.inputs.items()} == {
        "p": True, "y": False,
    }  # fmt: skip
    values = {"p": np.arange(6.0), "y": np.ones(6)}
    output, saved = definition.forward(values)
    assert (output, output.shape, saved) == (np.mean((values["y"] - values["p"]) ** 2), (), None)
    assert definition.backward is not None
    found = definition.backward(values, output, np.array(3.0), saved)
    np.testing.assert_array_equal(found["p"], 6 * (values["p"] - 1))


def test_replicas_of_a_function() -> None:
    definition = function(MSE)
    p, y = np.arange(12.0).reshape(2, 6), np.ones(6)
    output, saved = definition.forward({"p": p, "y": y})
    np.testing.assert_array_equal(output, np.mean((y - p) ** 2, axis=1))
    assert definition.backward is not None
    found = definition.backward({"p": p, "y": y}, output, np.array([1.0, 2.0]), saved)
    np.testing.assert_array_equal(found["p"], 2 * np.array([[1.0], [2.0]]) * (p - y))


def test_one_number_claimed_stands_for_every_entry() -> None:
    definition = function("""\
        total:
          kind: function
          inputs: {x: {shape: [2, 3]}, k: {values: 2}}
          forward: sum(x) * k
          gradient: {x: g * k, k: 0}
        """)
    values = {"x": np.ones((2, 3)), "k": np.array(2.0)}
    assert definition.backward is not None
    found = definition.backward(values, np.array(12.0), np.array(5.0), None)
    np.testing.assert_array_equal(found["x"], np.full((2, 3), 10.0))
    np.testing.assert_array_equal(found["k"], 0.0)


def test_inputs_of_whole_numbers() -> None:
    definition = function("""\
        f:
          kind: function
          inputs:
            x: {shape: [3]}
            k: {values: [0, 2], dtype: int}
            m: {shape: [2], dtype: int, high: 9}
          forward: sum(x) + sum(k) + sum(m)
        """)
    assert definition.backward is None
    assert [plan.differentiable for plan in definition.inputs.values()] == [True, False, False]
    assert definition.inputs["m"].high == 9
    assert definition.inputs["k"].values is not None
    assert definition.inputs["k"].values.dtype == np.int64


# Each row: a definition, then code, column on its line 3 (`name: {...}`, indented by two), and part
# of the message and hint.
MISTAKES = {
    "no-kind": ("f: {forward: x}", "SP008", 3, "kind"),
    "kind": ("f: {kind: activaton, forward: x}", "SP009", 13, "did you mean activation?"),
    "layer": ("f: {kind: layer, python: a.py}", "SP008", 3, "no class"),
    "catalogue": ("tanh: {kind: activation, forward: x}", "SP011", 3, "catalogue"),
    "loss-in-catalogue": ("mse: {kind: activation, forward: x}", "SP011", 3, "catalogue"),
    "reserved": ("loss: {kind: activation, forward: x}", "SP011", 3, "reserved"),
    "no-name": ("a b: {kind: activation, forward: x}", "SP011", 3, "ASCII letters"),
    "no-forward": ("f: {kind: activation}", "SP008", 3, "no forward"),
    "key": ("f: {kind: activation, forward: x, gradient: 1}", "SP006", 37, "gradient"),
    "attribute": ("f: {kind: activation, forward: x.__class__}", "SP017", 35, "attributes"),
    "quoted": ('f: {kind: activation, forward: "x + z"}', "SP017", 39, "z is not declared"),
    "call": ("f: {kind: activation, forward: __import__(x)}", "SP017", 34, "__import__"),
    "function": ("f: {kind: activation, forward: sigmod(x)}", "SP017", 34, "mean sigmoid?"),
    "not-elementwise": ("f: {kind: activation, forward: x / sum(x)}", "SP017", 34, "elementwise"),
    "not-a-formula": ("f: {kind: activation, forward: [x]}", "SP009", 34, "formula"),
    "param-word": ("f: {kind: activation, forward: x, params: {b: c}}", "SP009", 49, "a number"),
    "param-name": ("f: {kind: activation, forward: x, params: {x: 1}}", "SP011", 46, "'x'"),
    "param-pi": ("f: {kind: activation, forward: x, params: {pi: 1}}", "SP011", 46, "'pi'"),
    "domain-variable": ("f: {kind: loss, forward: p, domain: {x: [0, 1]}}", "SP006", 40, "'x'"),
    "domain-order": ("f: {kind: activation, forward: x, domain: {x: [1, 0]}}", "SP009", 49, "low"),
    "domain-word": (
        "f: {kind: activation, forward: x, domain: {x: [0, one]}}", "SP009", 53, "inf",
    ),
    "at": ("f: {kind: activation, forward: x, at: {x: [.inf]}}", "SP009", 46, "a number"),
    "no-inputs": ("f: {kind: function, forward: 1}", "SP008", 3, "no inputs"),
    "nothing-differentiable": (
        "f: {kind: function, forward: x, inputs: {x: {shape: [2], dtype: int}}}",
        "SP008", 35, "nothing to check",
    ),
    "integers-differentiable": (
        "f: {kind: function, forward: x, inputs: "
        "{x: {shape: [], dtype: int, differentiable: true}}}",
        "SP009", 87, "not differentiable",
    ),
    "shapes": (
        "f: {kind: function, forward: x + y, inputs: {x: {shape: [2]}, y: {shape: [3]}}}",
        "SP012", 32, "x [2], y [3]",
    ),
    "memory": (
        "f: {kind: function, forward: x, inputs: {x: {shape: [1000000, 1000000]}}}",
        "SP016", 32, "TiB",
    ),
    "gradient-name": (
        "f: {kind: function, forward: x, inputs: {x: {shape: [2]}}, gradient: {x: g, z: g}}",
        "SP006", 79, "'z'",
    ),
    "gradient-missing": (
        "f: {kind: function, forward: x, inputs: {x: {shape: []}, y: {shape: []}}, "
        "gradient: {x: g}}",
        "SP008", 77, "claimed for y",
    ),
    "input-name": ("f: {kind: function, forward: 1, inputs: {g: {shape: []}}}", "SP011", 44, "'g'"),
    "python": ("f: {kind: function, python: a.py, forward: f}", "SP018", 31, "--allow-python"),
    "backward": (
        "f: {kind: function, forward: x, backward: b, inputs: {x: {shape: [2]}}}",
        "SP006", 35, "by input",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str) -> None:
    text, code, column, words = MISTAKES[mistake]
    found = [problem for problem in problems(text) if problem.code == code]
    assert len(found) == 1, problems(text)
    assert (found[0].line, found[0].column) == (3, column), found[0]
    assert words in f"{found[0].message} {found[0].hint}"


def test_a_mistake_in_a_block_is_shown_on_its_line() -> None:
    (problem,) = problems("""\
        f:
          kind: activation
          forward: |
            x +
              foo(x)
        """)
    assert (problem.line, problem.column, problem.length) == (7, 9, 3)
    assert problem.source_line.strip() == "foo(x)"


def test_using_a_broken_definition_is_no_further_mistake() -> None:
    text = """\
        gradcli: 1
        data: {inputs: {shape: [4, 2]}, targets: auto}
        define: {bent: {kind: activation, forward: x +}, off: {kind: loss, forward: q}}
        network: [dense: 2, bent]
        loss: off
        """
    with pytest.raises(SpecError) as caught:
        load_text(textwrap.dedent(text))
    assert [problem.code for problem in caught.value.errors] == ["SP017", "SP017"]


PYTHON = """\
import dataclasses
print("imported")

@dataclasses.dataclass
class Saved:
    x: float

def forward(x, w, scale=1.0):
    return scale * x * w, Saved(x)

def plain(x, w):
    return x * w

def backward(inputs, output, cotangent, saved):
    return {"x": cotangent * inputs["w"], "w": cotangent * saved.x}

def plain_backward(inputs, output, cotangent):
    return {"x": cotangent * inputs["w"], "w": cotangent * inputs["x"]}
"""

FUSED = """\
    fused:
      kind: function
      python: {source}
      forward: {forward}
      backward: {backward}
      inputs: {{x: {{shape: [3]}}, w: {{shape: [3]}}}}
    """


@pytest.mark.parametrize("source", ["my_ops.py", "sub/my_ops.py", "ops_of_mine"])
def test_python(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / (source if source.endswith(".py") else f"{source}.py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(PYTHON)
    before = list(sys.path)
    text = FUSED.format(source=source, forward="forward", backward="backward")
    try:
        definition = function(text, tmp_path, allow_python=True)
    finally:
        sys.modules.pop("ops_of_mine", None)
    assert sys.path == before
    assert capsys.readouterr() == ("", "imported\n")
    assert definition.formula is None
    values = {"x": np.arange(3.0), "w": np.ones(3)}
    output, saved = definition.forward(values)
    assert definition.backward is not None
    found = definition.backward(values, output, np.ones(3), saved)
    np.testing.assert_array_equal(found["w"], np.arange(3.0))


def test_python_that_saves_nothing(tmp_path: Path) -> None:
    (tmp_path / "my_ops.py").write_text(PYTHON)
    text = FUSED.format(source="my_ops.py", forward="plain", backward="plain_backward")
    definition = function(text, tmp_path, allow_python=True)
    values = {"x": np.arange(3.0), "w": np.ones(3)}
    output, saved = definition.forward(values)
    assert definition.backward is not None
    found = definition.backward(values, output, np.ones(3), saved)
    np.testing.assert_array_equal(found["x"], np.ones(3))


def test_python_is_not_touched_unless_allowed(tmp_path: Path) -> None:
    (tmp_path / "my_ops.py").write_text("raise SystemExit('run')")
    text = FUSED.format(source="my_ops.py", forward="forward", backward="backward")
    (problem,) = problems(text, tmp_path)
    assert problem.code == "SP018"
    (problem,) = problems(text, tmp_path, allow_python=True)
    assert (problem.code, problem.line, problem.column) == ("SP019", 5, 13)
    assert "SystemExit: run" in problem.message


@pytest.mark.parametrize(
    ("source", "forward", "line"),
    [("gone.py", "forward", 5), ("no.such.module", "forward", 5), ("my_ops.py", "forwrad", 6)],
)
def test_python_that_is_not_there(source: str, forward: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "my_ops.py").write_text(PYTHON)
    text = FUSED.format(source=source, forward=forward, backward="backward")
    (problem,) = problems(text, tmp_path, allow_python=True)
    assert (problem.code, problem.line) == ("SP019", line)
    assert source in problem.message
    assert "_gradcli_" not in problem.message
