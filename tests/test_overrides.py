"""What the command line says wins over a spec, also where the spec's other options rest on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gradcli.cli.main import main

SPEC = """\
gradcli: 1
data: {inputs: {shape: [4, 3]}, targets: auto}
network: [{dense: 2}, tanh, {dense: 2}]
loss: mse
check: {oracle: central, step: 1.0e-4}
train: {steps: 1, precision: mixed, loss_scale: 8}
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return str(path)


def ran(command: str, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, [*command.split(), *arguments, "--format", "json"])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["results"]
    return dict(found)


@pytest.mark.parametrize(
    ("options", "precision", "scale"),
    [
        ("", "mixed", 8.0),
        ("--precision float64", "float64", None),
        ("--precision float32", "float32", None),
        ("--precision mixed", "mixed", 8.0),
        ("--loss-scale 4", "mixed", 4.0),
        ("--dtype float32", "float32", None),
        ("--dtype float32 --precision mixed", "mixed", 8.0),
    ],
)
def test_a_precision_takes_the_loss_scale_with_it(
    options: str, precision: str, scale: float | None, spec: str
) -> None:
    found = ran(f"train {options}", spec)
    assert (found["precision"], found["steps"][0]["loss_scale"]) == (precision, scale)


@pytest.mark.parametrize(
    ("options", "oracle"),
    [("", "central"), ("--oracle forward --require 0.1", "forward"), ("--oracle auto", "complex")],
)
def test_an_oracle_takes_the_step_with_it(options: str, oracle: str, spec: str) -> None:
    assert {each["oracle"] for each in ran(f"check {options}", spec)["tensors"]} == {oracle}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train --precision float64 --loss-scale 4", "loss_scale: only with precision: mixed"),
        ("train --dtype float64 --precision mixed", "dtype float64: not with precision mixed"),
        ("train --dtype float32 --precision float64", "dtype float32: not with precision float64"),
        ("check --oracle auto --step 1e-3", "step: only with oracle: central or forward"),
    ],
)
def test_what_the_command_line_itself_contradicts_is_refused(
    command: str, said: str, spec: str
) -> None:
    result = CliRunner().invoke(main, [*command.split(), spec])
    assert (result.exit_code, result.stderr) == (2, f"gradcli: {said}\n")
