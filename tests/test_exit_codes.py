"""Every meaning of every exit code, by the real command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from planted import original, pulling

from gradcli import api
from gradcli.cli.main import main
from gradcli.core.op import Activation
from gradcli.errors import ExitCode

NET = """\
data: {inputs: {shape: [4, 3]}, targets: auto}
network: [{dense: 4}, tanh, {dense: 2}]
loss: mse
"""
RIGHT = "define:\n  a: {kind: activation, forward: x**2, derivative: 2 * x}\n"
WRONG = RIGHT.replace("2 * x}", "3 * x}")
FLOW = "flow --width 8 --batch 4 --no-remedies --seeds 2"


def python(function: str) -> str:
    """A spec of a function in Python, whose backward's body is this."""
    return (
        f"define:\n  f: {{kind: function, python: {function}.py, forward: forward, "
        "backward: backward, inputs: {x: {shape: [3]}}}\n"
    )


SPECS = {
    "net": NET,
    "right": RIGHT,
    "wrong": WRONG,
    "caught": WRONG + "expect: {check: GC102}\n",
    "missed": RIGHT + "expect: fail\n",
    "vacuous": RIGHT.replace("x**2", "0 * x").replace("2 * x}", "0 * x}"),
    "undecided": RIGHT.replace("x**2, ", "log(x), domain: {x: [-2, -1]}, "),
    "broken": RIGHT.replace("activation", "aktivation"),
    "vanishing": NET.replace("[{dense: 4}", "[{repeat: {times: 9, layers: [dense: 4, sigmoid]}}")
    + "flow: {fail_on: vanishing}\n",
    **{name: python(name) for name in ("raises", "nan", "shape", "unimportable", "unusable")},
}
PYTHON = {
    "raises": "def forward(x): return x\ndef backward(inputs, output, cotangent): return 1 / 0",
    "nan": "def forward(x): return x\n"
    "def backward(inputs, output, cotangent): return {'x': cotangent * float('nan')}",
    "shape": "def forward(x): return x\n"
    "def backward(inputs, output, cotangent): return {'x': cotangent[:2]}",
    "unimportable": "import no_such_module_at_all",
    "unusable": "def forward(x): return 1 / 0\ndef backward(inputs, output, cotangent): return {}",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in SPECS.items():
        Path(f"{name}.yaml").write_text(f"gradcli: 1\n{text}", "utf-8")
    for name, code in PYTHON.items():
        Path(f"{name}.py").write_text(code, "utf-8")
    Path("empty").mkdir()
    Path("taken.md").mkdir()
    return tmp_path


def run(line: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, line.split())
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        # 0: every gradient agrees, or nothing that was asked to fail did
        ("check right.yaml", 0, "every gradient agrees"),
        ("check caught.yaml", 0, "as it expects"),
        (f"{FLOW} --depth 9 --activation sigmoid", 0, "nothing was asked to fail"),
        ("loss huber", 0, "checked just now"),
        ("explain huber", 0, "Quadratic"),
        ("list losses", 0, "huber"),
        ("new", 0, "layer"),
        ("schema", 0, "$schema"),
        # 1: proven wrong
        ("check wrong.yaml", 1, "GC102"),
        ("check raises.yaml --allow-python", 1, "GC007"),
        ("check nan.yaml --allow-python", 1, "GC004"),
        ("check shape.yaml --allow-python", 1, "GC002"),
        ("check missed.yaml", 1, "expect"),
        ("check net.yaml --self-test --entries 1", 1, "a planted mistake survived"),
        (f"{FLOW} --depth 9 --activation sigmoid --fail-on vanishing", 1, "vanishing"),
        ("flow vanishing.yaml", 1, "vanishing"),
        # 2: the command line or a spec is invalid, or an output cannot be written
        ("check", 2, "Missing argument"),
        ("check right.yaml --no-such-option", 2, "No such option"),
        ("nothing", 2, "No such command"),
        ("check broken.yaml", 2, "did you mean activation?"),
        ("check missing.yaml", 2, "missing.yaml"),
        ("check empty", 2, "there are no specs"),
        ("check raises.yaml", 2, "--allow-python"),
        ("check unimportable.yaml --allow-python", 2, "ModuleNotFoundError"),
        ("check unusable.yaml --allow-python", 2, "ZeroDivisionError"),
        ("check right.yaml --report taken.md", 2, "cannot be written"),
        ("flow broken.yaml", 2, "aktivation"),
        ("flow --activation tahn", 2, "did you mean tanh?"),
        ("loss hubr", 2, "did you mean huber?"),
        ("explain hubr", 2, "did you mean"),
        ("list loses", 2, "did you mean losses?"),
        ("new laier", 2, "did you mean layer?"),
        # 3: nothing is proven wrong, but something could not be decided, or was checked vacuously
        ("check undecided.yaml", 3, "could not be decided"),
        ("check vacuous.yaml --strict", 3, "vacuous"),
        (f"{FLOW} --depth 4 --fail-on exploding", 3, "undetermined"),
        ("check undecided.yaml --allow-inconclusive", 0, "inconclusive"),
        ("check vacuous.yaml", 0, "vacuous"),
        # the worst of several: 2, then 4, 1, 3, 0
        ("check right.yaml undecided.yaml", 3, "right"),
        ("check right.yaml undecided.yaml wrong.yaml", 1, "right"),
        ("check right.yaml undecided.yaml wrong.yaml broken.yaml", 2, "right"),
    ],
)
def test_what_a_code_means(line: str, code: int, said: str) -> None:
    found, output = run(line)
    assert found == code, output
    assert said in output
    assert "Traceback" not in output


def failing(error: BaseException) -> Any:
    def call(*sources: Any, **options: Any) -> None:
        raise error

    return call


@pytest.mark.parametrize("command", ["check right.yaml", "flow", "loss mae"])
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ZeroDivisionError("division by zero"), 4, "This is a bug in gradcli"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_bugs_and_interrupts_have_codes_of_their_own(
    command: str, error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, command.split()[0], failing(error))
    found, output = run(command)
    assert found == code
    assert said in output
    assert "Traceback" not in output


@pytest.mark.parametrize("expect", ["", "expect: fail\n"])
def test_a_wrong_gradient_of_an_op_of_gradcli_s_own_is_a_bug_whatever_is_expected(
    expect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("net.yaml").write_text(f"gradcli: 1\n{NET}{expect}", "utf-8")
    wrong = pulling("tanh", lambda g, dx, x: 2 * dx)
    monkeypatch.setitem(vars(original("tanh", Activation)), "function", wrong.function)
    code, output = run("check net.yaml")
    assert code == 4, output
    assert "tanh" in output


def test_every_code_is_met() -> None:
    """By the tables above, all of whose rows are run."""
    (table,) = (
        mark.args[1]
        for mark in test_what_a_code_means.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    )
    assert {code for _, code, _ in table} | {4, 130} == {int(code) for code in ExitCode}


@pytest.mark.parametrize("command", ["check", "flow", "train", "loss", "curvature", "graph"])
def test_a_variable_that_is_not_set_is_no_spec(command: str) -> None:
    """Neither the folder here, nor none: `flow` would measure a network of its own."""
    result = CliRunner().invoke(main, [command, ""])
    assert result.exit_code == 2
    assert result.stderr == "gradcli: the path of a spec is empty: is a variable not set?\n"
