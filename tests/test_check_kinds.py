"""Every kind of mistake, planted in Python and inside a network.

Each setting is a table by code: what is planted, or why the kind cannot exist there.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from kinds import CODES, ROWS, SIZE, Plant, holds, told

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.arrays import Array
from gradcli.core.op import Activation, Layer, Term
from gradcli.core.registry import CATALOGUE
from gradcli.diagnostics.finding import Finding
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan


class Call(NamedTuple):
    """A pullback that is being called: `pull` gives the right cotangent, x is the operand."""

    pull: Callable[[Array], Array]
    g: Array
    x: Array

    @property
    def right(self) -> Array:
        return self.pull(self.g)


def one_row(call: Call) -> Array:
    first = np.zeros_like(call.g)
    first[0] = call.g[0]
    return call.pull(first)


def last_row_missing(call: Call) -> Array:
    return call.right * (np.arange(SIZE) < SIZE - 1)[:, None]


def one_entry(factor: float) -> Callable[[Call], Array]:
    def change(call: Call) -> Array:
        changed = call.right.copy()
        changed[..., 4, 7] *= factor
        return changed

    return change


def overwritten(call: Call) -> Array:
    right = call.right
    call.x[...] *= 2
    return right


def raising(call: Call) -> Array:
    raise ValueError("a mistake")


def off_by_another_factor_in_each_entry() -> Callable[[Call], Array]:
    wave = 1 + 0.1 * np.sin(np.arange(SIZE * SIZE)).reshape(SIZE, SIZE)
    return lambda call: call.right * wave


def another_in_each_call() -> Callable[[Call], Array]:
    calls = count(1)
    return lambda call: call.right * next(calls)


def clipped(call: Call) -> Array:
    return np.clip(call.right, -0.05, 0.05)


KINDS: dict[str, Plant] = {
    "GC001": Plant(lambda call: call.pull(call.g * np.abs(call.g))),
    "GC002": Plant(lambda call: call.right[None]),
    "GC003": Plant(lambda call: (1e3 * call.pull(call.g / 1e3)).astype(int)),
    "GC004": Plant(one_entry(np.nan), {"index": [4, 7]}),
    "GC005": Plant(another_in_each_call()),
    "GC006": Plant(overwritten),
    "GC007": Plant(raising),
    "GC100": Plant(off_by_another_factor_in_each_entry()),
    "GC101": Plant(lambda call: -call.right, {"factor": -1}),
    "GC102": Plant(lambda call: call.right / ROWS, {"factor": 1 / ROWS}),
    "GC103": Plant(lambda call: 0 * call.right, {"entries": SIZE * SIZE}),
    "GC104": Plant(lambda call: np.swapaxes(call.right, -1, -2).copy()),
    "GC105": Plant(clipped, {"limit": 0.05}),
    "GC106": Plant(one_row, {"row": 0, "rows": ROWS}),
    "GC107": Plant(lambda call: call.right * np.where(call.x > 0, 1.5, 1)),
    "GC108": Plant(last_row_missing, {"rows": [SIZE - 1]}),
    "GC109": Plant(one_entry(1.1), {"entries": 1, "indices": [[4, 7]]}),
    "GC110": Plant(lambda call: np.roll(call.right, 1, axis=-1)),
    "GC112": Plant(lambda call: call.right.astype(np.float16).astype(float), {"format": "float16"}),
    "GC113": Plant(lambda call: call.right * (1 + 3e-6)),
}
"""Mistakes in a gradient of shape (SIZE, SIZE) that is a sum over ROWS rows."""


# In Python: a function with its backward.

PYTHON: dict[str, Plant | str] = {
    **KINDS,
    "GC107": Plant(KINDS["GC107"].what, {"branch": "x > 0"}),
    "GC111": "nothing is known of the inside of a Python function, so no part of it can be named",
}


@pytest.mark.parametrize("code", [c for c, plant in PYTHON.items() if isinstance(plant, Plant)])
def test_in_a_python_function(code: str, rng: np.random.Generator) -> None:
    plant = PYTHON[code]
    assert isinstance(plant, Plant)
    a, w = rng.standard_normal((ROWS, SIZE)), rng.standard_normal((SIZE, SIZE)) / 4

    def backward(w: Array, y: Array, g: Array) -> Array:
        made: Array = plant.what(Call(lambda g: a.T @ (g * (1 - y**2)), g, w))
        return made

    report = gradcli.check_vjp(lambda w: np.tanh(a @ w), backward, w)
    (found,) = told(report)
    holds(found, code, plant.data)


# In the middle of a network: in an op of ours, or, where only a class in Python can do that, there.

SPEC: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [ROWS, SIZE]}, "targets": "auto"},
    "network": [
        {"dense": SIZE},
        {"leaky_relu": 0.1},
        {"dense": SIZE},
        {"residual": [{"dense": SIZE}, "tanh"]},
        {"dense": 3},
    ],
    "loss": "cross_entropy",
}
PENALISED = {**SPEC, "loss": {"sum": ["cross_entropy", {"l2": {"weight": 0.5}}]}}


def with_node(name: str, wrong: Callable[[Any], Any]) -> Plan:
    plan = load_plan(SPEC)
    nodes = [node.replace(op=wrong(node.op)) if node.name == name else node for node in plan.nodes]
    return plan.replace(nodes=tuple(nodes))


def wrong_weight(change: Callable[[Call], Array]) -> Plan:
    """dense_2 with a mistake in the gradient of its weight."""

    def wrong(op: Layer) -> Layer:
        def function(x: Array, *, parameters: dict[str, Array], **options: Any) -> Any:
            y, pull = op.function(x, parameters=parameters, **options)

            def pullback(g: Array) -> Any:
                dx, cotangents = pull(g)
                call = Call(lambda g: pull(g)[1]["weight"], g, parameters["weight"])
                return dx, {**cotangents, "weight": change(call)}

            return y, pullback

        return op.replace(function=function)

    return with_node("dense_2", wrong)


def one_side_wrong() -> Plan:
    """leaky_relu_1 with a slope of 0.2 in place of 0.1."""

    def wrong(op: Activation) -> Activation:
        def function(x: Array, **options: Any) -> Any:
            y, _ = op.function(x, **options)
            return y, lambda g: g * np.where(x > 0, 1.0, 0.2)

        return op.replace(function=function)

    return with_node("leaky_relu_1", wrong)


def without_the_branch() -> Plan:
    """residual_1 that passes nothing on to its branch."""

    def wrong(op: Layer) -> Layer:
        def function(x: Array, branch: Array, **options: Any) -> Any:
            y, _ = op.function(x, branch, **options)
            return y, lambda g: ((g, 0 * g), {})

        return op.replace(function=function)

    return with_node("residual_1", wrong)


def without_the_penalty() -> Plan:
    """l2 whose gradient is left out."""
    plan = load_plan(PENALISED)
    l2 = CATALOGUE.find("l2", Term)
    assert l2 is not None
    wrong = l2.replace(function=lambda w: (w * w, lambda g: 0 * w))
    return plan.replace(terms=tuple(term.replace(op=wrong) for term in plan.terms))


LAYER = """
import numpy as np

calls = []

class Product:
    def parameters(self, in_shape, rng):
        return {{"weight": rng.standard_normal((in_shape[-1], in_shape[-1]))}}

    def forward(self, x, parameters):
        return x @ parameters["weight"].T

    def backward(self, x, parameters, output, g):
        weight = g.T @ x
        {mistake}
        return g @ parameters["weight"], {{"weight": weight}}
"""

NETWORK: dict[str, Plant | str] = {
    **{
        code: Plant(("dense_2", lambda code=code: wrong_weight(KINDS[code].what)), KINDS[code].data)
        for code in KINDS
        if code not in ("GC002", "GC003", "GC005", "GC006", "GC007", "GC105", "GC107")
    },
    "GC002": Plant("weight = weight[None]"),
    "GC003": Plant("weight = weight.astype(int)"),
    "GC005": Plant("weight = weight * (1 + len(calls)); calls.append(1)"),
    "GC006": Plant("x[...] = 0"),
    "GC007": Plant("raise ValueError('a mistake')"),
    "GC105": Plant(
        ("dense_2", lambda: wrong_weight(lambda call: np.clip(call.right, -0.03, 0.03)))
    ),
    "GC107": Plant(("leaky_relu_1", one_side_wrong), {"branch": "inputs < 0"}),
    "GC111": Plant(("residual_1", without_the_branch), {"missing": "residual_1"}),
}


@pytest.mark.parametrize("code", NETWORK)
def test_in_the_middle_of_a_network(code: str, tmp_path: Path) -> None:
    plant = NETWORK[code]
    assert isinstance(plant, Plant)
    if isinstance(plant.what, str):
        found = in_a_python_layer(plant.what, tmp_path)
        place = "product_1"
    else:
        place, plan = plant.what
        result = check_plan(plan(), CheckOptions())
        found = [f for f in told(result) if f.severity == "error" or result.verdict == "pass"]
        place = place if result.verdict == "fail" else "dense_2.weight"
    assert {each.where for each in found} == {place}, found
    holds(found[0], code, plant.data)
    assert len({each.code for each in found}) == 1


def in_a_python_layer(mistake: str, folder: Path) -> list[Finding]:
    (folder / "layers.py").write_text(LAYER.format(mistake=mistake), encoding="utf-8")
    path = folder / "spec.yaml"
    path.write_text(
        """
gradcli: 1
data: {inputs: {shape: [16, 4]}, targets: auto}
network: [{dense: 5}, tanh, product, {dense: 3}]
loss: cross_entropy
define:
  product: {kind: layer, python: layers.py, class: Product}
""",
        encoding="utf-8",
    )
    return told(gradcli.check(path, allow_python=True))


def test_a_penalty_that_is_left_out_is_named() -> None:
    result = check_plan(without_the_penalty(), CheckOptions())
    errors = told(result)
    weights = {tensor.name for tensor in result.tensors if tensor.verdict == "fail"}
    assert weights == {name for name in load_plan(PENALISED).parameters if name.endswith("weight")}
    assert {(error.where, error.code) for error in errors} == {("l2", "GC111")}
    assert {error.data["to"] for error in errors} == weights
    assert {error.data["missing"] for error in errors} == {"l2"}


@pytest.mark.parametrize("setting", [PYTHON, NETWORK], ids=["Python", "network"])
def test_every_code_is_planted_or_cannot_be(setting: dict[str, Plant | str]) -> None:
    assert set(setting) == set(CODES)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda d: d / ROWS, "1/the batch size"),
        (lambda d: d * ROWS, "the batch size"),
        (lambda d: d * SIZE, f"the width {SIZE}"),
        (lambda d: 2 * d, "2"),
        (lambda d: d / 2, "1/2"),
    ],
)
def test_a_factor_is_named(change: Callable[[Array], Array], name: str) -> None:
    result = check_plan(wrong_weight(lambda call: change(call.right)), CheckOptions())
    (error,) = told(result)
    assert (error.where, error.code, error.data["is"]) == ("dense_2", "GC102", name)


def test_a_factor_that_is_an_option_of_the_op_is_named() -> None:
    def wrong(op: Activation) -> Activation:
        def function(x: Array, *, alpha: float) -> Any:
            y, pull = op.function(x, alpha=alpha)
            return y, lambda g: alpha * pull(g)

        return op.replace(function=function)

    (error,) = told(check_plan(with_node("leaky_relu_1", wrong), CheckOptions()))
    assert (error.where, error.code) == ("leaky_relu_1", "GC102")
    assert error.data["factor"] == pytest.approx(0.1)
    assert error.data["is"] == "alpha of leaky_relu"
