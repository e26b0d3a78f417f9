"""Networks of every shape whose graphs are tested."""

from __future__ import annotations

from typing import Any

import gradcli
from gradcli.analysis.graph import GraphNode, GraphResult

MIXED: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [16, 10]}, "targets": "auto"},
    "network": [
        {"dense": 12},
        "layer_norm",
        {"residual": {"layers": [{"dense": 12}, "tanh", {"residual": ["gelu", {"dense": 12}]}]}},
        {"batch_norm": {"mode": "train"}},
        "prelu",
        {"dropout": 0.2},
        {"dense": 4},
    ],
    "loss": {"sum": ["mse", {"l2": {"weight": 1e-3}}, {"l1": {"weight": 1e-4}}]},
}
HEADS: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [12, 6]}, "targets": "auto"},
    "network": {
        "trunk": [{"dense": 8}, "swish"],
        "heads": {"kind": [{"dense": 3}], "size": [{"dense": 5}, "elu", {"dense": 2}]},
    },
    "loss": {
        "multi_task": {
            "weighting": "uncertainty",
            "tasks": {"kind": {"loss": "cross_entropy"}, "size": {"loss": "huber"}},
        }
    },
}
RECURRENT: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [8, 9, 5]}, "targets": "auto"},
    "network": [
        {"lstm": 7},
        {"gru": 6},
        {"rnn": {"units": 5, "activation": "relu", "output": "last"}},
        {"dense": 3},
    ],
    "loss": {"cross_entropy": {"label_smoothing": 0.1}},
}
CONSISTENT: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [9, 4]}, "targets": "auto"},
    "network": [{"dense": 6}, "softplus", {"dense": 3}],
    "loss": {"sum": ["cross_entropy", {"consistency": {"weight": 0.5}}]},
}
LOSS_ALONE: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [6, 3]}, "targets": "auto"},
    "loss": "binary_cross_entropy",
}
SPECS = {"mixed": MIXED, "heads": HEADS, "recurrent": RECURRENT, "loss alone": LOSS_ALONE}
ALL = {**SPECS, "consistent": CONSISTENT}


def mlp(depth: int, width: int = 8, rows: int = 4, activation: str = "tanh") -> dict[str, Any]:
    layers = [{"repeat": {"times": depth, "layers": [{"dense": width}, activation]}}]
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [rows, width]}, "targets": "auto"},
        "network": [*layers, {"dense": 1}],
        "loss": "mse",
    }


def graph_of(spec: Any, **options: Any) -> GraphResult:
    (result,) = gradcli.graph(spec, **options).results
    assert not result.errors, result
    return result


def node(result: GraphResult, name: str) -> GraphNode:
    return next(found for found in result.nodes if found.name == name)
