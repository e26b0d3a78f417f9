"""Losses on signs, elementwise in the margin y·p."""

from __future__ import annotations

import math

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import per_element
from gradcli.core.primitives import choose, where
from gradcli.core.registry import loss
from gradcli.core.traits import LossTraits, Minimiser
from gradcli.ops.activations import Value
from gradcli.ops.losses import targets_like

__all__ = ["hinge", "squared_hinge"]


@loss(
    "hinge",
    known_as=["hinge loss"],
    reads="signs",
    formula="maximum(0, 1 - y*p)",
    gradient="where(y*p < 1, -y, 0)",
    traits=lambda: LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=1.0,
        smoothness=math.inf,
        bounded=False,
        kinks=(1.0,),
        argument="margin",
        differentiable=0,
        influence="where(y*p < 1, y, 0)",
        outlier="constant",
        noise=None,
        minimiser=Minimiser("more probable sign", "sign(q - 1/2)"),
        breakdown=None,
    ),
    cost=per_element(4, 3, flags=1, scratch=(1, 1)),
    references=["cortes1995"],
)
def hinge(p: Array, y: Array) -> Value:
    """What a score lacks of a margin of one: the loss of support vector machines.

    The slope exactly at the margin is 0.
    """
    y = targets_like(p, y)
    lacking = 1 - y * p
    inside = lacking.real > 0
    return where(inside, lacking, 0.0), lambda g: np.where(inside, -g * y, 0)


@loss(
    "squared_hinge",
    reads="signs",
    formula="maximum(0, 1 - y*p)**2",
    gradient="-2*y*maximum(0, 1 - y*p)",
    traits=lambda: LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=math.inf,
        smoothness=2.0,
        bounded=False,
        argument="margin",
        differentiable=1,
        influence="y*maximum(0, 1 - y*p)",
        outlier="grows",
        noise=None,
        minimiser=Minimiser("expected sign", "2*q - 1"),
        breakdown=None,
    ),
    cost=per_element(5, 3, kept=1, scratch=(0, 1)),
    references=["rosasco2004"],
)
def squared_hinge(p: Array, y: Array) -> Value:
    """The hinge squared: no kink at the margin, and an outlier pulls with growing force."""
    y = targets_like(p, y)
    lacking = 1 - y * p
    lacking = choose(lacking.real > 0, lacking, 0.0)
    return lacking * lacking, lambda g: -2 * g * y * lacking
