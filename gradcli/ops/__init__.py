"""The catalogue: importing this package registers every op."""

from __future__ import annotations

from gradcli.ops import (
    activations,
    classification,
    dense,
    dropout,
    flatten,
    initializers,
    losses,
    multi_task,
    normalization,
    penalties,
    rectifiers,
    residual,
    softmax,
)

__all__ = [
    "activations",
    "classification",
    "dense",
    "dropout",
    "flatten",
    "initializers",
    "losses",
    "multi_task",
    "normalization",
    "penalties",
    "rectifiers",
    "residual",
    "softmax",
]
