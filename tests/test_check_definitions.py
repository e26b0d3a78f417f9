"""Definitions standing alone: right ones pass everywhere, wrong ones are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.errors import ExitCode


def check(definition: dict[str, Any], **more: Any) -> CheckReport:
    return gradcli.check({"gradcli": 1, "define": {"f": definition}, **more})


def activation(forward: str, derivative: str, **more: Any) -> dict[str, Any]:
    return {"kind": "activation", "forward": forward, "derivative": derivative, **more}


CORRECT = {
    "sigmoid": ("1 / (1 + exp(-x))", "exp(-x) / (1 + exp(-x))**2"),
    "sigmoid, cancelling": ("sigmoid(x)", "sigmoid(x) * (1 - sigmoid(x))"),
    "tanh, cancelling": ("tanh(x)", "1 - tanh(x)**2"),
    "softplus, naive": ("log(1 + exp(x))", "sigmoid(x)"),
    "relu": ("maximum(x, 0)", "where(x > 0, 1, 0)"),
    "relu, slope 1 at zero": ("maximum(x, 0)", "where(x >= 0, 1, 0)"),
    "relu, slope a half at zero": ("maximum(x, 0)", "where(x > 0, 1, where(x < 0, 0, 0.5))"),
    "hard tanh": ("clip(x, -1, 1)", "where(abs(x) < 1, 1, 0)"),
    "elu": ("where(x > 0, x, exp(x) - 1)", "where(x > 0, 1, exp(x))"),
    "kink far out": ("abs(x - 33.3)", "sign(x - 33.3)"),
    "kink beside a grid point": ("abs(x - 1e-9)", "sign(x - 1e-9)"),
    "two kinks": ("abs(x - 1) + abs(x + 1)", "sign(x - 1) + sign(x + 1)"),
    "gelu": ("x * 0.5 * (1 + erf(x / sqrt(2)))",
             "0.5 * (1 + erf(x / sqrt(2))) + x * exp(-x**2 / 2) / sqrt(2 * pi)"),
    "logarithm": ("log(x)", "1 / x"),
    "square root": ("sqrt(x)", "0.5 / sqrt(x)"),
    "steep": ("tanh(50 * x)", "50 * (1 - tanh(50 * x)**2)"),
    "waves": ("sin(10 * x)", "10 * cos(10 * x)"),
    "constant": ("0 * x + 3", "0 * x"),
    "flat at zero": ("x**3", "3 * x**2"),
    "steep, and flat at zero": ("1e80 * x**3", "3e80 * x**2"),
    "a root beside zero": ("abs(x)**1.5", "1.5 * sign(x) * sqrt(abs(x))"),
}  # fmt: skip


WITHOUT_EFFECT = {("hard tanh", "GC107"), ("steep", "GC107")}
"""Beyond 2 these slopes are zero, or too small for the claim's own arithmetic."""


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_derivative_passes(name: str) -> None:
    report = check(activation(*CORRECT[name]))
    assert report.verdict == "pass", report
    assert not [f for f in report.findings if f.severity != "note"], report


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize(
    ("code", "wrap"),
    [
        ("GC101", "-({})"),
        ("GC102", "1.25 * ({})"),
        ("GC107", "where(x > 2, 1.1, 1) * ({})"),
        ("GC100", "(1 + 0.1 * sin(x)) * ({})"),
    ],
)
def test_the_same_with_a_mistake_is_named(name: str, code: str, wrap: str) -> None:
    forward, derivative = CORRECT[name]
    report = check(activation(forward, wrap.format(derivative)))
    if (name, code) in WITHOUT_EFFECT or name == "constant":
        assert report.passed
        return
    assert report.verdict == "fail", report
    assert report.exit_code == ExitCode.WRONG
    (error,) = [found for found in report.findings if found.severity == "error"]
    assert (error.where, error.code) == ("f", code)
    if code == "GC102":
        assert error.data["factor"] == pytest.approx(1.25, rel=1e-12)


def test_a_factor_that_is_a_parameter_is_named() -> None:
    report = check(
        activation(
            "x * sigmoid(beta * x)",
            "beta * sigmoid(beta * x) * (1 + beta * x * (1 - sigmoid(beta * x)))",
            params={"beta": 1.5},
        )
    )
    (error,) = report.findings
    assert (error.code, error.data["factor"], error.data["is"]) == ("GC102", 1.5, "beta")


def test_the_grid_is_the_documented_one() -> None:
    report = check(activation("x**2", "2 * x"))
    (tensor,) = report.tensors
    assert (tensor.shape, tensor.checked, tensor.kinks) == ((161,), 161, 0)


def test_kinks_are_counted_and_not_graded() -> None:
    (tensor,) = check(activation("abs(x - 1)", "sign(x - 1)")).tensors
    assert tensor.kinks >= 1
    assert tensor.verdict == "pass"


def test_the_domain_bounds_the_grid_and_one_side_confirms_at_its_end() -> None:
    definition = activation("x**2", "2 * x", domain={"x": [0, "inf"]})
    assert check(definition).passed
    definition = activation("where(x < 0, -x**2, x**2)", "where(x < 0, 7, 2 * x)")
    assert not check(definition).passed
    assert check({**definition, "domain": {"x": [0, "inf"]}}).passed


def test_points_can_be_added() -> None:
    wrong_at_one_place = "where(abs(x - 0.123) < 1e-7, 5, 2 * x)"
    definition = activation("x**2", wrong_at_one_place, at={"x": [0.123]})
    assert check(definition).verdict == "fail"


def test_nothing_left_of_the_grid_is_inconclusive() -> None:
    report = check(activation("log(x - 1000)", "1 / (x - 1000)"))
    assert report.verdict == "inconclusive"
    assert report.exit_code == ExitCode.UNDECIDED


def test_points_outside_are_left_out_with_a_note() -> None:
    report = check(activation("log(x)", "1 / x"))
    assert report.passed
    assert [(found.code, found.severity) for found in report.findings] == [("GC203", "note")]


def test_without_a_claim_the_check_says_so() -> None:
    report = check({"kind": "activation", "forward": "x * tanh(x)"})
    assert report.passed
    assert [found.code for found in report.findings] == ["GC205"]


def test_a_loss_is_checked_over_predictions_and_targets() -> None:
    pinball = {
        "kind": "loss",
        "params": {"tau": 0.9},
        "forward": "where(y >= p, tau * (y - p), (tau - 1) * (y - p))",
        "gradient": "where(y < p, 1 - tau, -tau)",
    }
    report = check(pinball)
    assert report.verdict == "pass", report
    assert report.tensors[0].kinks > 0
    report = check({**pinball, "gradient": "where(y < p, tau - 1, tau)"})
    assert [f.code for f in report.findings if f.severity == "error"] == ["GC101"]


FUNCTION: dict[str, Any] = {
    "kind": "function",
    "inputs": {"p": {"shape": [6]}, "y": {"shape": [6], "differentiable": False}},
    "forward": "mean((y - p) ** 2)",
}


@pytest.mark.parametrize(
    ("gradient", "code"),
    [
        ("g * 2 * (p - y) / 6", None),
        ("g * 2 * (p - y)", "GC102"),
        ("g * 2 * (y - p) / 6", "GC101"),
        ("0 * p", "GC103"),
        ("g * 2 * p / 6", "GC100"),
        ("2 * (p - y) / 6", None),
        ("g ** 2 * 2 * (p - y) / 6", "GC001"),
    ],
)
def test_a_function_of_whole_arrays(gradient: str, code: str | None) -> None:
    report = check({**FUNCTION, "gradient": {"p": gradient}})
    assert [f.code for f in report.findings if f.severity == "error"] == ([code] if code else [])
    assert [tensor.name for tensor in report.tensors] == ["f"]


@pytest.mark.parametrize(
    ("forward", "derivative", "branch"),
    [
        ("where(x < 0, 0.1 * x, x)", "where(x < 0, 0.1, 2)", "x > 0"),
        ("where(x <= 0, 0.1 * x, x)", "where(x <= 0, 0.3, 1)", "x <= 0"),
        ("where(0 < x, x, 0.1 * x)", "where(0 < x, 2, 0.1)", "0 < x"),
        ("where(x >= 1, x, x**2)", "where(x >= 1, 1, x)", "x < 1"),
        ("maximum(x, 0.1 * x)", "where(x > 0, 1, 0.2)", "x < 0.1 * x"),
        ("abs(x - 1)", "where(x > 1, 1, -1.2)", "x - 1 < 0"),
        ("clip(x, -1, 2)", "where(x > 2, 0.5, where(x > -1, 1, 0))", "x > 2"),
    ],
)
def test_the_side_that_is_wrong_is_named(forward: str, derivative: str, branch: str) -> None:
    (error,) = [f for f in check(activation(forward, derivative)).findings if f.severity == "error"]
    assert (error.code, error.data["branch"]) == ("GC107", branch)
    assert f"where {branch}," in error.message


@pytest.mark.parametrize("values", [[0.0, 0.0], [0.0, 2.0]])
def test_a_function_flat_at_zero(values: list[float]) -> None:
    definition = {
        "kind": "function",
        "inputs": {"x": {"values": values}},
        "forward": "1e60 * sum(x**3)",
        "gradient": {"x": "g * 3e60 * x**2"},
    }
    assert check(definition).verdict == "pass"
    assert check({**definition, "gradient": {"x": "g * 3e60 * x**2 + 1e60 * g"}}).verdict == "fail"


def test_inputs_of_a_function_are_checked_one_by_one() -> None:
    definition = {
        "kind": "function",
        "inputs": {"a": {"shape": [3, 4]}, "b": {"shape": [4, 2]}},
        "forward": "tanh(matmul(a, b))",
        "gradient": {
            "a": "matmul(g * (1 - tanh(matmul(a, b))**2), transpose(b))",
            "b": "matmul(transpose(a), g)",
        },
    }
    report = check(definition)
    assert {t.name: t.verdict for t in report.tensors} == {"f.a": "pass", "f.b": "fail"}


PYTHON = """
import numpy as np

def forward(x, weight):
    mean = x.mean(axis=-1, keepdims=True)
    std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    normal = (x - mean) / std
    return normal * weight, (normal, std)

def backward(inputs, output, cotangent, saved):
    normal, std = saved
    g = cotangent * inputs["weight"]
    dx = (g - g.mean(-1, keepdims=True) - normal * (g * normal).mean(-1, keepdims=True)) / std
    return {"x": dx, "weight": (cotangent * normal).sum(axis=0)}

def without_mean(inputs, output, cotangent, saved):
    normal, std = saved
    g = cotangent * inputs["weight"]
    dx = (g - normal * (g * normal).mean(-1, keepdims=True)) / std
    return {"x": dx, "weight": (cotangent * normal).sum(axis=0)}
"""


@pytest.mark.parametrize(("backward", "verdict"), [("backward", "pass"), ("without_mean", "fail")])
def test_a_function_in_python(tmp_path: Any, backward: str, verdict: str) -> None:
    (tmp_path / "my_ops.py").write_text(PYTHON)
    spec = tmp_path / "norm.yaml"
    spec.write_text(
        "gradcli: 1\n"
        "define:\n"
        "  norm:\n"
        "    kind: function\n"
        "    python: my_ops.py\n"
        "    forward: forward\n"
        f"    backward: {backward}\n"
        "    inputs: {x: {shape: [8, 16]}, weight: {shape: [16]}}\n"
    )
    refused = gradcli.check(spec)
    assert refused.verdict == "invalid"
    assert "--allow-python" in str(refused)
    report = gradcli.check(spec, allow_python=True)
    assert report.verdict == verdict, report
    wrong = {tensor.name for tensor in report.tensors if tensor.verdict == "fail"}
    assert wrong == ({"norm.x"} if verdict == "fail" else set())


BACKWARDS = {
    "an array": ("return cotangent", "GC002", "returns a ndarray, not a dict"),
    "nothing": ("pass", "GC002", "returns None, not a dict"),
    "an attribute of what was saved": (
        "saved.slope[0] = 0; return {'x': cotangent}", "GC006", "saved value 0",
    ),
    "what was saved in slots": (
        "saved.more.twice[0] = 0; return {'x': cotangent}", "GC006", "saved value 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BACKWARDS)
def test_a_backward_in_python_that_breaks_a_contract(name: str, tmp_path: Any) -> None:
    body, code, words = BACKWARDS[name]
    (tmp_path / "my_ops.py").write_text(f"""
class More:
    __slots__ = ("twice",)

class Saved:
    def __init__(self, x):
        self.slope, self.more, self.self = 2 * x, More(), self
        self.more.twice = x + x

def forward(x):
    return x**2, Saved(x)

def backward(inputs, output, cotangent, saved):
    {body}
""")
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "gradcli: 1\ndefine:\n  square: {kind: function, python: my_ops.py, forward: forward, "
        "backward: backward, inputs: {x: {shape: [3]}}}\n"
    )
    report = gradcli.check(spec, allow_python=True)
    (found,) = [found for found in report.findings if found.severity == "error"]
    assert (found.where, found.code) == ("square", code)
    assert words in found.message


def test_a_definition_used_in_a_network_is_checked_in_both_places() -> None:
    spec = {
        "data": {"inputs": {"shape": [6, 4]}, "targets": "auto"},
        "network": [{"dense": 5}, "f", {"dense": 2}],
        "loss": "mse",
    }
    right = check(activation("x * sigmoid(x)", "sigmoid(x) * (1 + x * (1 - sigmoid(x)))"), **spec)
    assert right.passed, right
    wrong = check(activation("x * sigmoid(x)", "sigmoid(x)"), **spec)
    assert wrong.exit_code == ExitCode.WRONG, wrong
    failing = {tensor.name for tensor in wrong.tensors if tensor.verdict == "fail"}
    assert failing == {"f", "dense_1.weight", "dense_1.bias", "inputs"}


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ("pass", ExitCode.WRONG),
        ("fail", ExitCode.OK),
        ({"check": "GC101"}, ExitCode.OK),
        ({"check": "GC102"}, ExitCode.WRONG),
    ],
)
def test_what_a_spec_expects_decides_the_exit_code(expect: Any, code: ExitCode) -> None:
    assert check(activation("x**2", "-2 * x"), expect=expect).exit_code == code


def test_expecting_a_failure_that_does_not_come_is_an_error() -> None:
    assert check(activation("x**2", "2 * x"), expect="fail").exit_code == ExitCode.WRONG


def test_inconclusive_meets_no_expectation() -> None:
    definition = activation("log(x - 1000)", "1 / (x - 1000)")
    assert check(definition, expect="fail").exit_code == ExitCode.UNDECIDED


def test_seeds_agree() -> None:
    definition = {**FUNCTION, "gradient": {"p": "g * 2 * (p - y) / 6"}}
    verdicts = {gradcli.check({"gradcli": 1, "define": {"f": definition}}, seed=seed).verdict
                for seed in range(20)}  # fmt: skip
    assert verdicts == {"pass"}
    assert np.isfinite(check(definition).tensors[0].detectable_error)
