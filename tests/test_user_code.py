"""An error in a user's Python is told with the line of theirs that raised it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import gradcli
from gradcli.assertions import assert_gradients
from gradcli.cli.main import main

SPEC = """\
gradcli: 1
define:
  f:
    kind: function
    python: own.py
    forward: forward
    backward: backward
    inputs: {x: {shape: [4]}}
"""
OWN = """\
import numpy as np
@np.errstate(all="ignore")
def forward(x):
    return x**2
def halved(x):
    return np.reshape(x, (2, 2))
def backward(inputs, output, cotangent):
    return {"x": 2 * inputs["x"] * cotangent}
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("return x**2", "return y**2", "NameError: name 'y' is not defined (own.py:4)"),
        ('{"x":', 'halved(np.ones(3)) or {"x":', "into shape (2,2) (own.py:6)"),
        ("return {", "assert False, {", "AssertionError: {'x':"),
        ("return {", "raise ValueError {", "SyntaxError: invalid syntax (own.py, line 8)"),
        ("import numpy as np", "import no_such_module", "named 'no_such_module' (own.py:1)"),
    ],
)
def test_where_python_of_a_spec_raises(before: str, after: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert before in OWN
    (tmp_path / "own.py").write_text(OWN.replace(before, after, 1))
    arguments = ["check", str(tmp_path / "spec.yaml"), "--allow-python", "--format", "github"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code in (1, 2)
    assert said in result.stdout


def test_where_a_function_under_test_raises() -> None:
    def gradient(x: object) -> object:
        raise KeyError("nothing")

    line = gradient.__code__.co_firstlineno + 1
    with pytest.raises(AssertionError, match=rf"KeyError: 'nothing' \(test_user_code.py:{line}\)"):
        assert_gradients(lambda x: float(np.sum(x)), gradient, np.ones(3))


def test_an_error_of_no_line_of_theirs_has_none(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("own.py", "no_such_module"))
    (problem,) = gradcli.check(path, allow_python=True).results[0].errors
    assert problem.message.endswith("ModuleNotFoundError: No module named 'no_such_module'")
