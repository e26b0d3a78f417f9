"""Every kind of mistake, planted in a formula.

The table is by code: what is planted, or why the kind cannot exist there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kinds import CODES, ROWS, SIZE, Data, Plant, holds, told

import gradcli
import gradcli.ops

X = {"x": {"shape": [ROWS, SIZE]}, "w": {"shape": [SIZE]}}
SQUARE = {"x": {"shape": [SIZE, SIZE]}}
FIXED = {"differentiable": False}
FIRST = {"values": [[1.0] + [0.0] * (ROWS - 1)], **FIXED}
ROUNDS = np.where(np.arange(SIZE)[:, None] < SIZE - 1, 1.0, 0.0) * np.ones((SIZE, SIZE))
ONE = 1 + 0.1 * (np.arange(SIZE * SIZE) == 55).reshape(SIZE, SIZE)
SHIFT = np.roll(np.eye(SIZE), 1, axis=1)


def activation(forward: str, derivative: str, **more: Any) -> Data:
    return {"kind": "activation", "forward": forward, "derivative": derivative, **more}


def matrix(claim: str, **more: Any) -> Data:
    """sin(x)·x of a square x, with other arrays that the claim may use."""
    unused = "".join(f" + 0 * sum({name})" for name in more)
    return {
        "kind": "function",
        "inputs": {**SQUARE, **{name: {"values": v, **FIXED} for name, v in more.items()}},
        "forward": f"sin(x) * x{unused}",
        "gradient": {"x": claim.format(right="g * (cos(x) * x + sin(x))")},
    }


def scaled(claim: str, **more: Any) -> Data:
    """x·w, of which w is shared by the rows of x."""
    unused = "".join(f" + 0 * sum({name})" for name in more)
    return {
        "kind": "function",
        "inputs": {**X, **more},
        "forward": f"x * w{unused}",
        "gradient": {"x": "g * w", "w": claim},
    }


FORMULAS: dict[str, Plant | str] = {
    "GC001": Plant(matrix("{right} * abs(g)")),
    "GC002": Plant(scaled("g * x")),
    "GC003": "the numbers of a formula have the format of its inputs",
    "GC004": Plant(activation("x * abs(x)", "2 * x**2 / abs(x)")),
    "GC005": "a formula draws no random numbers and keeps nothing",
    "GC006": "a formula cannot write to its arguments",
    "GC007": Plant(
        {
            "kind": "function",
            "inputs": {"x": {"shape": [5, 3]}, "w": {"shape": [4]}},
            "forward": "sum(x) * w",
            "gradient": {"x": "g * x", "w": "g * sum(x)"},
        }
    ),
    "GC100": Plant(activation("tanh(x)", "(1 + 0.1 * sin(x)) * (1 - tanh(x)**2)")),
    "GC101": Plant(activation("cos(x)", "sin(x)"), {"factor": -1}),
    "GC102": Plant(
        activation("sin(beta * x)", "cos(beta * x)", params={"beta": 1.5}),
        {"factor": 1 / 1.5, "is": "1/beta"},
    ),
    "GC103": Plant(activation("tanh(x)", "0 * x")),
    "GC104": Plant(matrix("transpose({right})")),
    "GC105": Plant(matrix("clip({right}, -0.4, 0.4)"), {"limit": 0.4}),
    "GC106": Plant(scaled("sum(matmul(first, g * x), 0)", first=FIRST), {"row": 0, "rows": ROWS}),
    "GC107": Plant(
        activation("where(x > 1, x, x**2)", "where(x > 1, 2, 2 * x)"), {"branch": "x > 1"}
    ),
    "GC108": Plant(matrix("{right} * rounds", rounds=ROUNDS.tolist()), {"rows": [SIZE - 1]}),
    "GC109": Plant(matrix("{right} * one", one=ONE.tolist()), {"indices": [[4, 7]]}),
    "GC110": Plant(matrix("matmul({right}, shift)", shift=SHIFT.tolist())),
    "GC111": Plant(activation("x * sigmoid(x)", "sigmoid(x)"), {"missing": "sigmoid(x)"}),
    "GC112": "a formula has no number format but that of its inputs",
    "GC113": Plant(activation("tanh(x)", "(1 + 3e-6) * (1 - tanh(x)**2)")),
}


@pytest.mark.parametrize("code", [c for c, plant in FORMULAS.items() if isinstance(plant, Plant)])
def test_in_a_formula(code: str) -> None:
    plant = FORMULAS[code]
    assert isinstance(plant, Plant)
    report = gradcli.check({"gradcli": 1, "define": {"f": plant.what}})
    (found,) = told(report)
    assert found.where.partition(".")[0] == "f"
    holds(found, code, plant.data)


def test_every_code_is_planted_or_cannot_be() -> None:
    assert set(FORMULAS) == set(CODES)


@pytest.mark.parametrize(
    ("forward", "claim", "missing"),
    [
        ("x + tanh(x)", "1 - tanh(x)**2", "x"),
        ("x + tanh(x)", "1", "tanh(x)"),
        ("x * sigmoid(1.5 * x)", "1.5 * x * sigmoid(1.5*x) * (1 - sigmoid(1.5*x))", "x"),
        ("exp(-x**2) * sin(x)", "exp(-x**2) * cos(x)", "exp(-x**2)"),
        ("x / (1 + abs(x))", "1 / (1 + abs(x))", "(1 + abs(x))"),
    ],
)
def test_the_part_of_a_formula_that_was_forgotten_is_named(
    forward: str, claim: str, missing: str
) -> None:
    report = gradcli.check({"gradcli": 1, "define": {"f": activation(forward, claim)}})
    (found,) = told(report)
    assert found.code == "GC111"
    assert found.data["missing"].strip("()") == missing.strip("()")


@pytest.mark.parametrize(
    ("condition", "wrong"), [("x > 1", "where(x > 1, 2, 1)"), ("x < 0", "where(x > 0, 1, 0.9)")]
)
def test_one_branch_is_named_by_its_condition(condition: str, wrong: str) -> None:
    definition = activation("where(x > 0, x, 0.1 * x)", f"({wrong}) * where(x > 0, 1, 0.1)")
    report = gradcli.check({"gradcli": 1, "define": {"f": definition}})
    (error,) = told(report)
    assert error.code == "GC107"
    assert error.data["branch"] == condition
