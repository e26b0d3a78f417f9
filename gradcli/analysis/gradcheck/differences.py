"""What real-valued differences say of a claim: from both sides, one side, or at a kink."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.rule import Gap, Outcome, Scale, judge
from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record
from gradcli.engine.ladder import Estimate, Ladder

__all__ = ["Differences", "is_a_step", "judge_differences"]

_LEVEL = 0.01  # of the size of x: wider than the stairs that rounding makes,
_STAIR = 2e-3  # and of the function's value: higher


class Differences(Record):
    """The numeric values of some entries and what they make of the claims there; see `Evidence`.

    `sloped` marks entries where the function is known to have a finite slope.
    """

    n: Array
    low: Array
    high: Array
    u: Array
    outcome: Array
    sloped: Mask


def judge_differences(
    a: Array, u_a: Array, scale: Scale, ladder: Ladder, at_kink: Mask
) -> Differences:
    """Judge the claims a by a ladder of differences; `at_kink` are kinks known from elsewhere.

    A claim passes with the central slope, or with that of one side where this is known better
    and the others do not deny it: an entry that has a slope at all has the same from both sides,
    and at an unseen kink either is a subgradient. It fails only if no side allows it.
    """
    left, right, central = ladder.left, ladder.right, ladder.central
    kink = ladder.kink | at_kink
    low, high, u_sides = _between(left, right)
    one_sided = ~np.isfinite(central.uncertainty) | kink
    n = np.where(one_sided, np.clip(a, low, high), central.value)
    lows, highs = np.where(one_sided, low, n), np.where(one_sided, high, n)
    u = np.where(one_sided, u_sides, central.uncertainty)
    outcome = judge(Gap.between(a, lows, highs), u, u_a, scale)

    denied = judge(Gap.between(a, low, high), u_sides, u_a, scale)
    alone = [
        judge(Gap.between(a, side.value, side.value), side.uncertainty, u_a, scale)
        for side in (left, right)
    ]
    sides_agree = _agree(left, right)
    wrong = sides_agree & (alone[0] == Outcome.FAIL) & (alone[1] == Outcome.FAIL)
    wrong &= denied == Outcome.FAIL
    for side, verdict in zip((left, right), alone, strict=True):
        better = ~one_sided & _agree(side, central) & (side.uncertainty < u)
        unsettled = outcome == Outcome.UNDECIDED
        chosen = better & sides_agree & (verdict < np.minimum(outcome, Outcome.UNDECIDED))
        chosen |= better & unsettled & wrong
        # sides that differ by less than the differences show: a kink as far as can be told
        bent = better & unsettled & ~sides_agree & (verdict < Outcome.UNDECIDED)
        outcome[chosen] = verdict[chosen]
        outcome[bent] = Outcome.KINK
        chosen |= bent
        for values in (n, lows, highs):
            values[chosen] = side.value[chosen]
        u[chosen] = side.uncertainty[chosen]
    spared = (outcome == Outcome.FAIL) & np.isfinite(u_sides) & (denied < Outcome.UNDECIDED)
    outcome[spared] = Outcome.UNDECIDED
    u[spared] = np.maximum(u, u_sides)[spared]
    # a function that is level everywhere may have been rounded to that, or else its claim, as a
    # sum of what cancels, to something that is not zero
    constant = (central.uncertainty == 0) | (ladder.rise == 0)
    lost = constant & (np.abs(a) <= scale.eps * np.maximum(1.0, ladder.size))
    unseen = (ladder.blind & np.isfinite(a)) | lost
    outcome[(outcome == Outcome.FAIL) & unseen] = Outcome.UNDECIDED
    outcome[kink & (outcome < Outcome.UNDECIDED)] = Outcome.KINK
    # where nothing changes over a good part of the scale, zero is right, whatever is further on
    is_level = is_a_step(ladder, scale.position) & (outcome == Outcome.UNDECIDED) & (a == 0)
    for values in (n, lows, highs):
        values[is_level] = 0.0
    u[is_level] = (scale.noise / np.where(is_level, np.abs(ladder.edge), 1.0))[is_level]
    outcome[is_level] = Outcome.BELOW_RESOLUTION
    return Differences(n, lows, highs, u, outcome, np.isfinite(u) & ~ladder.blind)


def is_a_step(ladder: Ladder, position: Array) -> Mask:
    """Where a function is level for longer than rounding makes it, and rises by more, if ever."""
    wide = np.abs(ladder.edge) > _LEVEL * position
    by_more: Mask = (ladder.rise > _STAIR * ladder.size) | (ladder.rise == 0)
    return wide & by_more


def _between(left: Estimate, right: Estimate) -> tuple[Array, Array, Array]:
    """From the lower to the higher of two slopes, and the uncertainty; one will do for both."""
    both = np.isfinite(left.uncertainty) & np.isfinite(right.uncertainty)
    known = np.where(np.isfinite(left.uncertainty), left.value, right.value)
    low = np.where(both, np.minimum(left.value, right.value), known)
    high = np.where(both, np.maximum(left.value, right.value), low)
    larger = np.maximum(left.uncertainty, right.uncertainty)
    smaller = np.minimum(left.uncertainty, right.uncertainty)
    return low, high, np.where(both, larger, smaller)


def _agree(one: Estimate, other: Estimate) -> Mask:
    agree: Mask = np.abs(one.value - other.value) <= one.uncertainty + other.uncertainty
    return agree
