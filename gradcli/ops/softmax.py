"""Activations over the features of a row."""

from __future__ import annotations

import math

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import per_element
from gradcli.core.primitives import choose
from gradcli.core.record import Record
from gradcli.core.registry import activation
from gradcli.core.special import decaying, log1p
from gradcli.core.traits import Traits
from gradcli.ops.activations import Value

__all__ = ["Normalised", "log_softmax", "normalised", "softmax"]


class Normalised(Record):
    """exp(x) over its sum, with what keeps it accurate where one feature outweighs all others.

    `complement` is 1 - probability without cancellation, `others` the sum of exp(x - max) without
    the largest itself, `difference` x - max; `is_top` marks the largest feature.
    """

    probability: Array
    complement: Array
    others: Array
    difference: Array
    is_top: Array


def normalised(x: Array) -> Normalised:
    """exp(x) over its sum along the features."""
    top = np.argmax(x.real, axis=-1, keepdims=True)
    difference = x - np.take_along_axis(x, top, axis=-1)
    is_top = np.arange(x.shape[-1]) == top
    e = decaying(difference)
    others = np.where(is_top, 0, e).sum(axis=-1, keepdims=True)
    probability = e / (1 + others)
    complement = choose(is_top, others / (1 + others), 1 - probability)
    return Normalised(probability, complement, others, difference, is_top)


def _sum_of_others(values: Array, is_top: Array) -> Array:
    """For each feature the sum over all others, in which no feature's own value cancels.

    The sum minus one's own value would do for every feature but the top one, whose pullback is
    small just where its own value outweighs the sum.
    """
    aside = np.where(is_top, 0, values).sum(axis=-1, keepdims=True)
    top = np.where(is_top, values, 0).sum(axis=-1, keepdims=True)
    return np.asarray(aside + np.where(is_top, 0, top - values))


@activation(
    "softmax",
    elementwise=False,
    formula="exp(x)/sum(exp(x))",
    derivative="exp(x)/sum(exp(x))*(g - sum(g*exp(x))/sum(exp(x)))",
    traits=lambda: Traits(
        range=(0.0, 1.0),
        monotone="increasing",
        convex=False,
        lipschitz=0.5,
        smoothness=math.sqrt(2 / 27),
        symmetry="none",
    ),
    cost=per_element((8, 1), (11, -2), kept=(2, 1), flags=1, scratch=(2, 2)),
    references=["bridle1990"],
)
def softmax(x: Array) -> Value:
    """Probabilities from the features of a row: exp(x) over its sum.

    It is the gradient of log Σ exp(x), hence monotone as an operator.
    """
    rows = normalised(x)

    def pullback(g: Array) -> Array:
        rest = _sum_of_others(g * rows.probability, rows.is_top)
        dx: Array = rows.probability * (g * rows.complement - rest)
        return dx

    return rows.probability, pullback


@activation(
    "log_softmax",
    elementwise=False,
    formula="x - log(sum(exp(x)))",
    derivative="g - exp(x)/sum(exp(x))*sum(g)",
    traits=lambda: Traits(
        range=(-math.inf, 0.0),
        monotone="no",
        convex=False,
        lipschitz=1.0,
        smoothness=0.5,
        symmetry="none",
        feature_growth=0.5,
    ),
    cost=per_element((9, 2), (10, -2), kept=(3, 1), flags=1, scratch=(1, 3)),
    references=["bridle1990"],
)
def log_softmax(x: Array) -> Value:
    """The logarithm of softmax, accurate where a probability is close to 0 or to 1."""
    rows = normalised(x)

    def pullback(g: Array) -> Array:
        rest = _sum_of_others(g, rows.is_top)
        dx: Array = g * rows.complement - rows.probability * rest
        return dx

    return rows.difference - log1p(rows.others), pullback
