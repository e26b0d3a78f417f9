"""The flow that mean-field theory expects of a network, layer by layer and never at rest only.

Forward the statistics of each node's entries, then backward the squared norm of the gradient. The
weights that a gradient passes count as independent of it, as is usual (Schoenholz et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from gradcli.analysis.flow.products import log2
from gradcli.analysis.flow.structure import Structure
from gradcli.analysis.flow.theory.entries import power_of_two
from gradcli.analysis.flow.theory.movement import Movement
from gradcli.analysis.flow.theory.passage import Passage, Passages
from gradcli.analysis.flow.theory.rest import Rest, rest_of
from gradcli.analysis.flow.theory.stretch import arriving, log2_sum, passed_through
from gradcli.core.arrays import Array
from gradcli.spec.plan import Plan

__all__ = ["DECADE", "Prediction", "predict"]

DECADE: Final = 2 * math.log(10)
"""Natural logarithm of a squared norm for each decade of the norm."""

_CHANCE: Final = math.pi**2 / 2
"""Variance of the logarithm of the square of a normal number."""

_RANGE: Final = (0.02, 5.0)
"""Where the square of a normal number is in six of seven draws."""

_ROUNDING: Final = 1e-13


@dataclass(frozen=True)
class Prediction:
    """What is expected between the places through which the whole signal passes, from the input on.

    `layers` are indices of the layers that end there. `gains` are ln of the squared gain of each,
    `variances` those of this logarithm for one example of a batch, `doubts` by how much theory,
    which is for endless widths, may be off its mean. `variance` and `doubt` are of the total.
    `rest` is None for a network whose last two layers are not the same.
    """

    layers: tuple[int, ...]
    gains: Array
    variances: Array
    doubts: Array
    variance: float
    doubt: float
    rest: Rest | None

    @property
    def log10_total(self) -> float:
        """log10 ‖∂L/∂a⁰‖/‖∂L/∂a^L‖."""
        return float(self.gains.sum()) / DECADE


def predict(plan: Plan, structure: Structure, larger: float = 1.0) -> Prediction:
    """What theory expects of the network, with inputs so many times as large.

    Raises Unpredictable.
    """
    passages = Passages(plan, structure)
    layers = [i for i, place in enumerate(structure.layers) if place.slot in structure.cuts]
    cuts = [0, *(structure.layers[i].slot for i in layers)]
    stretches = [range(*ends) for ends in pairwise(cuts)]
    x, passed = passages.input(larger), []
    for stretch in stretches:
        passed.append(passed_through(passages, replace(x, moved=Movement.of(x.entries)), stretch))
        x = passed[-1][stretch.stop]
    way = _Way(passages, cuts[-1])
    for own, stretch in zip(reversed(passed), reversed(stretches), strict=True):
        way.back_through(own, stretch)
    variances = np.array(way.variances[::-1])
    few = np.array(
        [
            math.fsum(own[node + 1].doubt for node in stretch)
            for own, stretch in zip(passed, stretches, strict=True)
        ]
    )
    if any(passages.over_rows(node) for node in stretches[-1]):
        few[-1] += math.log(2)  # the loss's gradient may be alike in all rows, whose mean it loses
    chance = _CHANCE * way.ahead**2
    return Prediction(
        tuple(layers),
        np.array(way.log2_gains[::-1]) * math.log(2),
        variances,
        variances + few + way.wander[::-1],
        float(variances.sum()) + chance,
        float(variances.sum() + few.sum()) + chance,
        rest_of(passages, structure, passed[-1], stretches[-2:]),
    )


class _Way:
    """The squared gradient on its way back, as a sum of what it is at large and what is ahead.

    Where a signal is stretched, it moves its successors more than any other direction of n does if
    means pile up in it: in residual networks of ReLUs by 2.9 a block in square, while gradients at
    large double. However little of the gradient lies along the signal, it and what comes of it
    overtake the rest in the end; at which layer is a matter of chance (`wander`).
    """

    def __init__(self, passages: Passages, end: int) -> None:
        self.passages = passages
        self.log2_gains: list[float] = []
        self.variances: list[float] = []
        self.wander: list[float] = []
        self.ahead = 0.0
        self._along = 1 / passages.features[end]

    def back_through(self, passed: Mapping[int, Passage], stretch: range) -> None:
        """One stretch more.

        `_along` is the part of the squared gradient that lies along the signal, `ahead` the part
        that comes of what was there.
        """
        features = self.passages.features
        before, after = features[stretch.start], features[stretch.stop]
        arrived = arriving(self.passages, passed, stretch)
        growth = _growth(passed[stretch.start], passed[stretch.stop]) + math.log2(after / before)
        along = growth + log2(self._along)
        ahead = _log2_ahead(along, arrived.log2_square - math.log2(before))
        total = log2_sum(arrived.log2_square, ahead)
        at_large = power_of_two(arrived.log2_square - total) if total > -math.inf else 1.0
        self.ahead = at_large * self.ahead + 1 - at_large
        self._along = min(1.0, power_of_two(along - total)) if total > -math.inf else 0.0
        self.log2_gains.append(total)
        self.variances.append(arrived.variance)
        undecided = _undecided(self.ahead)
        apart = math.log1p(power_of_two(growth - total)) if undecided else 0.0
        self.wander.append(undecided * apart)


def _undecided(ahead: float) -> float:
    """By how much the part of the squared gradient that is ahead differs from draw to draw."""
    low, high = (ahead * size / (1 - ahead + ahead * size) for size in _RANGE)
    return high - low


def _growth(before: Passage, after: Passage) -> float:
    """log2 of the factor on the mean square of a stretch, as far as the signal is stretched on."""
    if before.entries.log2_rms == -math.inf or not after.moved.overlap > 0:
        return -math.inf
    return 2 * (after.moved.log2_rms + log2(after.moved.overlap) - before.entries.log2_rms)


def _log2_ahead(a: float, b: float) -> float:
    """log2 of by how much 2**a is more than 2**b; -inf where it is not."""
    return a + math.log2(1 - power_of_two(b - a)) if a - b > _ROUNDING else -math.inf
