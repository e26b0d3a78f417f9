"""Somebody's repository: a layer with a wrong backward is red in pytest and in CI, then green."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest
from junit_schema import faults
from pytest_runs import ENVIRONMENT, outcomes, run_pytest

LAYERS: Final = '''\
"""A dense layer with a gain, written by hand."""

import numpy as np


class Scaled:
    """y = gain * (x @ weight.T) + bias."""

    def __init__(self, units):
        self.units = units

    def out_shape(self, in_shape):
        return (*in_shape[:-1], self.units)

    def parameters(self, in_shape, rng):
        return {
            "weight": rng.standard_normal((self.units, in_shape[-1])),
            "gain": rng.uniform(0.5, 2.0, self.units),
            "bias": np.zeros(self.units),
        }

    def forward(self, x, parameters):
        product = x @ parameters["weight"].T
        return parameters["gain"] * product + parameters["bias"], product

    def backward(self, x, parameters, output, cotangent, product):
        through = cotangent * parameters["gain"]
        return through @ parameters["weight"], {
            "weight": through.T @ x,
            "gain": np.sum(cotangent * product, axis=0),
            "bias": cotangent[0],
        }
'''
WRONG: Final = '"bias": cotangent[0]'
RIGHT: Final = '"bias": cotangent.sum(axis=0)'
SPEC: Final = """\
gradcli: 1
data: {inputs: {shape: [16, 5]}, targets: auto}
network:
  - scaled: {name: hidden}
  - tanh
  - dense: 3
loss: cross_entropy
define:
  scaled:
    kind: layer
    python: layers.py
    class: Scaled
    params: {units: 4}
    inputs: {x: {shape: [8, 5]}}
"""
TESTS: Final = """\
import numpy as np
from gradcli.assertions import assert_vjp
from layers import Scaled


def test_the_backward_of_scaled():
    layer = Scaled(4)
    rng = np.random.default_rng(0)

    def forward(inputs):
        own = {name: value for name, value in inputs.items() if name != "x"}
        return layer.forward(inputs["x"], own)

    def backward(inputs, output, cotangent, product):
        own = {name: value for name, value in inputs.items() if name != "x"}
        dx, gradients = layer.backward(inputs["x"], own, output, cotangent, product)
        return {"x": dx, **gradients}

    inputs = {"x": rng.standard_normal((8, 5)), **layer.parameters((8, 5), rng)}
    assert_vjp(forward, backward, inputs)
"""
CONFIGURATION: Final = """\
[tool.pytest.ini_options]
gradcli_allow_python = true
pythonpath = ["."]
"""
NODES: Final = (
    "scaled",
    *(f"hidden.{name}" for name in ("weight", "gain", "bias")),
    *("dense_1.weight", "dense_1.bias", "inputs"),
)
BLAMED: Final = {"scaled", "hidden.bias"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "layers.py").write_text(LAYERS)
    (tmp_path / "layers.grad.yaml").write_text(SPEC)
    (tmp_path / "tests" / "test_layers.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text(CONFIGURATION)
    return tmp_path


def mend(repository: Path) -> None:
    path = repository / "layers.py"
    text = path.read_text()
    assert WRONG in text
    path.write_text(text.replace(WRONG, RIGHT))


def check(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`gradcli check` as a CI job calls it."""
    code = "from gradcli.__main__ import run; run()"
    command = [sys.executable, "-c", code, "check", ".", "--allow-python", *arguments]
    return subprocess.run(
        command, cwd=repository, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )


def failures(path: Path) -> dict[str, str]:
    """The failure texts of a JUnit file by case."""
    cases = ET.parse(path).getroot().iter("testcase")
    return {str(case.get("name")): case.findtext("failure") or "" for case in cases}


def test_pytest_is_red_with_the_diagnosis_then_green(repository: Path) -> None:
    red = run_pytest(repository, "-v", "--junitxml=junit.xml")
    assert red.returncode == 1, red.stdout
    found = outcomes(red.stdout)
    assert {name.partition("::")[2] for name in found} == {*NODES, "expect: pass"}
    wrong = {name.partition("::")[2] for name, outcome in found.items() if outcome == "failed"}
    assert wrong == BLAMED
    assert "test_the_backward_of_scaled FAILED" in red.stdout
    told = failures(repository / "junit.xml")
    assert "GC106 missing-batch-sum in scaled.bias  layers.grad.yaml:9" in told["scaled"]
    assert "GC106 missing-batch-sum in hidden  layers.grad.yaml:4" in told["hidden.bias"]
    # nothing says here what a row is; whether that can be found out differs by version of NumPy
    alone = told["test_the_backward_of_scaled"]
    assert re.search(r"AssertionError: GC10(0 mismatch|6 missing-batch-sum) in bias", alone)
    mend(repository)
    green = run_pytest(repository, "-v")
    assert green.returncode == 0, green.stdout
    assert set(outcomes(green.stdout).values()) == {"passed"}
    assert "test_the_backward_of_scaled PASSED" in green.stdout


def test_ci_is_red_with_the_diagnosis_then_green(repository: Path) -> None:
    arguments = ("--format", "github", "--report", "junit.xml", "--report", "check.md")
    red = check(repository, *arguments)
    assert red.returncode == 1, red.stderr
    errors = re.findall(r"^::error file=(.*?),line=(\d+),title=(.*?)::", red.stdout, re.M)
    assert ("layers.grad.yaml", "9", "GC106 missing-batch-sum in scaled.bias") in errors
    assert ("layers.grad.yaml", "4", "GC106 missing-batch-sum in hidden") in errors
    assert len(errors) == 2
    root = ET.parse(repository / "junit.xml").getroot()
    assert faults(root) == []
    told = failures(repository / "junit.xml")
    assert {name for name, text in told.items() if text} == {"scaled.bias", "hidden.bias"}
    assert "**GC106 missing-batch-sum**" in (repository / "check.md").read_text("utf-8")
    mend(repository)
    green = check(repository, *arguments)
    assert green.returncode == 0, green.stdout
    assert "::error" not in green.stdout
    root = ET.parse(repository / "junit.xml").getroot()
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
