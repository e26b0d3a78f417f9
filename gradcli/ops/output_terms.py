"""Summands of a loss that look at the outputs alone, whatever the targets are."""

from __future__ import annotations

from gradcli.core.arrays import Array
from gradcli.core.cost import per_element
from gradcli.core.param import Param
from gradcli.core.registry import output_term
from gradcli.core.special import log1p
from gradcli.ops.activations import Value
from gradcli.ops.softmax import normalised

__all__ = ["consistency", "entropy"]


@output_term(
    "entropy",
    elementwise=False,
    reads="none",
    formula="log(sum(exp(p))) - sum(p*softmax(p))",
    gradient="softmax(p)*(sum(p*softmax(p)) - p)",
    cost=per_element((10, 2), 3, kept=(2, 1), scratch=(3, 2)),
    references=["shannon1948", "grandvalet2005", "pereyra2017"],
    often_wrong="That a positive weight encourages uncertain predictions. To minimise plus the "
    "entropy lowers it; the confidence penalty of Pereyra et al. rewards entropy, with a negative "
    "weight.",
)
def entropy(p: Array) -> Value:
    """How uncertain the softmax of a row of logits is: -Σ q·log q, at most log(features).

    A negative weight rewards uncertainty and holds confidence back, a positive one demands
    decisions.
    """
    rows = normalised(p)
    probability, below_top = rows.probability, rows.difference
    mean = (probability * below_top).sum(axis=-1, keepdims=True)
    value = log1p(rows.others) - mean  # neither is negative, so that nothing cancels
    return value[..., 0], lambda g: g[..., None] * probability * (mean - below_top)


@output_term(
    "consistency",
    params=[Param("noise", 0.1, above=0, doc="standard deviation")],
    noise="noise",
    elementwise=False,
    reads="none",
    formula="sum(p**2)",
    gradient="2*p",
    cost=per_element((2, -1), (1, 1), scratch=(1, 0)),
    references=["sajjadi2016"],
)
def consistency(p: Array, *, noise: float) -> Value:
    """By how much noise on the inputs changes the outputs: ‖f(x) - f(x + noise)‖², p the change.

    The batch is doubled: its noisy copy runs through the same network, batch statistics included.
    The noise is drawn once for a model, and everything else looks at the batch as it is.
    """
    return (p * p).sum(axis=-1), lambda g: 2 * g[..., None] * p
