"""Every kind of mistake, planted in a formula, in a Python function, and inside a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.arrays import Array
from gradcli.core.registry import CATALOGUE
from gradcli.diagnostics.finding import Finding
from gradcli.spec import load_plan

SIZE = 12
SPEC: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [8, SIZE]}, "targets": "auto"},
    "network": [{"dense": SIZE}, "tanh", {"dense": SIZE}, "tanh", {"dense": 3}],
    "loss": "cross_entropy",
}


def last_row_missing(d: Array) -> Array:
    return d * (np.arange(SIZE) < SIZE - 1)[:, None]


def one_entry_off(d: Array) -> Array:
    changed = d.copy()
    changed[..., 4, 7] *= 1.1
    return changed


KINDS: dict[str, Callable[[Array], Array]] = {
    "GC101": lambda d: -d,
    "GC102": lambda d: 1.25 * d,
    "GC103": lambda d: 0 * d,
    "GC104": lambda d: np.swapaxes(d, -1, -2),
    "GC105": lambda d: np.clip(d, -np.abs(d).max() / 3, np.abs(d).max() / 3),
    "GC108": last_row_missing,
    "GC109": one_entry_off,
    "GC110": lambda d: np.roll(d, 1, axis=-1),
    "GC100": lambda d: d * (1 + 0.1 * np.sin(np.arange(d.size)).reshape(d.shape)),
}


def errors(findings: tuple[Finding, ...]) -> list[Finding]:
    return [found for found in findings if found.severity == "error"]


@pytest.mark.parametrize("code", KINDS)
def test_in_a_python_function(code: str, rng: np.random.Generator) -> None:
    a, x = rng.standard_normal((SIZE, SIZE)), rng.standard_normal((SIZE, SIZE))

    def backward(inputs: Array, output: Array, g: Array) -> Array:
        return KINDS[code](a.T @ (g * (1 - output**2)))

    report = gradcli.check_vjp(lambda w: np.tanh(a @ w), backward, x / 4)
    (error,) = errors(report.findings)
    assert error.code == code, report
    if code == "GC102":
        assert error.data["factor"] == pytest.approx(1.25, rel=1e-9)
    if code == "GC108":
        assert error.data["rows"] == [SIZE - 1]
    if code == "GC109":
        assert error.data["indices"] == [[4, 7]]


@pytest.mark.parametrize("code", KINDS)
def test_in_the_middle_of_a_network(code: str) -> None:
    dense = next(op for op in CATALOGUE if op.name == "dense")

    def wrong(x: Array, **options: Any) -> tuple[Array, Any]:
        y, pull = dense.function(x, **options)

        def pullback(g: Array) -> tuple[Array, dict[str, Array]]:
            dx, cotangents = pull(g)
            return dx, {**cotangents, "weight": KINDS[code](cotangents["weight"])}

        return y, pullback

    plan = load_plan(SPEC)
    nodes = [
        node.replace(op=dense.replace(function=wrong)) if node.name == "dense_2" else node
        for node in plan.nodes
    ]
    result = check_plan(plan.replace(nodes=tuple(nodes)), CheckOptions())
    (error,) = errors(result.findings)
    assert (error.where, error.code) == ("dense_2", code)
    assert error.data["operand"] == "weight"
    assert [tensor.name for tensor in result.tensors if tensor.verdict == "fail"] == [
        "dense_2.weight"
    ]


FORMULAS = {
    "GC101": "-({})",
    "GC102": "1.25 * ({})",
    "GC103": "0 * ({})",
    "GC104": "transpose({})",
    "GC105": "clip({}, -0.7, 0.7)",
    "GC108": "({}) * mask",
    "GC110": "matmul({}, shift)",
    "GC100": "({}) * (1 + 0.1 * sin(w))",
}


@pytest.mark.parametrize("code", FORMULAS)
def test_in_a_formula(code: str) -> None:
    rows = np.repeat((np.arange(SIZE) < SIZE - 1).astype(float)[:, None], SIZE, axis=1)
    inputs = {
        "w": {"shape": [SIZE, SIZE], "std": 0.2},
        "a": {"shape": [SIZE, SIZE], "differentiable": False},
        "mask": {"values": rows, "differentiable": False},
        "shift": {"values": np.roll(np.eye(SIZE), 1, axis=1), "differentiable": False},
    }
    right = "matmul(transpose(a), g * (1 - tanh(matmul(a, w))**2))"
    definition = {
        "kind": "function",
        "inputs": inputs,
        "forward": "tanh(matmul(a, w)) + 0 * sum(mask) + 0 * sum(shift)",
        "gradient": {"w": FORMULAS[code].format(right)},
    }
    report = gradcli.check({"gradcli": 1, "define": {"f": definition}})
    (error,) = errors(report.findings)
    assert (error.where, error.code) == ("f", code), report


@pytest.mark.parametrize(
    ("condition", "wrong"), [("x > 1", "where(x > 1, 2, 1)"), ("x > 0", "where(x > 0, 1, 0.9)")]
)
def test_one_branch_is_named_by_its_condition(condition: str, wrong: str) -> None:
    definition = {
        "kind": "activation",
        "forward": "where(x > 0, x, 0.1 * x)",
        "derivative": f"({wrong}) * where(x > 0, 1, 0.1)",
    }
    report = gradcli.check({"gradcli": 1, "define": {"f": definition}})
    (error,) = errors(report.findings)
    assert error.code == "GC107"
    assert condition in error.data["branch"]
