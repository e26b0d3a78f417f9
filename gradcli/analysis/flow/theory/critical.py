"""The edge of chaos: the spreads of weights and biases at which a wide network keeps gradients.

In such a network the variance q of pre-activations goes from layer to layer as
q' = σ_w²·E[f(√q z)²] + σ_b², and the squared gradient by χ = σ_w²·E[f'(√q z)²] (Poole et al. 2016,
Schoenholz et al. 2017). At a critical point q is at rest and χ = 1. Every q has one:
σ_w² = 1/E f'² and σ_b² = q − E f²/E f'², provided that this is not negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from gradcli.analysis.flow.theory.curve import Curve
from gradcli.analysis.flow.theory.normal import averages
from gradcli.analysis.in_json import Shape

__all__ = ["CriticalPoint", "critical_point", "critical_points"]

_GRID: Final = tuple(10.0 ** (step / 4) for step in range(-32, 33))
"""Values of q between which roots are looked for."""

_LEAST: Final = 1e-36
_LITTLE: Final = 1e-4
"""A q that stands for the limit toward zero, and one that shows what q does near it."""

_ROUNDING: Final = 1e-12
_ULP: Final = 2.0**-52


@dataclass(frozen=True)
class CriticalPoint:
    """σ_w, σ_b and the resting variance q at which χ = 1, with dq'/dq there.

    Weights have the variance σ_w²/fan_in, biases σ_b². q comes back to rest where `stretch` is
    below 1, slowly at 1, and leaves where it is above. q = 0 is the limit that it tends to. It is
    infinite where q grows without end and χ = 1 whatever it is, which is so with biases and a
    positively homogeneous activation.
    """

    weight_std: float
    bias_std: float
    q: float
    stretch: float

    in_json: ClassVar = Shape(
        added={
            **dict.fromkeys(("bias_variance", "weight_variance"), float),
            "q": float | None,
            **dict.fromkeys(("stable", "depth_scale")),
            "init": Mapping[str, Mapping[str, float]],
            "bias_init": str | Mapping[str, Mapping[str, float]],
        }
    )

    @property
    def stable(self) -> bool:
        """Whether q does not leave this point."""
        return self.stretch <= 1 + _ROUNDING

    @property
    def depth_scale(self) -> float | None:
        """Layers in which q comes closer to rest by a factor e (Schoenholz et al. 2017).

        −1/ln(dq'/dq): infinite where it does so by a power of the depth, None where it leaves.
        """
        if not self.stable:
            return None
        if self.q == 0 or self.stretch >= 1 - _ROUNDING:
            return math.inf
        return -1 / math.log(self.stretch) if self.stretch > 0 else 0.0


def critical_points(curve: Curve, bias_std: float) -> tuple[CriticalPoint, ...]:
    """Every critical point with this σ_b, the stable ones first and then by q; maybe none."""
    if curve.homogeneous:
        weight_std = 1 / averages(curve, 0.0, 1.0).slope_rms
        return (CriticalPoint(weight_std, bias_std, math.inf if bias_std else 0.0, 1.0),)
    found = [] if bias_std else [*_at_zero(curve)]
    for q in _roots(lambda q: _bias_variance(curve, q) - bias_std**2):
        found.append(_at(curve, q, bias_std))
    return tuple(sorted(found, key=lambda point: (not point.stable, point.q)))


def critical_point(curve: Curve, bias_std: float | None = None) -> CriticalPoint | None:
    """The critical point to initialize with: one that q does not leave, or None.

    Where `bias_std` is left open it is 0 if there is such a point, and otherwise the least with
    which there is one.
    """
    points = critical_points(curve, bias_std or 0.0)
    if bias_std is None and not any(point.stable for point in points):
        points = tuple(sorted(_onsets(curve), key=lambda point: point.bias_std))
    return next((point for point in points if point.stable), None)


def _onsets(curve: Curve) -> Iterator[CriticalPoint]:
    """Critical points at which stability begins: dq'/dq = 1."""
    for q in _roots(lambda q: _at(curve, q, 0.0).stretch - 1):
        variance = _bias_variance(curve, q)
        if variance >= 0:
            yield _at(curve, q, math.sqrt(variance))


def _at(curve: Curve, q: float, bias_std: float) -> CriticalPoint:
    own = averages(curve, 0.0, math.sqrt(q))
    if not own.slope_rms:
        return CriticalPoint(math.inf, bias_std, q, math.nan)
    return CriticalPoint(1 / own.slope_rms, bias_std, q, own.stretch / own.slope_rms**2)


def _at_zero(curve: Curve) -> Iterator[CriticalPoint]:
    """The limit q → 0 for σ_b = 0, a rest if f(0) = 0; dq'/dq is that of a little more."""
    weight_std = _at(curve, _LEAST, 0.0).weight_std
    if math.isfinite(weight_std) and _bias_variance(curve, _LEAST) == 0:
        rms = averages(curve, 0.0, math.sqrt(_LITTLE)).rms
        yield CriticalPoint(weight_std, 0.0, 0.0, (weight_std * rms) ** 2 / _LITTLE)


def _bias_variance(curve: Curve, q: float) -> float:
    """σ_b² of the critical point at q; what is only rounding is zero."""
    found = q - (_at(curve, q, 0.0).weight_std * averages(curve, 0.0, math.sqrt(q)).rms) ** 2
    return 0.0 if abs(found) <= _ROUNDING * q else found


def _roots(function: Callable[[float], float]) -> Iterator[float]:
    """Where a function of q changes its sign, to rounding."""
    before, low = function(_GRID[0]), _GRID[0]
    for high in _GRID[1:]:
        after = function(high)
        if before < 0 < after or after < 0 < before:
            yield _root(function, (math.log(low), before), (math.log(high), after))
        if after:
            before, low = after, high


def _root(
    function: Callable[[float], float], one: tuple[float, float], other: tuple[float, float]
) -> float:
    """A zero between two points, each as log q and value, by false position (Illinois)."""
    (a, at_a), (b, at_b) = one, other
    while abs(b - a) > _ULP * max(1.0, abs(a)):
        c = b - at_b * (b - a) / (at_b - at_a)
        at_c = function(math.exp(c))
        if not at_c or c in (a, b):
            return math.exp(c)
        if at_c * at_b < 0:
            a, at_a = b, at_b
        else:
            at_a /= 2
        b, at_b = c, at_c
    return math.exp(b)
