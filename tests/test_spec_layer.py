"""`kind: layer`: how it reads, where it is used, and what is said of Python that will not do."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.engine.model import Model
from gradcli.errors import SpecError, UsageError
from gradcli.spec import load_text
from gradcli.spec.plan import LayerDefinition, Plan

OPS = """\
import numpy as np

class Dense:
    '''Every unit a weighted sum of all features.'''

    def __init__(self, units, scale=1.0, *, kind="plain"):
        print("made")
        if kind not in ("plain", "odd"):
            raise ValueError(f"no kind {kind}")
        self.units, self.scale = units, scale

    def parameters(self, in_shape, rng):
        return {"weight": rng.standard_normal((self.units, in_shape[-1])), "bias": [0.0] * 2}

    def forward(self, x, parameters):
        return x @ parameters["weight"].T * self.scale, {"x": x}

    def backward(self, x, parameters, output, cotangent, saved):
        dx = cotangent @ parameters["weight"] * self.scale
        return dx, {"weight": cotangent.T @ saved["x"] * self.scale, "bias": np.zeros(2)}

class Cube:
    def forward(self, x, parameters):
        return x**3

    def backward(self, x, parameters, output, cotangent):
        return cotangent * 3 * x**2

class Anything(Cube):
    def __init__(self, **options):
        self.options = options

class Halves(Cube):
    def forward(self, x, parameters):
        if x.shape[-1] % 2:
            raise ValueError("an odd number of features")
        return x[:, ::2]

class Complex(Cube):
    def forward(self, x, parameters):
        return 1j * x

class Ragged(Cube):
    def forward(self, x, parameters):
        return [[1.0], [2.0, 3.0]]

class Drawn(Cube):
    def __init__(self, what):
        self.what = what

    def parameters(self, in_shape, rng):
        choices = {
            "list": [1.0],
            "name": {"a b": np.ones(1)},
            "x": {"x": np.ones(1)},
            "number": {1: np.ones(1)},
            "text": {"weight": "one"},
            "nan": {"weight": np.array([np.nan])},
            "none": {"weight": None},
        }
        if self.what not in choices:
            raise KeyError(self.what)
        return choices[self.what]

class NoBackward:
    def forward(self, x, parameters):
        return x

class Nothing:
    pass

def function(x):
    return x
"""

HEAD = """\
gradcli: 1
data: {inputs: {shape: [4, 3]}, targets: auto}
network: NETWORK
loss: mse
define:
  mine: {kind: layer, python: my_ops.py, DEFINITION}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_ops.py").write_text(OPS)
    return tmp_path


def plan_of(folder: Path, definition: str, network: str = "[mine]", **options: Any) -> Plan:
    text = HEAD.replace("NETWORK", network).replace("DEFINITION", definition)
    return load_text(text, "spec.yaml", folder=str(folder), **{"allow_python": True, **options})


def test_a_layer_in_a_network_has_the_shapes_and_parameters_of_its_class(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = "[mine, tanh, {mine: {units: 5, name: wide}}, {mine: 2}]"
    plan = plan_of(folder, "class: Dense, params: {units: 7}", network)
    assert [node.name for node in plan.nodes] == ["mine_1", "tanh_1", "wide", "mine_3"]
    assert [node.shape for node in plan.nodes] == [(4, 7), (4, 7), (4, 5), (4, 2)]
    shapes = {name: parameter.shape for name, parameter in plan.parameters.items()}
    assert shapes["mine_1.weight"] == (7, 3)
    assert (shapes["wide.weight"], shapes["wide.bias"]) == ((5, 7), (2,))
    assert not plan.definitions
    assert capsys.readouterr() == ("", "made\n" * 3)


def test_whole_numbers_stay_whole_and_words_are_passed(folder: Path) -> None:
    plan = plan_of(folder, "class: Anything, params: {a: 3, b: 1.5, c: word, d: [1, 2], e: null}")
    assert repr(plan.nodes[0].options) == repr(
        {"a": 3, "b": 1.5, "c": "word", "d": [1, 2], "e": None}
    )


def test_parameters_are_drawn_together_from_the_seed_in_the_dtype_of_the_model(
    folder: Path,
) -> None:
    plan = plan_of(folder, "class: Dense, params: {units: 7}", "[mine, mine: 2]")
    first, again = Model(plan), Model(plan)
    other = Model(plan.replace(seed=1), "float32")
    weight = first.parameters["mine_1.weight"]
    np.testing.assert_array_equal(weight, again.parameters["mine_1.weight"])
    assert not np.any(weight == other.parameters["mine_1.weight"])
    assert other.parameters["mine_1.weight"].dtype == np.float32
    assert not np.any(weight[:2, :3] == first.parameters["mine_2.weight"][:, :3])


def test_value_and_gradient_of_a_layer_in_a_network(folder: Path) -> None:
    plan = plan_of(folder, "class: Dense, params: {units: 2, scale: 0.5}")
    model = Model(plan)
    x, y = model.inputs["inputs"], model.targets["targets"]
    weight = model.parameters["mine_1.weight"]
    value, gradients = model.value_and_grad()
    error = x @ weight.T / 2 - y
    assert value == pytest.approx(np.mean(error**2))
    np.testing.assert_allclose(
        gradients["mine_1.weight"], 2 / error.size * error.T @ x / 2, rtol=1e-12
    )


def test_copies_of_a_network_go_through_a_layer_one_by_one(
    folder: Path, rng: np.random.Generator
) -> None:
    model = Model(plan_of(folder, "class: Dense, params: {units: 2}"))
    copies = {name: value.copy() for name, value in model.parameters.items()}
    copies["mine_1.weight"] = rng.standard_normal((3, 2, 3))
    total, gradients = model.value_and_grad_at(copies, model.inputs["inputs"])
    for i in range(3):
        single = {**model.parameters, "mine_1.weight": copies["mine_1.weight"][i]}
        value, own = model.value_and_grad_at(single, model.inputs["inputs"])
        assert total[i] == pytest.approx(value)
        for name in own:
            np.testing.assert_allclose(gradients[name][i], own[name], rtol=1e-13)
    broken = copies["mine_1.weight"].copy()
    broken[1] = np.inf
    with np.errstate(invalid="ignore"):
        total, _ = model.value_and_grad_at(
            {**copies, "mine_1.weight": broken}, model.inputs["inputs"]
        )
    assert list(np.isfinite(total)) == [True, False, True]


def test_complex_numbers_never_reach_a_layer(folder: Path) -> None:
    model = Model(plan_of(folder, "class: Cube"))
    with pytest.raises(UsageError, match=r"mine_1 is Python .* real numbers only"):
        model.jvp({"inputs": np.ones((4, 3))})


def test_alone_a_layer_has_an_input_and_the_parameters_of_its_class(folder: Path) -> None:
    text = "class: Dense, params: {units: 7}, inputs: {x: {shape: [8, 5]}}"
    (definition,) = plan_of(folder, text, "[dense: 2]").definitions
    assert isinstance(definition, LayerDefinition)
    assert (definition.name, definition.line, definition.x.shape) == ("mine", 6, (8, 5))
    assert definition.layer.own == {"weight": (7, 5), "bias": (2,)}
    assert definition.layer.out == (8, 7)


def test_a_spec_of_a_layer_alone(folder: Path) -> None:
    text = "gradcli: 1\ndefine:\n  mine: {kind: layer, python: my_ops.py, class: Cube, %s}\n"
    spec = folder / "spec.yaml"
    spec.write_text(text % "inputs: {x: {shape: [2, 3]}}")
    report = gradcli.check(spec, allow_python=True)
    assert report.passed, report
    assert [(tensor.name, tensor.checked) for tensor in report.tensors] == [("mine", 6)]
    spec.write_text(text % "inputs: {x: {shape: [2, 3], dtype: int}}")
    (problem,) = gradcli.check(spec, allow_python=True).results[0].errors
    assert (problem.code, problem.line) == ("SP008", 3)


# Each row: the definition after its file, then the network; code of the problem, what stands at its
# place, and part of its message and hint.
MISTAKES = {
    "no-class": ("params: {}", "[mine]", "SP008", "mine: {kind", "write `class: MyDense`"),
    "unknown-class": ("class: Dens", "[mine]", "SP019", "Dens}", "did you mean Dense?"),
    "a-function": ("class: function", "[mine]", "SP019", "function}", "no class 'function'"),
    "no-backward": ("class: NoBackward", "[mine]", "SP019", "NoB", "no method backward"),
    "no-methods": ("class: Nothing", "[mine]", "SP019", "Noth", "and no method backward"),
    "key": ("class: Cube, forward: f", "[mine]", "SP006", "forward", "no 'forward'"),
    "params": ("class: Cube, params: 3", "[mine]", "SP009", "3}", "values by name"),
    "unknown-param": (
        "class: Dense, params: {unit: 3}", "[mine]", "SP006", "unit:", "did you mean units?",
    ),
    "missing-param": ("class: Dense", "[mine]", "SP008", "mine: {kind", "Dense needs units"),
    "reserved-param": ("class: Anything, params: {name: 3}", "[mine]", "SP011", "name:", "'name'"),
    "param-name": ("class: Anything, params: {a b: 3}", "[mine]", "SP011", "a b:", "'a b'"),
    "option": (
        "class: Dense, params: {units: 3}", "[mine: {unit: 3}]", "SP006", "unit:", "mean units?",
    ),
    "input-name": ("class: Cube, inputs: {z: {shape: [2]}}", "[dense: 2]", "SP006", "z:", "'z'"),
    "no-input": ("class: Cube, inputs: {}", "[mine]", "SP008", "inputs:", "no input x"),
    "unused": ("class: Cube", "[dense: 2]", "SP008", "mine: {kind", "neither used"),
    "constructor": (
        "class: Dense, params: {units: 3, kind: even}", "[mine]", "SP021", "mine]",
        "constructor of Dense raises ValueError: no kind even",
    ),
    "forward": ("class: Halves", "[mine]", "SP021", "mine]", "ValueError: an odd number"),
    "forward-complex": ("class: Complex", "[mine]", "SP021", "mine]", "complex128 of shape (4, 3)"),
    "forward-ragged": ("class: Ragged", "[mine]", "SP021", "mine]", "returns a list"),
    "alone-forward": (
        "class: Halves, inputs: {x: {shape: [2, 3]}}", "[dense: 2]", "SP021", "mine: {kind",
        "an odd number",
    ),
    "draw": ("class: Drawn, params: {what: 1}", "[mine]", "SP021", "mine]", "raises KeyError: 1"),
    "draw-list": ("class: Drawn, params: {what: list}", "[mine]", "SP021", "mine]", "not a dict"),
    "draw-name": ("class: Drawn, params: {what: name}", "[mine]", "SP021", "mine]", "called 'a b'"),
    "draw-x": ("class: Drawn, params: {what: x}", "[mine]", "SP021", "mine]", "called 'x'"),
    "draw-number": ("class: Drawn, params: {what: number}", "[mine]", "SP021", "mine]", "called 1"),
    "draw-text": ("class: Drawn, params: {what: text}", "[mine]", "SP021", "mine]", "a str"),
    "draw-nan": ("class: Drawn, params: {what: nan}", "[mine]", "SP021", "mine]", "not finite"),
    "draw-none": ("class: Drawn, params: {what: none}", "[mine]", "SP021", "mine]", "None"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str, folder: Path) -> None:
    definition, network, code, at, words = MISTAKES[mistake]
    with pytest.raises(SpecError) as caught:
        plan_of(folder, definition, network)
    (problem,) = caught.value.errors
    assert problem.code == code, problem
    assert problem.source_line[problem.column - 1 :].startswith(at), problem
    assert words in f"{problem.message} {problem.hint}"


def test_python_is_not_touched_unless_allowed(tmp_path: Path) -> None:
    (tmp_path / "my_ops.py").write_text("raise SystemExit('run')")
    for allowed, code, words in [(False, "SP018", "--allow-python"), (True, "SP019", "run")]:
        with pytest.raises(SpecError) as caught:
            plan_of(tmp_path, "class: Cube", allow_python=allowed)
        (problem,) = caught.value.errors
        assert (problem.code, problem.line, problem.column) == (code, 6, 31)
        assert words in f"{problem.message} {problem.hint}"


def test_a_layer_is_not_tried_on_more_than_the_memory_allows(folder: Path) -> None:
    text = textwrap.dedent("""\
        gradcli: 1
        data: {inputs: {shape: [4, 3]}, targets: auto}
        network: [dense: 1000, mine]
        loss: mse
        define: {mine: {kind: layer, python: my_ops.py, class: Cube}}
        """)
    with pytest.raises(SpecError) as caught:
        load_text(text, "spec.yaml", folder=str(folder), allow_python=True, max_memory=30_000)
    problem = next(found for found in caught.value.errors if found.column == 24)
    assert (problem.code, problem.line) == ("SP016", 3)
    assert "the input of mine_1 needs about 31.2 KiB" in problem.message
