"""From one place through which the whole signal passes to the next, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gradcli.analysis.flow.theory.entries import power_of_two
from gradcli.analysis.flow.theory.passage import Passage, Passages

__all__ = ["Arrival", "arriving", "log2_sum", "passed_through"]


@dataclass(frozen=True)
class Arrival:
    """log2 of what is left of a squared gradient, and the variance of its natural logarithm."""

    log2_square: float
    variance: float


_NOTHING: Final = Arrival(-math.inf, 0.0)


def passed_through(passages: Passages, begin: Passage, nodes: range) -> dict[int, Passage]:
    """Passages by the slot that a node writes, that where the nodes begin included.

    Raises Unpredictable.
    """
    passed = {nodes.start: begin}
    for index in nodes:
        inputs = [passed[slot] for slot in passages.plan.nodes[index].inputs]
        passed[index + 1] = passages.through(index, inputs)
    return passed


def arriving(passages: Passages, passed: Mapping[int, Passage], nodes: range) -> Arrival:
    """What arrives at the beginning of a squared gradient of 1 at the end."""
    found = {nodes.stop: Arrival(0.0, 0.0)}
    for index in reversed(nodes):
        own, arrived = passed[index + 1], found.get(index + 1, _NOTHING)
        for slot, gain in zip(passages.plan.nodes[index].inputs, own.log2_gains, strict=True):
            one = Arrival(arrived.log2_square + gain, arrived.variance + own.variance)
            found[slot] = _met(found.get(slot, _NOTHING), one, passages.features[slot])
    return found[nodes.start]


def _met(one: Arrival, other: Arrival, features: int) -> Arrival:
    """The sum of two gradients that are as good as orthogonal, with what their product varies."""
    total = log2_sum(one.log2_square, other.log2_square)
    if total == -math.inf:
        return _NOTHING
    p, q = (power_of_two(each.log2_square - total) for each in (one, other))
    variance = p * p * one.variance + q * q * other.variance + 4 * p * q / features
    return Arrival(total, variance)


def log2_sum(a: float, b: float) -> float:
    """log2 of a sum, from those of its two terms."""
    low, high = min(a, b), max(a, b)
    return high + math.log2(1 + power_of_two(low - high)) if low > -math.inf else high
