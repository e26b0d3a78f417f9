"""Specs with users' Python layers, those of `python_layers.py`, and how they are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport

LAYERS = str(Path(__file__).parent / "python_layers.py")


def layer(name: str, **params: Any) -> dict[str, Any]:
    return {"kind": "layer", "python": LAYERS, "class": name, "params": params}


def network(entries: list[Any], rows: int = 5, **definitions: Any) -> dict[str, Any]:
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [rows, 3]}, "targets": "auto"},
        "network": entries,
        "loss": "cross_entropy",
        **({"define": definitions} if definitions else {}),
    }


def alone(definition: dict[str, Any]) -> dict[str, Any]:
    inputs = {"x": {"shape": [5, 4]}}
    return {"gradcli": 1, "define": {"mine": {**definition, "inputs": inputs}}}


def in_the_middle(definition: dict[str, Any]) -> dict[str, Any]:
    return network([{"dense": 4}, "tanh", "mine", {"dense": 3}], mine=definition)


PLACES = {"alone": alone, "in the middle": in_the_middle}


def check(spec: dict[str, Any], **options: Any) -> CheckReport:
    return gradcli.check(spec, allow_python=True, **options)


def errors(report: CheckReport) -> list[tuple[str, str]]:
    return [(found.where, found.code) for found in report.findings if found.severity == "error"]
