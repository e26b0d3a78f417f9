"""The check of users' Python layers: alone and inside networks, right and wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.errors import ExitCode

LAYERS = str(Path(__file__).parent / "python_layers.py")


def layer(name: str, **params: Any) -> dict[str, Any]:
    return {"kind": "layer", "python": LAYERS, "class": name, "params": params}


def network(entries: list[Any], rows: int = 5, **definitions: Any) -> dict[str, Any]:
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [rows, 3]}, "targets": "auto"},
        "network": entries,
        "loss": "cross_entropy",
        "define": definitions,
    }


def check(spec: dict[str, Any], **options: Any) -> CheckReport:
    return gradcli.check(spec, allow_python=True, **options)


def errors(report: CheckReport) -> list[tuple[str, str]]:
    return [(found.where, found.code) for found in report.findings if found.severity == "error"]


SIX = [{"dense": 4}, "mine", {"dense": 4}, "relu", {"residual": ["mine"]}, {"dense": 3}]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(3))
def test_a_right_layer_passes_in_the_middle_of_a_network(dtype: str, seed: int) -> None:
    report = check(network(SIX, mine=layer("Dense", units=4)), dtype=dtype, seed=seed)
    assert report.verdict == "pass", report
    assert {tensor.grade for tensor in report.tensors} <= {"excellent", "good"}
    oracles = {tensor.name: tensor.oracle for tensor in report.tensors}
    assert oracles.pop("dense_3.weight") == oracles.pop("dense_3.bias") == "complex"
    assert set(oracles.values()) == {"ladder"}
    assert all(tensor.detectable_error < 1e-8 for tensor in report.tensors) or dtype == "float32"


def test_layers_of_3_of_6_are_named_and_what_follows_from_them() -> None:
    entries = ["right", "right", {"mine": {"factor": 1.1}}, "right", {"dense": 5}, {"dense": 3}]
    report = check(network(entries, right=layer("Dense"), mine=layer("Dense", factor=1.0)))
    assert report.verdict == "fail"
    assert report.exit_code == ExitCode.WRONG
    assert set(errors(report)) == {("mine_1", "GC102")}
    consequences = [found for found in report.findings if found.code == "GC204"]
    assert {found.where for found in consequences} == {
        *("right_1.weight", "right_1.bias", "right_2.weight", "right_2.bias", "inputs")
    }
    assert {tuple(found.data["culprits"]) for found in consequences} == {("mine_1",)}
