"""Losses on classes and on events."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import per_element
from gradcli.core.param import Param
from gradcli.core.primitives import choose, where
from gradcli.core.registry import loss
from gradcli.core.special import log1p
from gradcli.core.traits import LossTraits, Minimiser, Noise
from gradcli.ops.activations import Value, decay
from gradcli.ops.losses import targets_like
from gradcli.ops.softmax import log_softmax

__all__ = ["binary_cross_entropy", "cross_entropy", "focal", "zero_one"]


def _class_probabilities(p: Array, y: Array) -> Array:
    """Targets as probabilities like one example of p; integer arrays are labels."""
    if y.dtype.kind not in "iu":
        return targets_like(p, y)
    one_hot: Array = np.arange(p.shape[-1]) == y[..., None]
    return one_hot.astype(p.real.dtype)


@loss(
    "cross_entropy",
    known_as=["categorical cross-entropy", "softmax cross-entropy", "log loss"],
    params=[
        Param("label_smoothing", 0.0, at_least=0, at_most=1, sweep=(0.0, 0.1)),
        Param("temperature", 1.0, above=0, sweep=(1.0, 2.5)),
    ],
    elementwise=False,
    reads="classes",
    formula="-(1 - label_smoothing)*sum(y*(p/temperature - log(sum(exp(p/temperature)))))"
    " - label_smoothing*mean(p/temperature - log(sum(exp(p/temperature))))",
    gradient="(exp(p/temperature)/sum(exp(p/temperature))*(1 - label_smoothing)*sum(y)"
    " + exp(p/temperature)/sum(exp(p/temperature))*label_smoothing"
    " - (1 - label_smoothing)*y - label_smoothing/sum(p**0))/temperature",
    traits=lambda label_smoothing, temperature: LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=math.sqrt(1 + (1 - label_smoothing) ** 2) / temperature,
        smoothness=0.5 / temperature / temperature,
        bounded=False,
        argument="logits",
        differentiable=math.inf,
        influence="(1 - label_smoothing)*y + label_smoothing/sum(y**0) - softmax(p/temperature)",
        outlier="constant",
        noise=None if label_smoothing else Noise("categorical", "sum(y*softmax(p/temperature))"),
        minimiser=Minimiser(
            "log-probabilities, up to a common summand",
            "temperature*log((1 - label_smoothing)*q + label_smoothing/sum(q**0))",
        ),
        breakdown=None,
    ),
    cost=per_element((14, 2), (12, -1), kept=(4, 1), flags=1, scratch=(3, 4)),
    references=["bridle1990", "szegedy2016", "guo2017"],
)
def cross_entropy(p: Array, y: Array, *, label_smoothing: float, temperature: float) -> Value:
    """-Σ q·log softmax(p/temperature) of a row of logits, q the smoothed target.

    y holds labels (an integer array, one axis less than an example of p) or probabilities, which
    smoothing replaces by (1 - label_smoothing)·y + label_smoothing/features.
    """
    smooth = label_smoothing / p.shape[-1]
    q = (1 - label_smoothing) * _class_probabilities(p, y) + smooth
    log_probability, pull = log_softmax(p / temperature)

    def pullback(g: Array) -> Array:
        return pull(-g[..., None] * q) / temperature

    return -(q * log_probability).sum(axis=-1), pullback


def _on_logits(z: Array, y: Array) -> Value:
    """A sum log(1 + exp(-|z|)) + (1 - y)·max(z, 0) + y·max(-z, 0) in which nothing cancels."""
    negative = z.real < 0
    e = decay(z)
    value = log1p(e) + (1 - y) * choose(negative, 0.0, z) + y * choose(negative, -z, 0.0)
    probability = choose(negative, e, 1.0) / (1 + e)
    complement = choose(negative, 1.0, e) / (1 + e)
    return value, lambda g: g * ((1 - y) * probability - y * complement)


def _on_probabilities(p: Array, y: Array) -> Value:
    """Exact where PyTorch holds the logarithms above -100; a certain mistake costs infinity."""
    zero, one = y == 0, y == 1
    chance = choose(zero, 1.0, p)
    miss = choose(one, 0.0, p)
    with np.errstate(divide="ignore"):  # infinite is the answer, not an accident
        value = -(y * np.log(chance) + (1 - y) * log1p(-miss))

    def pullback(g: Array) -> Array:
        with np.errstate(divide="ignore"):
            certain = choose(zero, 1 / (1 - miss), -1 / chance)
            return g * choose(zero | one, certain, (p - y) / (chance * (1 - miss)))

    return value, pullback


@loss(
    "binary_cross_entropy",
    known_as=["bce", "logistic loss"],
    params=[
        Param(
            "input",
            "logits",
            kind="choice",
            choices=("logits", "probabilities"),
            sweep=("logits", "probabilities"),
        )
    ],
    reads="binary",
    formula=lambda input: {
        "logits": "(1 - y)*log1p(exp(p)) + y*log1p(exp(-p))",
        "probabilities": "-y*log(p) - (1 - y)*log1p(-p)",
    }[input],
    gradient=lambda input: {
        "logits": "1/(1 + exp(-p)) - y",
        "probabilities": "(p - y)/(p*(1 - p))",
    }[input],
    traits=lambda input: {
        "logits": LossTraits(
            convex=True,
            strong_convexity=0.0,
            lipschitz=1.0,
            smoothness=0.25,
            bounded=False,
            argument="logit",
            differentiable=math.inf,
            influence="y - sigmoid(p)",
            outlier="constant",
            noise=Noise("Bernoulli", "where(y > 0.5, sigmoid(p), sigmoid(-p))"),
            minimiser=Minimiser("log-odds", "log(q/(1 - q))"),
            breakdown=None,
        ),
        "probabilities": LossTraits(
            convex=True,
            strong_convexity=1.0,
            lipschitz=math.inf,
            smoothness=math.inf,
            bounded=False,
            domain=(0.0, 1.0),
            argument="probability",
            differentiable=math.inf,
            influence="(y - p)/(p*(1 - p))",
            outlier="grows",
            noise=Noise("Bernoulli", "where(y > 0.5, p, 1 - p)"),
            minimiser=Minimiser("probability", "q"),
            breakdown=None,
        ),
    }[input],
    cost=lambda shape, input: {
        "logits": per_element(20, 5, kept=2, scratch=(3, 2)),
        "probabilities": per_element(12, 10, kept=2, flags=2, scratch=(3, 3)),
    }[input](shape),
    references=["bishop2006"],
)
def binary_cross_entropy(p: Array, y: Array, *, input: str) -> Value:
    """-y·log q - (1 - y)·log(1 - q) for the probability q of an event, y 0 or 1 or between.

    q is sigmoid(p) for `input: logits`, p itself for `input: probabilities`.
    """
    y = targets_like(p, y)
    return _on_logits(p, y) if input == "logits" else _on_probabilities(p, y)


def _focus(a: Array, gamma: float) -> tuple[Array, Array]:
    """The loss (1 - q)^gamma·(-log q) with q = sigmoid(a), and its slope in a."""
    negative = a.real < 0
    e = decay(a)
    chance, complement = choose(negative, e, 1.0) / (1 + e), choose(negative, 1.0, e) / (1 + e)
    cost = log1p(e) + choose(negative, -a, 0.0)
    weight = np.exp(-gamma * (log1p(e) + choose(negative, 0.0, a)))
    return weight * cost, -weight * (gamma * chance * cost + complement)


def _focus_curvature(a: Array, gamma: float) -> Array:
    """The second derivative of `_focus` at real numbers."""
    complement = 1 / (1 + np.exp(a))
    cost = np.logaddexp(0, -a)
    inner = gamma * cost * (gamma * (1 - complement) - complement) + (2 * gamma + 1) * complement
    return complement**gamma * (1 - complement) * inner


def _supremum(function: Callable[[Array], Array]) -> float:
    """The largest size of a smooth function of a logit, found between ever closer points."""
    points = np.linspace(-60, 60, 401)
    for _ in range(8):
        size = np.abs(function(points))
        best = int(np.argmax(size))
        ends = points[max(best - 1, 0)], points[min(best + 1, len(points) - 1)]
        points = np.linspace(*ends, len(points))
    return float(size.max())


def _pulls(alpha: float | None) -> tuple[str, str]:
    """What an event adds to its probability, and what its absence takes away."""
    hit, miss = ("", "") if alpha is None else ("alpha*", "(1 - alpha)*")
    pull = "(gamma*sigmoid({0})*log1p(exp({1})) + sigmoid({1}))*sigmoid({1})**gamma"
    return f"{hit}y*{pull.format('p', '-p')}", f"{miss}(1 - y)*{pull.format('-p', 'p')}"


def _balance(alpha: float | None) -> str:
    return "{} - {}".format(*_pulls(alpha))


def _focal_traits(gamma: float, alpha: float | None) -> LossTraits:
    largest = 1.0 if alpha is None else max(alpha, 1 - alpha)
    return LossTraits(
        convex=gamma == 0,
        strong_convexity=0.0,
        lipschitz=largest * _supremum(lambda a: _focus(a, gamma)[1]),
        smoothness=largest * _supremum(lambda a: _focus_curvature(a, gamma)),
        bounded=False,
        argument="logit",
        differentiable=math.inf,
        influence=_balance(alpha),
        outlier="constant",
        noise=None if gamma or alpha is not None else Noise("Bernoulli", "sigmoid((2*y - 1)*p)"),
        minimiser=Minimiser("logit at which events and others balance", balance=_balance(alpha)),
        breakdown=None,
    )


@loss(
    "focal",
    known_as=["focal loss"],
    params=[
        Param("gamma", 2.0, at_least=0, sweep=(2.0, 0.0, 0.5)),
        Param("alpha", 0.25, at_least=0, at_most=1, nullable=True, sweep=(0.25, None)),
    ],
    reads="events",
    formula=lambda gamma, alpha: (
        "where(y > 0.5, {hit}sigmoid(-p)**gamma*log1p(exp(-p)),"
        " {miss}sigmoid(p)**gamma*log1p(exp(p)))"
    ).format(hit="" if alpha is None else "alpha*", miss="" if alpha is None else "(1 - alpha)*"),
    gradient=lambda gamma, alpha: "{1} - {0}".format(*_pulls(alpha)),
    traits=_focal_traits,
    cost=lambda shape, gamma, alpha: (
        per_element(30, 3, kept=2, scratch=(8, 1))
        if alpha is None
        else per_element(34, 3, kept=3, scratch=(7, 1))
    )(shape),
    references=["lin2017"],
    often_wrong="That gamma = 0 makes it cross-entropy. It is then cross-entropy with the weights "
    "alpha and 1 - alpha, and cross-entropy itself with `alpha: null` only.",
)
def focal(p: Array, y: Array, *, gamma: float, alpha: float | None) -> Value:
    """Cross-entropy times (1 - q)^gamma, q the probability of what happened: easy cases fade.

    Events weigh alpha and their absence 1 - alpha; with `alpha: null` both weigh 1. It is not
    convex for gamma above 0: the slope of a certain mistake falls off on its way to 1.
    """
    y = targets_like(p, y)
    side = 2 * y - 1
    value, slope = _focus(side * p, gamma)
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return weight * value, lambda g: g * weight * side * slope


@loss(
    "zero_one",
    known_as=["0-1 loss", "zero-one loss"],
    elementwise=False,
    reads="labels",
    formula="1 - sum(y*where(p >= max(p), 1, 0))",
    gradient="0*p",
    traits=lambda: LossTraits(
        convex=False,
        strong_convexity=0.0,
        lipschitz=math.inf,
        smoothness=math.inf,
        bounded=True,
        argument="scores",
        differentiable=-1,
        influence="0*p",
        outlier="none",
        noise=Noise(
            "class ahead, each other 1/e as likely",
            "where(sum(y*where(p >= max(p), 1, 0)) > 0.5, 1, exp(-1))"
            "/(1 + (sum(y**0) - 1)*exp(-1))",
        ),
        minimiser=Minimiser("any scores with the most probable class ahead", "q"),
        breakdown=None,
    ),
    cost=per_element((1, 1), 1, scratch=(0, 1)),
    references=["bartlett2006"],
)
def zero_one(p: Array, y: Array) -> Value:
    """The share of mistakes: 1 where another class scores higher than the label, else 0.

    Its gradient is zero wherever it has one, so that it measures a classifier and cannot train
    it: cross_entropy and hinge are convex bounds on it that can (Bartlett et al. 2006).
    """
    label = np.broadcast_to(y[..., None], (*p.shape[:-1], 1))
    own = np.take_along_axis(p.real, label, axis=-1)[..., 0]
    mistaken = own < p.real.max(axis=-1)
    value = where(mistaken, np.ones_like(own, p.dtype), 0.0)
    return value, lambda g: np.zeros_like(g[..., None] * p)
