"""Rules for the steps of training, on all parameters as one vector; PyTorch's wherever it has one.

Each is given the gradient g at w and the state that it kept, and returns the next w and state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.param import Param
from gradcli.core.registry import optimizer

__all__: list[str] = []

State = Mapping[str, Array]
Next = tuple[Array, dict[str, Array]]

_DECAY = Param("weight_decay", 0.0, at_least=0, doc="factor on w, added to the gradient")
_BETAS = (
    Param("beta1", 0.9, at_least=0, below=1, doc="share of the old mean kept"),
    Param("beta2", 0.999, at_least=0, below=1, doc="share of the old mean square kept"),
    Param("eps", 1e-8, above=0),
)

_FLATTEST = 1e-10
"""Curvature y·s below which L-BFGS learns nothing from a step, as in PyTorch."""


@optimizer(
    "sgd",
    params=[_DECAY],
    rate=1e-3,
    formula="w - lr*(g + weight_decay*w)",
    references=["robbins1951"],
)
def sgd(w: Array, g: Array, state: State, rate: float, step: int, *, weight_decay: float) -> Next:
    """Against the gradient: the step is the learning rate times it.

    On a quadratic it converges for learning rates below 2/λ_max, and diverges above.
    """
    return w - rate * (g + weight_decay * w), {}


@optimizer(
    "momentum",
    params=[
        Param("momentum", 0.9, at_least=0, below=1, doc="share of the old velocity kept"),
        Param("nesterov", False, kind="boolean", doc="look ahead along the velocity"),
        _DECAY,
    ],
    rate=1e-3,
    formula="w - lr*velocity, velocity = momentum*velocity + g + weight_decay*w",
    references=["polyak1964", "sutskever2013"],
)
def momentum(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    step: int,
    *,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> Next:
    """Gradients summed with a memory: steps add up where they agree and cancel where they do not.

    In a steady slope it moves 1/(1 - momentum) times as far as plain descent.
    """
    g = g + weight_decay * w
    velocity = g if step == 1 or not state else momentum * state["velocity"] + g
    ahead = g + momentum * velocity if nesterov else velocity
    return w - rate * ahead, {"velocity": velocity}


def _moments(
    g: Array, state: State, rate: float, step: int, beta1: float, beta2: float, eps: float
) -> tuple[Array, dict[str, Array]]:
    """What Adam takes from w, and its moments."""
    mean = state.get("mean", np.zeros_like(g))
    square = state.get("square", np.zeros_like(g))
    mean = mean + (1 - beta1) * (g - mean)
    square = beta2 * square + (1 - beta2) * g * g
    size = np.sqrt(square) / math.sqrt(1 - beta2**step) + eps
    return rate / (1 - beta1**step) * mean / size, {"mean": mean, "square": square}


@optimizer(
    "adam",
    params=[*_BETAS, _DECAY],
    rate=1e-3,
    formula="w - lr*mean/(1 - beta1**t)/(sqrt(square/(1 - beta2**t)) + eps)",
    references=["kingma2015"],
)
def adam(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    step: int,
    *,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> Next:
    """The mean gradient over its root mean square: every entry moves by about the learning rate.

    `mean` and `square` are running means of g and g², freed of their start at zero. The size of the
    gradient cancels, so that clipping and loss scales matter little, and a small gradient becomes a
    step as large as any other.
    """
    taken, kept = _moments(g + weight_decay * w, state, rate, step, beta1, beta2, eps)
    return w - taken, kept


@optimizer(
    "adamw",
    params=[*_BETAS, Param("weight_decay", 0.01, at_least=0, doc="factor on lr*w, taken from w")],
    rate=1e-3,
    formula="w*(1 - lr*weight_decay) - lr*mean/(1 - beta1**t)/(sqrt(square/(1 - beta2**t)) + eps)",
    references=["loshchilov2019"],
)
def adamw(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    step: int,
    *,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> Next:
    """Adam with a weight decay beside the gradient, which its scaling does not touch."""
    taken, kept = _moments(g, state, rate, step, beta1, beta2, eps)
    return w * (1 - rate * weight_decay) - taken, kept


@optimizer(
    "lbfgs",
    params=[Param("history", 10, kind="integer", at_least=1, doc="steps remembered")],
    rate=1.0,
    formula="w - lr*H*g, H the inverse Hessian that the last steps s and changes y of g suggest",
    references=["liu1989", "nocedal2006"],
)
def lbfgs(w: Array, g: Array, state: State, rate: float, step: int, *, history: int) -> Next:
    """A quasi-Newton step from the last few steps and gradients, without a line search.

    The two-loop recursion of Nocedal and Wright (algorithm 7.4), begun with y·s/y·y. The first step
    is along the gradient and at most as long as the learning rate in its sum of sizes. Meant for
    whole batches: what changes from batch to batch is taken for curvature.
    """
    if not state:
        shortened = min(1.0, 1.0 / max(float(np.abs(g).sum()), np.finfo(float).tiny)) * rate
        none = np.zeros((0, len(w)), w.dtype)
        moved = -shortened * g
        return w + moved, {"s": none, "y": none, "gradient": g, "moved": moved}
    s, y = state["s"], state["y"]
    change = g - state["gradient"]
    if float(change @ state["moved"]) > _FLATTEST:
        s = np.concatenate([s, state["moved"][None]])[-history:]
        y = np.concatenate([y, change[None]])[-history:]
    moved = -rate * _two_loops(g, s, y)
    return w + moved, {"s": s, "y": y, "gradient": g, "moved": moved}


def _two_loops(g: Array, s: Array, y: Array) -> Array:
    """H·g, for the inverse Hessian H of steps s and changes y (steps, n)."""
    q, weights = g.copy(), []
    for moved, change in zip(s[::-1], y[::-1], strict=True):
        weights.append(float(moved @ q) / float(change @ moved))
        q -= weights[-1] * change
    if len(s):
        q *= float(y[-1] @ s[-1]) / float(y[-1] @ y[-1])
    for moved, change, weight in zip(s, y, reversed(weights), strict=True):
        q += moved * (weight - float(change @ q) / float(change @ moved))
    return q
