"""Where a layer that is repeated for ever brings a signal to rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gradcli.analysis.flow.structure import Structure
from gradcli.analysis.flow.theory.entries import power_of_two
from gradcli.analysis.flow.theory.passage import Passage, Passages, Unpredictable
from gradcli.analysis.flow.theory.stretch import arriving, passed_through

__all__ = ["Rest", "followed", "rest_of"]

_FARTHEST: Final = 64.0
_STEP: Final = 0.25
"""How far log2 of the rms is followed toward rest, and the first step, which doubles."""

_ROUNDING: Final = 1e-13


@dataclass(frozen=True)
class Rest:
    """The variance q of the pre-activations at rest, and the factor χ on the squared gradient.

    q is 0 or infinite where it falls or grows without end, χ then the limit.
    """

    q: float
    chi: float


def rest_of(
    passages: Passages,
    structure: Structure,
    passed: Mapping[int, Passage],
    stretches: Sequence[range],
) -> Rest | None:
    """Where the last stretch tends to if it is repeated; None if it is not like the one before."""
    if len(stretches) < 2 or not _alike(passages, *stretches):
        return None
    stretch = stretches[-1]
    begin, place = passed[stretch.start], structure.layers[-1]
    activation = place.activation
    read = place.node + 1 if activation is None else passages.plan.nodes[activation].inputs[0]

    def after(log2_rms: float) -> dict[int, Passage]:
        entries = replace(begin.entries, log2_rms=log2_rms)
        return passed_through(passages, replace(begin, entries=entries), stretch)

    try:
        rest = followed(
            lambda at: after(at)[stretch.stop].entries.log2_rms - at, begin.entries.log2_rms
        )
        there = after(min(max(rest, -_FARTHEST), _FARTHEST))
    except Unpredictable:
        return None
    q = 2 * (rest if math.isinf(rest) else there[read].entries.log2_rms)
    return Rest(power_of_two(q), power_of_two(arriving(passages, there, stretch).log2_square))


def _alike(passages: Passages, one: range, other: range) -> bool:
    """Whether two stretches of nodes do the same to a signal."""
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        first, second = passages.plan.nodes[a], passages.plan.nodes[b]
        if (first.op, first.options, first.shape) != (second.op, second.options, second.shape):
            return False
        if passages.traits[a].mixing is not None and passages.weights(a) != passages.weights(b):
            return False
    return True


def followed(drift: Callable[[float], float], at: float) -> float:
    """Where a drift of log2 of an rms that begins at a point ends; infinite where it does not."""
    here = drift(at) if math.isfinite(at) else 0.0
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
