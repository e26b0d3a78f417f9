"""The catalogue: importing this package registers every op."""

from __future__ import annotations

from gradcli.ops import (
    activations,
    classification,
    dense,
    distributions,
    dropout,
    flatten,
    initializers,
    losses,
    margin,
    metric_learning,
    multi_task,
    normalization,
    output_terms,
    penalties,
    rectifiers,
    recurrent,
    residual,
    robust,
    softmax,
)

__all__ = [
    "activations",
    "classification",
    "dense",
    "distributions",
    "dropout",
    "flatten",
    "initializers",
    "losses",
    "margin",
    "metric_learning",
    "multi_task",
    "normalization",
    "output_terms",
    "penalties",
    "rectifiers",
    "recurrent",
    "residual",
    "robust",
    "softmax",
]
