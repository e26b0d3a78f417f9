"""Losses on numbers, elementwise in the residual p - y.

Targets take the precision of the predictions. At a kink the gradient is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import Cost, Operations, per_element
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.core.primitives import absolute, choose, where
from gradcli.core.registry import loss
from gradcli.core.special import log1p
from gradcli.core.traits import Breakdown, LossTraits, Minimiser, Noise
from gradcli.ops.activations import Value, decay

__all__ = [
    "LearnedValue",
    "gaussian_nll",
    "huber",
    "log_cosh",
    "mae",
    "mse",
    "quantile",
    "targets_like",
]

LearnedValue = tuple[Array, Callable[[Array], Array | tuple[Array, ...]]]
"""As `Value`; with learned parameters their cotangents follow the input's, one a value."""


def targets_like(p: Array, y: Array) -> Array:
    """Targets in the real precision of the predictions."""
    return y.astype(p.real.dtype, copy=False)


@loss(
    "mse",
    known_as=["mean squared error", "squared error"],
    formula="(p - y)**2",
    gradient="2*(p - y)",
    traits=lambda: LossTraits(
        convex=True,
        strong_convexity=2.0,
        lipschitz=math.inf,
        smoothness=2.0,
        bounded=False,
        argument="residual",
        differentiable=math.inf,
        influence="y - p",
        outlier="grows",
        noise=Noise("Gaussian of variance 1/2", "exp(-(p - y)**2)/sqrt(pi)"),
        minimiser=Minimiser("mean", "mean"),
        breakdown=Breakdown(0.0, "huber2009"),
    ),
    cost=per_element(2, 2, kept=1, scratch=(0, 1)),
    references=["bishop2006"],
    often_wrong="The gradient 2·(p − y) for the mean over n elements, and the strong convexity 2. "
    "Both are of one element; the mean has 2·(p − y)/n and 2/n. And the influence (y − μ)²: it is "
    "y − μ, the derivative.",
)
def mse(p: Array, y: Array) -> Value:
    """Mean squared error: the likelihood of Gaussian noise, dominated by outliers."""
    r = p - targets_like(p, y)
    return r * r, lambda g: g * 2 * r


@loss(
    "mae",
    known_as=["mean absolute error", "absolute error"],
    formula="abs(p - y)",
    gradient="sign(p - y)",
    traits=lambda: LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=1.0,
        smoothness=math.inf,
        bounded=False,
        kinks=(0.0,),
        argument="residual",
        differentiable=0,
        influence="sign(y - p)",
        outlier="constant",
        noise=Noise("Laplace of scale 1", "exp(-abs(p - y))/2"),
        minimiser=Minimiser("median", "quantile"),
        breakdown=Breakdown(0.5, "huber2009"),
    ),
    cost=per_element(4, 2, kept=1, scratch=(1, 1)),
    references=["bishop2006"],
)
def mae(p: Array, y: Array) -> Value:
    """Mean absolute error: the likelihood of Laplace noise; its minimum is the median."""
    r = p - targets_like(p, y)
    return absolute(r), lambda g: g * np.sign(r.real)


@loss(
    "log_cosh",
    formula="log(cosh(p - y))",
    gradient="tanh(p - y)",
    traits=lambda: LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=1.0,
        smoothness=1.0,
        bounded=False,
        argument="residual",
        differentiable=math.inf,
        influence="tanh(y - p)",
        outlier="constant",
        noise=Noise("hyperbolic secant", "1/(pi*cosh(p - y))"),
        minimiser=Minimiser("point at which the pulls tanh(y - p) cancel", balance="tanh(y - p)"),
        breakdown=Breakdown(0.5, "huber2009"),
    ),
    cost=per_element(21, 1, kept=1, scratch=(5, 0)),
    references=["green1990"],
)
def log_cosh(p: Array, y: Array) -> Value:
    """Half the square near zero, the absolute value less log 2 far out, and smooth between.

    Near zero it is computed as log(1 + 2·sinh²(r/2)), in which nothing cancels.
    """
    r = p - targets_like(p, y)
    size = choose(r.real < 0, -r, r)
    near = size.real < 1
    half = np.sinh(0.5 * choose(near, r, 0.0))
    far = size + log1p(decay(2 * r)) - math.log(2)
    slope = np.tanh(r)
    return choose(near, log1p(2 * half * half), far), lambda g: g * slope


@loss(
    "huber",
    known_as=["huber loss"],
    params=[Param("delta", 1.0, above=0, sweep=(0.5, 1.0, 2.5))],
    formula="where(abs(p - y) <= delta, (p - y)**2/2, delta*(abs(p - y) - delta/2))",
    gradient="where(abs(p - y) <= delta, p - y, delta*sign(p - y))",
    traits=lambda delta: LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=delta,
        smoothness=1.0,
        bounded=False,
        argument="residual",
        differentiable=1,
        influence="clip(y - p, -delta, delta)",
        outlier="constant",
        noise=Noise(
            "Gaussian with Laplace tails",
            "exp(-where(abs(p - y) <= delta, (p - y)**2/2, delta*(abs(p - y) - delta/2)))"
            "/(sqrt(2*pi)*erf(delta/sqrt(2)) + 2/delta*exp(-delta**2/2))",
        ),
        minimiser=Minimiser("clipped mean", balance="clip(y - p, -delta, delta)"),
        breakdown=Breakdown(0.5, "huber2009"),
    ),
    cost=per_element(12, 1, kept=1, scratch=(4, 0)),
    references=["huber1964"],
    often_wrong="That it is not convex, or not smooth. Its slope never decreases and is continuous "
    "at ±delta; only the second derivative jumps there. And the gradient y − p near zero: that is "
    "the one with respect to y, of the other sign.",
)
def huber(p: Array, y: Array, *, delta: float) -> Value:
    """Quadratic near zero, linear in the tails: an outlier pulls with bounded force.

    Its slope is continuous at ±delta: there is no kink.
    """
    r = p - targets_like(p, y)
    size = choose(r.real < 0, -r, r)
    near = size.real <= delta
    inner = choose(near, size, delta)
    slope = choose(near, r, delta * np.sign(r.real))
    return inner * (size - 0.5 * inner), lambda g: g * slope


@loss(
    "quantile",
    known_as=["pinball", "pinball loss", "quantile loss"],
    params=[Param("tau", 0.5, above=0, below=1, sweep=(0.5, 0.1, 0.9))],
    formula="where(y >= p, tau*(y - p), (tau - 1)*(y - p))",
    gradient="where(y > p, -tau, where(y < p, 1 - tau, 0))",
    traits=lambda tau: LossTraits(
        convex=True,
        strong_convexity=0.0,
        lipschitz=max(tau, 1 - tau),
        smoothness=math.inf,
        bounded=False,
        kinks=(0.0,),
        argument="residual",
        differentiable=0,
        influence="where(y > p, tau, tau - 1)",
        outlier="constant",
        noise=Noise(
            "asymmetric Laplace",
            "tau*(1 - tau)*exp(-where(y >= p, tau*(y - p), (tau - 1)*(y - p)))",
        ),
        minimiser=Minimiser(f"{tau:g}-quantile", "quantile", level=tau),
        breakdown=Breakdown(min(tau, 1 - tau), "huber2009"),
    ),
    cost=per_element(5, 6, kept=1, scratch=(2, 2)),
    references=["koenker1978"],
    often_wrong="The gradient tau − 1 if y < p, else tau: that is the one with respect to y, of "
    "the other sign. And that tau = 1/2 is the absolute error: it is half of it.",
)
def quantile(p: Array, y: Array, *, tau: float) -> Value:
    """The pinball loss, whose minimum is the tau-quantile; half the absolute error at tau = 1/2."""
    r = targets_like(p, y) - p

    def pullback(g: Array) -> Array:
        return np.where(r.real > 0, -tau * g, np.where(r.real < 0, (1 - tau) * g, 0))

    return where(r.real >= 0, tau * r, (tau - 1) * r), pullback


def _gaussian_cost(shape: Shape, *, variance: float, learn: bool) -> Cost:
    """A learned variance has a precision of its own to work out, and a cotangent."""
    if not learn:
        return per_element(5, 1, kept=2, scratch=(2, 0))(shape)
    cost = per_element(5, 4, kept=2, scratch=(2, 2))(shape)
    return cost.replace(forward=Operations(elements=cost.forward.elements + 2))


@loss(
    "gaussian_nll",
    known_as=["gaussian negative log-likelihood"],
    params=[
        Param("variance", 1.0, above=0, sweep=(0.25, 3.0)),
        Param("learn", False, kind="boolean", sweep=(False, True)),
    ],
    weights=lambda variance, learn: {"log_variance": math.log(variance)} if learn else {},
    formula=lambda variance, learn: (
        "((p - y)**2*exp(-log_variance) + log_variance)/2"
        if learn
        else "((p - y)**2/variance + log(variance))/2"
    ),
    gradient=lambda variance, learn: "(p - y)*exp(-log_variance)" if learn else "(p - y)/variance",
    traits=lambda variance, learn: LossTraits(
        convex=True,
        strong_convexity=1 / variance,
        lipschitz=math.inf,
        smoothness=1 / variance,
        bounded=False,
        argument="residual",
        differentiable=math.inf,
        influence="y - p",
        outlier="grows",
        noise=Noise(
            f"Gaussian of variance {variance:g}",
            "exp(-(p - y)**2/(2*variance))/sqrt(2*pi*variance)",
        ),
        minimiser=Minimiser("mean", "mean"),
        breakdown=Breakdown(0.0, "huber2009"),
    ),
    cost=_gaussian_cost,
    references=["nix1994"],
)
def gaussian_nll(p: Array, y: Array, *learned: Array, variance: float, learn: bool) -> LearnedValue:
    """The likelihood of Gaussian noise of a variance that is stated, or learned as its logarithm.

    Without the constant ½·log 2π; a learned variance settles at the mean squared error.
    """
    r = p - targets_like(p, y)
    log_variance: Array | float = math.log(variance)
    precision: Array | float = 1 / variance
    if learn:
        (log_variance,) = learned
        precision = np.exp(-log_variance)
    scaled = r * precision
    square = r * scaled

    def pullback(g: Array) -> Array | tuple[Array, ...]:
        dp = g * scaled
        return (dp, 0.5 * g * (1 - square)) if learn else dp

    return 0.5 * (square + log_variance), pullback
