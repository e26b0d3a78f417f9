"""Activations made of pieces.

At a kink the slope is that of the piece to the left, for the hard ones that of the flat piece, as
in PyTorch. A NaN passes through each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.branches import took_branch
from gradcli.core.cost import Cost, Operations, per_element
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.core.primitives import choose, clip, where
from gradcli.core.registry import activation
from gradcli.core.special import expm1
from gradcli.core.traits import Traits
from gradcli.ops.activations import Value

__all__ = ["elu", "hard_sigmoid", "hard_tanh", "leaky_relu", "prelu", "relu", "selu"]

LearnedValue = tuple[Array, Callable[[Array], tuple[Array, Array]]]

SELU_ALPHA: Final = 1.6732632423543772
SELU_SCALE: Final = 1.0507009873554805


@activation(
    "relu",
    known_as=["rectifier", "rectified linear unit"],
    formula="where(x > 0, x, 0)",
    derivative="where(x > 0, 1, 0)",
    traits=lambda: Traits(
        range=(0.0, math.inf),
        monotone="increasing",
        convex=True,
        lipschitz=1.0,
        smoothness=math.inf,
        symmetry="none",
        kinks=(0.0,),
        homogeneous=True,
    ),
    init="he_normal",
    cost=per_element(2, 1, flags=1),
    references=["nair2010"],
    often_wrong="That it explodes gradients because it is unbounded. Its slope is at most 1; where "
    "gradients explode, the weights do it.",
)
def relu(x: Array) -> Value:
    """Positive inputs pass, negative ones are zero.

    The slope at exactly zero is 0, as in PyTorch.
    """
    off = took_branch(x.real <= 0)
    return np.where(off, 0.0, x), lambda g: np.where(off, 0, g)


def _leaky_traits(alpha: float) -> Traits:
    straight = alpha == 1
    return Traits(
        range=(-math.inf if alpha > 0 else 0.0, math.inf),
        monotone="increasing" if alpha >= 0 else "no",
        convex=alpha <= 1,
        lipschitz=max(1.0, abs(alpha)),
        smoothness=0.0 if straight else math.inf,
        symmetry="odd" if straight else "even" if alpha == -1 else "none",
        kinks=() if straight else (0.0,),
        homogeneous=True,
    )


@activation(
    "leaky_relu",
    params=[Param("alpha", 0.01, sweep=(0.01, 0.3, 1.0, 2.0, 0.0, -0.5, -1.0))],
    formula="where(x > 0, x, alpha*x)",
    derivative="where(x > 0, 1, alpha)",
    traits=_leaky_traits,
    init="he_normal",
    cost=per_element(3, 2, flags=1, scratch=(1, 1)),
    references=["maas2013"],
)
def leaky_relu(x: Array, *, alpha: float) -> Value:
    """ReLU with a small slope below zero, so that no unit dies."""
    low = x.real <= 0
    piece = choose if alpha == 1 else where
    return piece(low, alpha * x, x), lambda g: np.where(low, alpha * g, g)


def _prelu_cost(shape: Shape, *, alpha: float) -> Cost:
    """Of the slope's cotangent a sum over all elements is left."""
    cost = per_element(3, 5, flags=1, scratch=(1, 2))(shape)
    return cost.replace(backward=Operations(elements=cost.backward.elements - 1))


@activation(
    "prelu",
    params=[Param("alpha", 0.25, sweep=(0.25, 2.0, -0.5))],
    formula="where(x > 0, x, weight*x)",
    derivative="where(x > 0, 1, weight)",
    traits=_leaky_traits,
    init="he_normal",
    weights=lambda alpha: {"weight": alpha},
    cost=_prelu_cost,
    references=["he2015"],
)
def prelu(x: Array, weight: Array, *, alpha: float) -> LearnedValue:
    """ReLU whose slope below zero is learned as `weight`, starting at alpha."""
    low = x.real <= 0

    def pullback(g: Array) -> tuple[Array, Array]:
        return np.where(low, weight * g, g), np.where(low, x * g, 0)

    return where(low, weight * x, x), pullback


@activation(
    "elu",
    params=[Param("alpha", 1.0, sweep=(1.0, 0.5, 2.0, 0.0, -0.5))],
    formula="where(x > 0, x, alpha*expm1(x))",
    derivative="where(x > 0, 1, alpha*exp(x))",
    traits=lambda alpha: Traits(
        range=(min(-alpha, 0.0), math.inf),
        monotone="increasing" if alpha >= 0 else "no",
        convex=0 <= alpha <= 1,
        lipschitz=max(1.0, abs(alpha)),
        smoothness=1.0 if alpha == 1 else math.inf,
        symmetry="none",
        kinks=() if alpha == 1 else (0.0,),
        homogeneous=alpha == 0,
    ),
    init="he_normal",
    cost=per_element(5, 4, kept=1, flags=1, scratch=(1, 1)),
    references=["clevert2016"],
    often_wrong="That it is smooth everywhere. It has a kink at 0 unless alpha = 1, and even then "
    "no second derivative there.",
)
def elu(x: Array, *, alpha: float) -> Value:
    """ReLU with an exponential floor at -alpha; once differentiable for alpha = 1 only."""
    high = x.real > 0
    low = choose(high, 0.0, x)
    piece = choose if alpha == 1 else where
    y = piece(high, x, alpha * expm1(low))
    return y, lambda g: np.where(high, g, g * (alpha * np.exp(low)))


@activation(
    "selu",
    formula="1.0507009873554805*where(x > 0, x, 1.6732632423543772*expm1(x))",
    derivative="1.0507009873554805*where(x > 0, 1, 1.6732632423543772*exp(x))",
    traits=lambda: Traits(
        range=(-SELU_SCALE * SELU_ALPHA, math.inf),
        monotone="increasing",
        convex=False,
        lipschitz=SELU_SCALE * SELU_ALPHA,
        smoothness=math.inf,
        symmetry="none",
        kinks=(0.0,),
    ),
    init="lecun_normal",
    cost=per_element(6, 5, kept=1, flags=1, scratch=(1, 1)),
    references=["klambauer2017"],
)
def selu(x: Array) -> Value:
    """ELU scaled so that activations of LeCun-initialised layers drift to mean 0 and variance 1."""
    y, pull = elu(x, alpha=SELU_ALPHA)
    return SELU_SCALE * y, lambda g: SELU_SCALE * pull(g)


@activation(
    "hard_tanh",
    formula="minimum(maximum(x, -1), 1)",
    derivative="where(x > -1, where(x < 1, 1, 0), 0)",
    traits=lambda: Traits(
        range=(-1.0, 1.0),
        monotone="increasing",
        convex=False,
        lipschitz=1.0,
        smoothness=math.inf,
        symmetry="odd",
        kinks=(-1.0, 1.0),
    ),
    cost=per_element(8, 1, flags=1, scratch=(1, 0)),
    references=["collobert2004"],
)
def hard_tanh(x: Array) -> Value:
    """The identity held between -1 and 1: tanh without its exponential."""
    inside = (x.real > -1) & (x.real < 1)
    return clip(x, -1.0, 1.0), lambda g: np.where(inside, g, 0)


@activation(
    "hard_sigmoid",
    formula="minimum(maximum(x + 3, 0), 6)/6",
    derivative="where(x > -3, where(x < 3, 1/6, 0), 0)",
    traits=lambda: Traits(
        range=(0.0, 1.0),
        monotone="increasing",
        convex=False,
        lipschitz=1 / 6,
        smoothness=math.inf,
        symmetry="none",
        kinks=(-3.0, 3.0),
    ),
    cost=per_element(10, 2, flags=1, scratch=(2, 1)),
    references=["courbariaux2015"],
)
def hard_sigmoid(x: Array) -> Value:
    """A straight line from 0 at -3 to 1 at 3: the sigmoid without its exponential."""
    inside = (x.real > -3) & (x.real < 3)
    return clip(x + 3, 0.0, 6.0) / 6, lambda g: np.where(inside, g / 6, 0)
