"""Smooth elementwise activations.

The exponentials have arguments at or below zero, so that nothing overflows, and slopes are
written as products of positive factors, so that they stay accurate in the tails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import per_element
from gradcli.core.param import Param
from gradcli.core.primitives import choose
from gradcli.core.registry import activation
from gradcli.core.special import decaying, erfc, log1p
from gradcli.core.traits import Traits

__all__ = [
    "Value",
    "decay",
    "gelu",
    "identity",
    "mish",
    "sigmoid",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

Value = tuple[Array, Callable[[Array], Array]]
"""A value and its pullback: cotangent in, cotangent of the input out."""

_FORMS: Final = ("none", "tanh")  # of gelu
CUBIC: Final = 0.044715  # of the argument of gelu's tanh form


def decay(x: Array) -> Array:
    """exp(-|x|), without a kink as far as branches are concerned."""
    return decaying(choose(x.real < 0, x, -x))


def _logistic(x: Array) -> Value:
    """1/(1 + exp(-x)), accurate in both tails."""
    e = decay(x)
    scale = 1 / (1 + e)
    return choose(x.real < 0, e * scale, scale), lambda g: g * e * scale * scale


@activation(
    "identity",
    formula="x",
    derivative="1",
    traits=lambda: Traits(
        range=(-math.inf, math.inf),
        monotone="increasing",
        convex=True,
        lipschitz=1.0,
        smoothness=0.0,
        symmetry="odd",
        homogeneous=True,
    ),
    cost=per_element(0, 0, is_view=True),
)
def identity(x: Array) -> Value:
    """The input itself: what a layer without an activation has."""
    return x, lambda g: g


@activation(
    "sigmoid",
    known_as=["logistic", "logistic function"],
    formula="1/(1 + exp(-x))",
    derivative="exp(-x)/(1 + exp(-x))**2",
    traits=lambda: Traits(
        range=(0.0, 1.0),
        monotone="increasing",
        convex=False,
        lipschitz=0.25,
        smoothness=1 / (6 * math.sqrt(3)),
        symmetry="none",
    ),
    cost=per_element(9, 3, kept=2, scratch=(1, 1)),
    references=["glorot2010"],
)
def sigmoid(x: Array) -> Value:
    """The logistic function, a probability from a logit; its slope is at most 1/4.

    A chain of sigmoids therefore loses at least a factor of four a layer unless the weights make
    up for it.
    """
    return _logistic(x)


@activation(
    "tanh",
    formula="tanh(x)",
    derivative="1 - tanh(x)**2",
    traits=lambda: Traits(
        range=(-1.0, 1.0),
        monotone="increasing",
        convex=False,
        lipschitz=1.0,
        smoothness=4 / (3 * math.sqrt(3)),
        symmetry="odd",
    ),
    cost=per_element(1, 11, scratch=(0, 3)),
    references=["lecun1998"],
)
def tanh(x: Array) -> Value:
    """A sigmoid centred at zero, between -1 and 1.

    Its slope 1 - tanh² is computed as 4e/(1 + e)² with e = exp(-2|x|), which does not cancel.
    """

    def pullback(g: Array) -> Array:
        e = decay(2 * x)
        scale = 1 / (1 + e)
        return g * 4 * e * scale * scale

    return np.tanh(x), pullback


@activation(
    "softsign",
    formula="x/(1 + abs(x))",
    derivative="1/(1 + abs(x))**2",
    traits=lambda: Traits(
        range=(-1.0, 1.0),
        monotone="increasing",
        convex=False,
        lipschitz=1.0,
        smoothness=2.0,
        symmetry="odd",
    ),
    cost=per_element(6, 2, kept=1, scratch=(0, 1)),
    references=["bergstra2009"],
)
def softsign(x: Array) -> Value:
    """Like tanh, but saturating as 1/x, so that its gradients fade slowly.

    Its slope is continuous at zero: there is no kink, although |x| has one.
    """
    scale = 1 / (1 + choose(x.real < 0, -x, x))
    return x * scale, lambda g: g * scale * scale


@activation(
    "softplus",
    params=[Param("beta", 1.0, above=0, sweep=(1.0, 0.5, 3.0))],
    formula="log1p(exp(beta*x))/beta",
    derivative="1/(1 + exp(-beta*x))",
    traits=lambda beta: Traits(
        range=(0.0, math.inf),
        monotone="increasing",
        convex=True,
        lipschitz=1.0,
        smoothness=beta / 4,
        symmetry="none",
    ),
    init="he_normal",
    cost=per_element(10, 4, kept=1, flags=1, scratch=(3, 2)),
    references=["dugas2001"],
)
def softplus(x: Array, *, beta: float) -> Value:
    """A smooth ReLU, whose slope is the sigmoid; positive everywhere.

    Exact for all x, where PyTorch returns x itself beyond beta·x = 20.
    """
    z = beta * x
    negative = z.real < 0
    e = decay(z)
    y = (choose(negative, 0.0, z) + log1p(e)) / beta
    return y, lambda g: g * choose(negative, e, 1.0) / (1 + e)


@activation(
    "swish",
    aliases=["silu"],
    params=[Param("beta", 1.0, above=0, sweep=(1.0, 0.5, 3.0))],
    formula="x/(1 + exp(-beta*x))",
    derivative="1/(1 + exp(-beta*x)) + beta*x*exp(-beta*x)/(1 + exp(-beta*x))**2",
    traits=lambda beta: Traits(
        range=(-0.27846454276107380 / beta, math.inf),
        monotone="no",
        convex=False,
        lipschitz=1.09983932012886692,
        smoothness=beta / 2,
        symmetry="none",
    ),
    init="he_normal",
    cost=per_element(11, 7, kept=3, scratch=(1, 3)),
    references=["elfwing2018", "ramachandran2017"],
    often_wrong="The slope with a further factor beta in front. It is right at beta = 1 only.",
)
def swish(x: Array, *, beta: float) -> Value:
    """x·sigmoid(beta·x), a ReLU that gates itself: smooth, and not monotone.

    Its slope is sigmoid(beta·x)·(1 + beta·x·(1 - sigmoid(beta·x))).
    """
    gate, pull_gate = _logistic(beta * x)
    return x * gate, lambda g: g * gate + beta * pull_gate(g * x)


@activation(
    "gelu",
    known_as=["gaussian error linear unit"],
    params=[Param("approximate", "none", kind="choice", choices=_FORMS, sweep=_FORMS)],
    formula=lambda approximate: {
        "none": "x*(1 + erf(x/sqrt(2)))/2",
        "tanh": "x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))/2",
    }[approximate],
    derivative=lambda approximate: {
        "none": "(1 + erf(x/sqrt(2)))/2 + x*exp(-x**2/2)/sqrt(2*pi)",
        "tanh": "(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))/2 + x*sqrt(2/pi)*(1 + 3*0.044715*x**2)"
        "*(1 - tanh(sqrt(2/pi)*(x + 0.044715*x**3))**2)/2",
    }[approximate],
    traits=lambda approximate: {
        "none": Traits(
            range=(-0.16997120747990366, math.inf),
            monotone="no",
            convex=False,
            lipschitz=1.12890414518515479,
            smoothness=math.sqrt(2 / math.pi),
            symmetry="none",
        ),
        "tanh": Traits(
            range=(-0.17004075057125405, math.inf),
            monotone="no",
            convex=False,
            lipschitz=1.12899306865871777,
            smoothness=math.sqrt(2 / math.pi),
            symmetry="none",
        ),
    }[approximate],
    init="he_normal",
    cost=lambda shape, approximate: {
        "none": per_element(5, 7, kept=1, scratch=(6, 1)),
        "tanh": per_element(15, 10, kept=4, scratch=(1, 4)),
    }[approximate](shape),
    references=["hendrycks2016"],
)
def gelu(x: Array, *, approximate: str) -> Value:
    """x·Φ(x), the input weighted by the share of a normal distribution below it.

    `approximate: tanh` is the older form with a tanh, written as x·sigmoid(2u), which is the same
    and does not cancel in the tail.
    """
    if approximate == "tanh":
        slope = 2 * math.sqrt(2 / math.pi)
        square = x * x
        gate, pull_gate = _logistic(slope * x * (1 + CUBIC * square))
        return x * gate, lambda g: g * gate + slope * (1 + 3 * CUBIC * square) * pull_gate(g * x)
    share = 0.5 * erfc(-x / math.sqrt(2))

    def pullback(g: Array) -> Array:
        return g * (share + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))

    return x * share, pullback


@activation(
    "mish",
    formula="x*tanh(log1p(exp(x)))",
    derivative="tanh(log1p(exp(x))) + x*(1 - tanh(log1p(exp(x)))**2)/(1 + exp(-x))",
    traits=lambda: Traits(
        range=(-0.30884341301725041, math.inf),
        monotone="no",
        convex=False,
        lipschitz=1.08849816125172787,
        smoothness=0.64420463723697243,
        symmetry="none",
    ),
    init="he_normal",
    cost=per_element(16, 10, kept=3, flags=1, scratch=(1, 2)),
    references=["misra2020"],
)
def mish(x: Array) -> Value:
    """x·tanh(softplus(x)), close to swish and somewhat steeper.

    tanh(log(1 + t)) = t(t + 2)/(t(t + 2) + 2), written in e = exp(-|x|) on either side of zero.
    """
    negative = x.real < 0
    e = decay(x)
    top = choose(negative, e * (e + 2), 1 + 2 * e)
    bottom = top + choose(negative, 2.0, 2 * e * e)
    gate = top / bottom

    def pullback(g: Array) -> Array:
        change = 4 * e * (1 + e) * choose(negative, 1.0, e) / (bottom * bottom)
        dx: Array = g * (gate + x * change)
        return dx

    return x * gate, pullback
