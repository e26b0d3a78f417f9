"""Losses on log-probabilities, a value a row."""

from __future__ import annotations

import math

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import per_element
from gradcli.core.primitives import choose
from gradcli.core.registry import loss
from gradcli.core.traits import LossTraits, Minimiser, Noise
from gradcli.ops.activations import Value
from gradcli.ops.losses import targets_like

__all__ = ["kl_divergence", "nll"]


def _linear() -> LossTraits:
    """A loss whose gradient is minus a target distribution."""
    return LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=1.0,
        smoothness=0.0,
        bounded=False,
        argument="log-probabilities",
        differentiable=math.inf,
        influence="y",
        outlier="constant",
        noise=Noise("categorical", "sum(y*exp(p))"),
        minimiser=Minimiser("log-probabilities", "log(q)"),
        breakdown=None,
    )


@loss(
    "nll",
    known_as=["nll loss"],
    elementwise=False,
    reads="labels",
    formula="-sum(y*p)",
    gradient="-y",
    traits=_linear,
    cost=per_element((0, 1), (1, 1), flags=1),
    references=["bishop2006"],
)
def nll(p: Array, y: Array) -> Value:
    """The negative of the label's own log-probability: cross-entropy behind a log_softmax."""
    label = np.broadcast_to(y[..., None], (*p.shape[:-1], 1))
    chosen = np.arange(p.shape[-1]) == y[..., None]
    value = -np.take_along_axis(p, label, axis=-1)[..., 0]
    return value, lambda g: np.where(chosen, -g[..., None], 0)


@loss(
    "kl_divergence",
    known_as=["kl loss"],
    elementwise=False,
    reads="probabilities",
    formula="sum(y*log(where(y > 0, y, 1)) - y*p)",
    gradient="-y",
    traits=_linear,
    cost=per_element((7, -1), (1, 1), scratch=(3, 0)),
    references=["kullback1951"],
)
def kl_divergence(p: Array, y: Array) -> Value:
    """Σ y·(log y - p) of a row: how far log-probabilities p are from the target probabilities.

    It differs from the cross-entropy by the target's own entropy, in which p has no part.
    """
    y = targets_like(p, y)
    possible = y > 0
    log_target = np.log(np.where(possible, y, 1))
    value = (y * choose(possible, log_target - p, 0.0)).sum(axis=-1)
    return value, lambda g: -g[..., None] * y
