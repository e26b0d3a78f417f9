"""`gradcli check --order 2`: Hessian products by the same rule, right ones and planted mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from layer_specs import LAYERS, layer, network
from random_networks import draw

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport, TensorResult
from gradcli.cli.main import main
from gradcli.core.arrays import Array
from gradcli.errors import ExitCode

OTHERS = Path(__file__).parent / "second_order_ops.py"


def check(spec: Any, **options: Any) -> CheckReport:
    return gradcli.check(spec, order=2, allow_python=True, **options)


def products(report: CheckReport) -> dict[str, TensorResult]:
    return {each.name: each for each in report.tensors if each.name.startswith("Hv[")}


def errors(report: CheckReport) -> list[tuple[str, str]]:
    return [(found.where, found.code) for found in report.findings if found.severity == "error"]


NETWORKS: dict[str, tuple[list[Any], list[int]]] = {
    "dense": ([{"dense": 5}, "tanh", {"dense": 3}], [6, 4]),
    "kinked": ([{"dense": 5}, "relu", {"dense": 5}, "prelu", {"dense": 3}], [6, 4]),
    "normalized": (
        [{"dense": 5}, "batch_norm", "gelu", {"dense": 4}, "layer_norm", "rms_norm", {"dense": 3}],
        [6, 4],
    ),
    "residual": ([{"dense": 4}, {"residual": [{"dense": 4}, "swish"]}, {"dense": 3}], [6, 4]),
    "dropout": ([{"dense": 5}, "elu", {"dropout": 0.3}, {"dense": 3}], [6, 4]),
    "lstm": ([{"lstm": {"units": 3, "output": "last"}}, {"dense": 3}], [4, 5, 3]),
    "gru": ([{"gru": 3}, "flatten", {"dense": 3}], [4, 3, 2]),
    "rnn": ([{"rnn": {"units": 3, "output": "last"}}, {"dense": 3}], [4, 5, 3]),
}


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_of_ours_is_right(name: str, loss: str) -> None:
    layers, shape = NETWORKS[name]
    data = {"inputs": {"shape": shape}, "targets": "auto"}
    report = check({"gradcli": 1, "data": data, "network": layers, "loss": loss})
    assert report.verdict == "pass", report
    first = [each.name for each in report.tensors if not each.name.startswith("Hv[")]
    assert list(products(report)) == [f"Hv[{name}]" for name in first]


@pytest.mark.parametrize("seed", range(3))
def test_no_random_network_is_called_wrong(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(4):
        drawn = draw(rng)
        report = check(drawn.spec, entries=20)
        assert report.verdict in ("pass", "inconclusive"), (drawn.spec, report)


def test_every_entry_of_a_small_network_is_compared_with_real_differences() -> None:
    report = check("specs/quickstart.yaml")
    assert len(products(report)) == 5
    assert all(each.checked == each.entries for each in products(report).values())
    assert all(each.oracle == "ladder" for each in products(report).values())


def test_an_op_of_ours_that_is_not_complex_safe_is_caught() -> None:
    """Its pullback drops the imaginary part: right to first order, and no derivative of itself."""

    def dropping(x: Array) -> tuple[Array, Any]:
        y = np.tanh(x)
        return y, lambda g: g * (1 - y.real**2)

    model = gradcli.load("specs/quickstart.yaml")
    nodes = list(model.plan.nodes)
    (at,) = [i for i, node in enumerate(nodes) if node.op.name == "tanh"]
    nodes[at] = nodes[at].replace(op=nodes[at].op.replace(function=dropping))
    planted = model.with_plan(model.plan.replace(nodes=tuple(nodes)))
    assert gradcli.check(planted).verdict == "pass"
    report = gradcli.check(planted, order=2)
    assert products(report)["Hv[dense_1.weight]"].verdict == "fail"
    assert {each.verdict for each in report.tensors if "Hv" not in each.name} == {"pass"}
    assert report.exit_code == ExitCode.BUG


def test_exactly_at_a_kink_it_is_that_of_the_slope_chosen() -> None:
    data = {"inputs": {"values": [[0.0, 1.0], [2.0, 0.0]]}, "targets": "auto"}
    report = check({"gradcli": 1, "data": data, "network": ["relu", {"dense": 2}], "loss": "mse"})
    assert any(found.code == "GC201" for found in report.findings)
    assert report.verdict == "pass", report


def test_where_a_second_derivative_jumps_nothing_is_proven_wrong() -> None:
    """ELU at exactly zero: its slope is continuous there and bends, on each side in its own way."""
    inputs = {"values": [[0.0, 0.0]]}
    layers = [{"dense": 3}, "elu", {"dense": 3}, "elu", {"dense": 2}]
    data = {"inputs": inputs, "targets": "auto"}
    report = check({"gradcli": 1, "data": data, "network": layers, "loss": "mse"})
    assert report.verdict in ("pass", "inconclusive"), report
    assert any(each.kinks for each in products(report).values())


# Ops of a user's own: gradients in one grade or another, and what becomes of their derivatives


def wrap(forward: str, derivative: str) -> dict[str, Any]:
    definition = {"kind": "activation", "forward": forward, "derivative": derivative}
    return {"gradcli": 1, "define": {"mine": definition}}


RIGHT: dict[str, tuple[str, str]] = {
    "smooth": ("x * sigmoid(x)", "sigmoid(x) * (1 + x * (1 - sigmoid(x)))"),
    "kinked": ("where(x > 0, x, 0.1 * x)", "where(x > 0, 1, 0.1)"),
    "piecewise": ("where(abs(x) <= 1, x**2 / 2, abs(x) - 1/2)", "clip(x, -1, 1)"),
    "from abs": ("x * abs(x)", "2 * abs(x)"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_formulas_pass(name: str) -> None:
    report = check(wrap(*RIGHT[name]))
    assert report.verdict == "pass", report
    assert list(products(report)) == ["Hv[mine]"]


WRONG: dict[str, tuple[str, str]] = {
    "a ripple": ("tanh(x)", "(1 - tanh(x)**2) * (1 + 1.0e-6 * sin(1.0e4 * x))"),
    "a rounded slope": ("x**2 / 2", "x + 1.0e-7 * sin(1.0e5 * x)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_gradients_that_hardly_differ_and_turn_wrongly_are_caught(name: str) -> None:
    report = check(wrap(*WRONG[name]))
    (first, second) = report.tensors
    assert first.verdict == "pass", report
    assert second.name == "Hv[mine]"
    assert second.verdict == "fail"
    assert report.exit_code == ExitCode.WRONG
    assert gradcli.check(wrap(*WRONG[name])).verdict == "pass"


def function(**gradient: str) -> dict[str, Any]:
    inputs = {"a": {"values": [0.5, 2.0]}, "b": {"values": [1.0, -1.5]}}
    definition = {"kind": "function", "inputs": inputs, "forward": "sum(a**2 * b)",
                  "gradient": gradient}  # fmt: skip
    return {"gradcli": 1, "define": {"mine": definition}}


def test_a_function_of_arrays() -> None:
    report = check(function(a="g * 2 * a * b", b="g * a**2"))
    assert report.verdict == "pass", report
    assert list(products(report)) == ["Hv[mine.a]", "Hv[mine.b]"]


def test_an_asymmetric_hessian_is_named() -> None:
    wrong = function(a="g * (2 * a * b + 3.0e-6 * sin(300 * b))", b="g * a**2")
    report = check(wrong)
    assert [each.verdict for each in report.tensors[:2]] == ["pass", "pass"]
    assert errors(report) == [("Hv[mine.a]", "GC114")]
    (found,) = [found for found in report.findings if found.code == "GC114"]
    assert found.data["asymmetry"] > 2e-5


def test_a_symmetric_mistake_is_not_called_asymmetric() -> None:
    report = check(function(a="g * (2 * a * b + 3.0e-6 * sin(300 * a))", b="g * a**2"))
    assert [code for _, code in errors(report)] == ["GC100"]


def test_where_the_gradient_is_wrong_the_second_order_is_left_out() -> None:
    report = check(function(a="g * 3 * a * b", b="g * a**2"))
    assert not products(report)
    assert any("second order was not looked at" in found.message for found in report.findings)
    assert report.exit_code == ExitCode.WRONG


PYTHON_RIGHT = ["Exact", "OnlyReal", "Branches"]


@pytest.mark.parametrize("name", PYTHON_RIGHT)
def test_right_layers_in_python_pass(name: str) -> None:
    """Right gradients that no complex number passes: np.abs, .real, casts to float, branches."""
    definition = {"kind": "layer", "python": str(OTHERS), "class": name}
    report = check(network([{"dense": 4}, "mine", {"dense": 3}], mine=definition))
    assert report.verdict == "pass", report
    assert len(products(report)) == 5


def test_right_layers_with_parameters_pass() -> None:
    report = check(network([{"dense": 4}, "mine", {"dense": 3}], mine=layer("Dense")))
    assert report.verdict == "pass", report
    assert {"Hv[mine_1.weight]", "Hv[mine_1.bias]"} <= set(products(report))


@pytest.mark.parametrize("name", ["Rounded", "Table", "Detached"])
def test_approximate_backwards_in_python_are_caught(name: str) -> None:
    """Good to the grade that is asked for, and useless to differentiate."""
    definition = {"kind": "layer", "python": str(OTHERS), "class": name}
    spec = network([{"dense": 4}, "mine", {"dense": 3}], rows=2, mine=definition)
    assert gradcli.check(spec, allow_python=True).verdict == "pass"
    report = check(spec)
    assert report.verdict == "fail", report
    assert report.exit_code == ExitCode.WRONG


def test_on_the_command_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check", "specs/quickstart.yaml", "--order", "2"])
    assert result.exit_code == 0, result.output
    assert "Hv[dense_1.weight]" in result.stdout
    assert Path(LAYERS).is_file()
    path = tmp_path / "a.yaml"
    path.write_text(
        "gradcli: 1\ndefine:\n  a: {kind: activation, forward: x**2, derivative: 2 * x}\n"
        "check: {order: 2}\n"
    )
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 0
    assert "Hv[a]" in result.stdout
    path.write_text(path.read_text().replace("order: 2", "order: 3"))
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 2
    assert "from 1 to 2" in result.output or "at most 2" in result.output
