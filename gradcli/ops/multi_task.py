"""The losses of several heads as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import Cost, Operations, per_element
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.core.registry import weighting

__all__ = ["multi_task"]

_LEARNED = "uncertainty"  # the one weighting whose weights are parameters


def _weights(weighting: str, **_: Any) -> dict[str, float]:
    return {"log_variance": 0.0} if weighting == _LEARNED else {}


def _cost(shape: Shape, weighting: str, **_: Any) -> Cost:
    """Of weighting losses of this shape; a learned weight is worked out once."""
    if weighting != _LEARNED:
        return per_element(0, 0, is_view=True)(shape)
    cost = per_element(2, 4, scratch=(1, 1))(shape)
    return cost.replace(forward=Operations(elements=cost.forward.elements + 2))


def _formula(weighting: str, **_: Any) -> str:
    return "exp(-log_variance)*L + log_variance" if weighting == _LEARNED else "L"


def _derivative(weighting: str, **_: Any) -> str:
    return "exp(-log_variance)" if weighting == _LEARNED else "1"


@weighting(
    "multi_task",
    params=[
        Param(
            "weighting",
            "manual",
            kind="choice",
            choices=("manual", "uncertainty", "gradnorm", "dynamic"),
            sweep=("manual", "uncertainty", "gradnorm", "dynamic"),
        ),
        Param("tasks", kind="losses"),
    ],
    formula=_formula,
    derivative=_derivative,
    weights=_weights,
    cost=_cost,
    references=["kendall2018", "chen2018", "liu2019"],
    often_wrong="The optimum σ² = √L, and the gradient −1/σ² + L/σ⁴ of L/σ² + log σ². It is σ² = "
    "L, and the signs are the other way round. A task of a larger loss gets a smaller weight, 1/L.",
)
def multi_task(L: Array, *learned: Array, weighting: str) -> tuple[Array, Any]:
    """A weighted sum of the losses of several heads, one task for each: Σ weight·L.

    `uncertainty` learns a log variance s for each task, starting at 0, and minimises
    Σ weight·(exp(-s)·L + s): a task is weighted by the inverse of its own variance σ² = exp(s),
    whose optimum is σ² = L. `gradnorm` and `dynamic` change the weights between the steps of a
    training run, by the norms of the tasks' gradients (Chen et al.) or by how fast their losses
    fall (Liu et al.). Within a step the weights are constants, and so they are here: a check, a
    flow and a gradient are those of the weights written, the ones that training would begin with.
    """
    if not learned:
        return L, lambda g: g
    (s,) = learned
    weight = np.exp(-s)

    def pullback(g: Array) -> tuple[Array, Array]:
        return g * weight, g * (1 - weight * L)

    return weight * L + s, pullback
