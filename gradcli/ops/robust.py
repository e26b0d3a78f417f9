"""Barron's general robust loss: one family from the square to bounded losses, its shape learnable.

With z = r/scale and b = |alpha - 2|: ρ = (b/alpha)·((z²/b + 1)^(alpha/2) - 1), and its limits at
alpha 0 and 2 (Barron, "A general and adaptive robust loss function", CVPR 2019, equations 8 and
14 to 16). exp(-ρ) is a density up to its partition Z(alpha) for alpha from 0 on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import Cost, Operations
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.core.primitives import choose
from gradcli.core.record import Record
from gradcli.core.registry import loss
from gradcli.core.special import log1p
from gradcli.core.traits import Breakdown, LossTraits, Minimiser, Noise
from gradcli.ops.activations import decay
from gradcli.ops.losses import LearnedValue, targets_like

__all__ = ["adaptive_robust", "log_partition"]

_NO_EXCESS: Final = 1e-20
"""Distance of alpha from 2 below which the loss is the square to the last digit."""

_EXPONENTIAL: Final = tuple(1 / math.factorial(k + 1) for k in range(20))
"""Coefficients of (exp(u) - 1)/u by rising powers, enough for |u| < 1."""

_EXPONENTIAL_SLOPE: Final = tuple(k * c for k, c in enumerate(_EXPONENTIAL) if k)

_NODES: Final = 225
_LAST_NODE: Final = 42.0
_NOTHING: Final = 745.0
"""exp(-745) is the last number above zero: where ρ is as large, nothing is left to add."""


class _Shape(Record):
    """ρ at z², the weight ρ'(z)/z, and |alpha - 2|·∂ρ/∂alpha for alpha below 2, when asked for."""

    value: Array
    weight: Array
    slope: Callable[[], Array]


def _polynomial(coefficients: tuple[float, ...], u: Array) -> Array:
    """By Horner's rule, in the precision of u."""
    value = np.full_like(u, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * u + coefficient
    return value


def _shape(square: Array, alpha: Array, excess: Array) -> _Shape:
    """The loss for z² and alpha, with `excess` = alpha - 2 without cancellation.

    Where (z²/b + 1)^(alpha/2) is near one, it is 1 + u·φ(u) with the power series φ, so that
    alpha = 0 is a point like any other; elsewhere nothing cancels.
    """
    away = np.abs(excess.real) > _NO_EXCESS
    b = choose(away, choose(excess.real < 0, -excess, excess), 1.0)
    log = log1p(square / b)
    weight = choose(away, np.exp(0.5 * excess * log), 1.0)
    u = 0.5 * alpha * log
    near = np.abs(u.real) < 1
    inner = choose(near, u, 0.0)
    series, bend = (_polynomial(c, inner) for c in (_EXPONENTIAL, _EXPONENTIAL_SLOPE))
    divisor = choose(near, 1.0, alpha)
    grown = (square + b) * weight - b
    value = choose(near, 0.5 * b * log * series, grown / divisor)

    def slope() -> Array:
        share = square / (square + b)
        slope_near = series * (share - log) + 0.5 * log * bend * (b * log + alpha * share)
        slope_away = (
            b * (square + b) * weight * log / divisor
            + weight * square
            - 4 * grown / (divisor * divisor)
        )
        return choose(away, 0.5 * choose(near, b * slope_near, slope_away), 0.0)

    return _Shape(choose(away, value, 0.5 * square), weight, slope)


def log_partition(alpha: Array, excess: Array) -> tuple[Array, Array]:
    """log Z(alpha), for Z the integral of exp(-ρ), and |alpha - 2|·d log Z/d alpha below 2.

    By the trapezoid rule in s, with |z| = √b·sinh s: the integrand is analytic near the real line
    for any alpha from 0 on, so that the rule converges geometrically (Trefethen and Weideman,
    "The exponentially convergent trapezoidal rule", SIAM Review 2014). Exact to rounding in
    float64.
    """
    alpha, excess = alpha[..., None], excess[..., None]
    b = np.maximum(np.abs(excess.real), _NO_EXCESS)
    with np.errstate(all="ignore"):  # what overflows is as good as infinite
        grown = np.log1p(_NOTHING * alpha.real / b) / alpha.real
        end = np.arccosh(np.exp(np.fmin(grown, _LAST_NODE)))
        s = end * np.linspace(0.0, 1.0, _NODES)
        shape = _shape(b * np.sinh(s) ** 2, alpha, excess)
        density = np.cosh(s) * np.exp(-shape.value)
        density[..., 0] *= 0.5
        mass = density.sum(axis=-1)
        slope = -(density * shape.slope()).sum(axis=-1) / mass
    step = end[..., 0] / (_NODES - 1)
    return np.log(mass) + np.log(2 * step * np.sqrt(b[..., 0])), slope


def _log_mass(alpha: float) -> float:
    return float(log_partition(np.asarray(alpha), np.asarray(alpha - 2))[0])


def _logistic(x: Array) -> Array:
    """1/(1 + exp(-x)) without overflow."""
    e = decay(x)
    value: Array = choose(x.real < 0, e, 1.0) / (1 + e)
    return value


def _validate(alpha: float, scale: float, learn: str) -> None:
    if learn == "scale" and alpha < 0:
        raise ValueError(f"no likelihood has alpha below 0 ({alpha:g}), so the scale has none")
    if learn == "all" and not 0 < alpha < 2:
        raise ValueError(f"a learned alpha lies between 0 and 2, and cannot start at {alpha:g}")


def _weights(alpha: float, scale: float, learn: str) -> dict[str, float]:
    learned = {} if learn == "none" else {"log_scale": math.log(scale)}
    return {**learned, "alpha_logit": math.log(alpha / (2 - alpha))} if learn == "all" else learned


def _written(alpha: float, learn: str) -> tuple[str, str]:
    """Loss and gradient of an element as formulas."""
    width = "scale" if learn == "none" else "exp(log_scale)"
    a = "(2*sigmoid(alpha_logit))" if learn == "all" else "alpha"
    square = f"((p - y)/{width})**2"
    if alpha == 0:
        value, weight = f"log1p({square}/2)", f"/(1 + {square}/2)"
    elif alpha == 2:
        value, weight = f"{square}/2", ""
    else:
        value = f"abs({a} - 2)/{a}*expm1({a}/2*log1p({square}/abs({a} - 2)))"
        weight = f"*({square}/abs({a} - 2) + 1)**({a}/2 - 1)"
    if learn != "none":
        value += f" + log_scale + {_log_mass(alpha)!r}"
    return value, f"(p - y)/{width}**2{weight}"


def _lipschitz(alpha: float) -> float:
    """The largest slope, at z² = (2 - alpha)/(1 - alpha)."""
    if alpha >= 1:
        return 1.0 if alpha == 1 else math.inf
    return float(((2 - alpha) / (1 - alpha)) ** (0.5 * (alpha - 1)))


def _noise(alpha: float) -> Noise | None:
    if alpha < 0:
        return None
    named = {0: "Cauchy of scale √2·scale", 2: "Gaussian of standard deviation scale"}
    mass = math.exp(_log_mass(alpha))
    value, _ = _written(alpha, "none")
    return Noise(named.get(int(alpha), "Barron's") if alpha in named else "Barron's general",
                 f"exp(-({value}))/(scale*{mass!r})")  # fmt: skip


def _traits(alpha: float, scale: float, learn: str) -> LossTraits:
    pull = _written(alpha, "none")[1].replace("(p - y)/scale**2", "(y - p)", 1)
    return LossTraits(
        convex=alpha >= 1,
        strong_convexity=1 / scale / scale if alpha >= 2 else 0.0,
        lipschitz=_lipschitz(alpha) / scale,
        smoothness=1 / scale / scale if alpha <= 2 else math.inf,
        bounded=alpha < 0,
        argument="residual",
        differentiable=math.inf,
        influence=pull,
        outlier="fades" if alpha < 1 else "constant" if alpha == 1 else "grows",
        noise=_noise(alpha),
        minimiser=Minimiser("mean", "mean")
        if alpha == 2
        else Minimiser("mean weighted by how close each target is", balance=pull),
        breakdown=Breakdown(0.5 if alpha <= 1 else 0.0, "huber2009"),
    )


def _cost(shape: Shape, *, learn: str, **_: Any) -> Cost:
    """By element, and with a learned shape the quadrature that is the same for all."""
    size = math.prod(shape)
    forward, backward, kept, scratch = {
        "none": (96 * size, 3, 8, (4, 1)),
        "scale": (98 * size + 1, 5, 9, (3, 2)),
        "all": (98 * size + 130 * _NODES + 55, 35, 9, (3, 7)),
    }[learn]
    return Cost(
        forward=Operations(elements=forward),
        backward=Operations(elements=backward * size),
        kept=kept * size,
        flags=size,
        scratch=(scratch[0] * size, scratch[1] * size),
    )


@loss(
    "adaptive_robust",
    known_as=["general robust loss", "barron"],
    params=[
        Param("alpha", 1.0, sweep=(1.0, 0.0, 2.0, -2.0, 0.5, 4.0)),
        Param("scale", 1.0, above=0, sweep=(0.5,)),
        Param(
            "learn",
            "none",
            kind="choice",
            choices=("none", "scale", "all"),
            sweep=("none", "scale", "all"),
        ),
    ],
    validate=_validate,
    weights=_weights,
    formula=lambda alpha, scale, learn: _written(alpha, learn)[0],
    gradient=lambda alpha, scale, learn: _written(alpha, learn)[1],
    traits=_traits,
    cost=_cost,
    references=["barron2019"],
)
def adaptive_robust(
    p: Array, y: Array, *learned: Array, alpha: float, scale: float, learn: str
) -> LearnedValue:
    """Barron's general loss: the square at alpha 2, nearly the absolute value at 1, Cauchy's at 0.

    Below 0 it is bounded, so that far outliers do not count at all. With `learn: scale` or `all` it
    is the negative log-likelihood ρ + log scale + log Z(alpha), over `log_scale` and, with alpha =
    2·sigmoid, `alpha_logit`: noise is then as robust as the data ask for.
    """
    width = np.exp(learned[0]) if learned else scale
    z = (p - targets_like(p, y)) / width
    if learn == "all":
        a, excess = 2 * _logistic(learned[1]), -2 * _logistic(-learned[1])
    else:
        # of one axis: without any, NumPy 1 would make float64 of them and a Python number
        a, excess = (np.full(1, number, p.real.dtype) for number in (alpha, alpha - 2))
    shape = _shape(z * z, a, excess)
    if learn == "none":
        return shape.value, lambda g: g * z * shape.weight / width
    precise = (x.astype(np.result_type(x, np.float64)) for x in (a, excess))
    log_mass, slope_of_mass = (
        x.astype(np.result_type(p.real.dtype, a)) for x in log_partition(*precise)
    )

    def pullback(g: Array) -> tuple[Array, ...]:
        pulled = g * z * shape.weight
        cotangents = [pulled / width, g - pulled * z]
        if learn == "all":
            cotangents.append(g * 0.5 * a * (shape.slope() + slope_of_mass))
        return tuple(cotangents)

    return shape.value + learned[0] + log_mass, pullback
