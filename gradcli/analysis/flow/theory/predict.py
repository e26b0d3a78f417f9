"""The flow that mean-field theory expects of a network, layer by layer and never at rest only.

Forward the statistics of each node's entries, then backward the squared norm of the gradient. The
weights that a gradient passes count as independent of it, as is usual (Schoenholz et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from gradcli.analysis.flow.scaled import LOG10_2
from gradcli.analysis.flow.structure import Structure
from gradcli.analysis.flow.theory.entries import power_of_two
from gradcli.analysis.flow.theory.passage import Passage, Passages, Unpredictable
from gradcli.spec.plan import Plan

__all__ = ["Prediction", "Rest", "predict"]

_FARTHEST: Final = 64.0
_STEP: Final = 0.25
"""How far log2 of the rms is followed toward rest, and in which steps."""

_CHANCE: Final = math.pi**2 / 2
"""Variance of the logarithm of the square of a normal number."""

_ROUNDING: Final = 1e-13


@dataclass(frozen=True)
class Rest:
    """Where a layer that is repeated comes to rest: the variance q of its pre-activations, and χ.

    q is 0 or infinite where it falls or grows without end, χ then the limit.
    """

    q: float
    chi: float


@dataclass(frozen=True)
class Prediction:
    """log10 of the gains squared over all layers up to each, and what it says of the layers.

    `norms` are log10 ‖∂L/∂a^l‖, relative to the last layer's, for l = 0..L, NaN inside branches;
    `variances` of ln ‖∂L/∂a^l‖² for one example, between each layer and the next before it through
    which everything passes. `rest` is None for a network whose last two layers are not the same.
    """

    norms: tuple[float, ...]
    variances: tuple[float, ...]
    rest: Rest | None

    @property
    def total(self) -> float:
        """log10 ‖∂L/∂a⁰‖/‖∂L/∂a^L‖."""
        return self.norms[0]


def predict(plan: Plan, structure: Structure) -> Prediction:
    """What theory expects of the network. Raises Unpredictable."""
    passages = Passages(plan, structure)
    cuts = [0, *(place.slot for place in structure.layers if place.slot in structure.cuts)]
    stretches = [range(*ends) for ends in pairwise(cuts)]
    passed = {0: passages.input()}
    for stretch in stretches:
        before = passed[stretch.start]
        known = {stretch.start: replace(before, moved=before.entries)}
        passed = {**_forward(plan, passages, known, stretch), **passed}
    features = _features(plan)
    at_large, along = 0.0, -math.log2(features[cuts[-1]])
    norms, variances = {cuts[-1]: 0.0}, {}
    for stretch in reversed(stretches):
        start, end = stretch.start, stretch.stop
        arriving = _backward(plan, passed, stretch)[start]
        at_large += arriving.log2_square
        along += 2 * (passed[end].moved.log2_rms - passed[start].entries.log2_rms)
        along += math.log2(features[end] / features[start])
        variances[end] = arriving.variance
        norms[start] = LOG10_2 * _log2_sum(at_large, along) / 2
    variances[cuts[-1]] += _CHANCE * power_of_two(2 * (along - _log2_sum(at_large, along)))
    slots = [0, *(place.slot for place in structure.layers)]
    rest = None
    if len(stretches) > 1 and _same(plan, passages, *stretches[-2:]):
        rest = _rest(plan, structure, passages, passed[stretches[-1].start], stretches[-1])
    return Prediction(
        tuple(norms.get(slot, math.nan) for slot in slots),
        tuple(variances.get(slot, math.nan) for slot in slots[1:]),
        rest,
    )


def _features(plan: Plan) -> list[int]:
    """By slot."""
    assert plan.inputs is not None
    return [plan.inputs.shape[-1], *(node.shape[-1] for node in plan.nodes)]


def _forward(
    plan: Plan, passages: Passages, known: dict[int, Passage], nodes: range
) -> dict[int, Passage]:
    """Passages by the slot that a node writes, those known included."""
    passed = dict(known)
    for index in nodes:
        inputs = [passed[slot] for slot in plan.nodes[index].inputs]
        passed[index + 1] = passages.through(index, inputs)
    return passed


@dataclass(frozen=True)
class _Arriving:
    """log2 of the squared gradient, and the variance of its logarithm, from where it came."""

    log2_square: float
    variance: float


def _backward(plan: Plan, passed: dict[int, Passage], nodes: range) -> dict[int, _Arriving]:
    """What of a squared gradient of 1 arrives at each slot before; paths that meet add up."""
    features = _features(plan)
    found = {nodes.stop: _Arriving(0.0, 0.0)}
    for index in reversed(nodes):
        own = passed[index + 1]
        arrived = found.get(index + 1, _NOTHING)
        for slot, gain in zip(plan.nodes[index].inputs, own.log2_gains, strict=True):
            one = _Arriving(arrived.log2_square + gain, arrived.variance + own.variance)
            found[slot] = _met(found.get(slot, _NOTHING), one, features[slot])
    return found


_NOTHING: Final = _Arriving(-math.inf, 0.0)


def _met(one: _Arriving, other: _Arriving, features: int) -> _Arriving:
    """The sum of two gradients that are as good as orthogonal, with what their product varies."""
    total = _log2_sum(one.log2_square, other.log2_square)
    if total == -math.inf:
        return _NOTHING
    p, q = (power_of_two(each.log2_square - total) for each in (one, other))
    variance = p * p * one.variance + q * q * other.variance + 4 * p * q / features
    return _Arriving(total, variance)


def _log2_sum(a: float, b: float) -> float:
    low, high = min(a, b), max(a, b)
    return high + math.log2(1 + power_of_two(low - high)) if low > -math.inf else high


def _rest(
    plan: Plan, structure: Structure, passages: Passages, begin: Passage, stretch: range
) -> Rest | None:
    """Where the last layer, or block, would come to rest if it were repeated for ever."""
    start, end = stretch.start, stretch.stop
    place = structure.layers[-1]
    read = place.node + 1 if place.activation is None else plan.nodes[place.activation].inputs[0]

    def after(log2_rms: float) -> dict[int, Passage]:
        entries = replace(begin.entries, log2_rms=log2_rms)
        known = {start: replace(begin, entries=entries)}
        return _forward(plan, passages, known, stretch)

    try:
        rest = _at_rest(lambda at: after(at)[end].entries.log2_rms - at, begin.entries.log2_rms)
        there = after(min(max(rest, -_FARTHEST), _FARTHEST))
    except Unpredictable:
        return None
    chi = power_of_two(_backward(plan, there, stretch)[start].log2_square)
    at_read = rest if math.isinf(rest) else there[read].entries.log2_rms
    return Rest(power_of_two(2 * at_read), chi)


def _same(plan: Plan, passages: Passages, one: range, other: range) -> bool:
    """Whether two stretches of nodes do the same to a signal."""
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        first, second = plan.nodes[a], plan.nodes[b]
        if (first.op, first.options, first.shape) != (second.op, second.options, second.shape):
            return False
        if passages.traits[a].mixing is not None and passages.weights(a) != passages.weights(b):
            return False
    return True


def _at_rest(drift: Callable[[float], float], at: float) -> float:
    """Where a drift that begins at a point ends; infinite where it does not."""
    here = drift(at)
    if abs(here) <= _ROUNDING:
        return at
    step = math.copysign(_STEP, here)
    while abs(at) < _FARTHEST:
        further = at + step
        there = drift(further)
        if math.copysign(1, here) * there < -_ROUNDING:
            return _between(drift, (at, here), (further, there))
        at, here, step = further, there, 2 * step
    return math.copysign(math.inf, step)


def _between(
    drift: Callable[[float], float], one: tuple[float, float], other: tuple[float, float]
) -> float:
    """The zero of a drift between two points with their drifts, by false position (Illinois)."""
    (a, at_a), (b, at_b) = one, other
    while abs(b - a) > _ROUNDING * max(1.0, abs(a)):
        c = b - at_b * (b - a) / (at_b - at_a)
        at_c = drift(c)
        if abs(at_c) <= _ROUNDING:
            return c
        if at_c * at_b < 0:
            a, at_a = b, at_b
        else:
            at_a /= 2
        b, at_b = c, at_c
    return b
