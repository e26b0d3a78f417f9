"""Penalties on parameters, elementwise."""

from __future__ import annotations

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import per_element
from gradcli.core.primitives import absolute
from gradcli.core.registry import term
from gradcli.ops.activations import Value

__all__ = ["l1", "l2"]


@term(
    "l1",
    known_as=["lasso"],
    formula="abs(w)",
    derivative="sign(w)",
    cost=per_element(3, 2, scratch=(1, 1)),
    references=["tibshirani1996"],
)
def l1(w: Array) -> Value:
    """The sum of absolute values, which drives small weights to exactly zero.

    The slope at zero is 0, as in PyTorch.
    """
    return absolute(w), lambda g: g * np.sign(w.real)


@term(
    "l2",
    known_as=["weight decay", "ridge"],
    formula="w**2",
    derivative="2*w",
    cost=per_element(1, 2, scratch=(0, 1)),
    references=["hoerl1970"],
    often_wrong="A factor ½ in front, and the gradient w. Here it is Σw², with gradient 2·w: a "
    "weight decay of λ corresponds to a weight of λ/2.",
)
def l2(w: Array) -> Value:
    """The sum of squares, which shrinks all weights in proportion; without the factor ½."""
    return w * w, lambda g: g * 2 * w
