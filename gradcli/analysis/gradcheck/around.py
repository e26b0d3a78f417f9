"""Claims at kinks of a user's function, held against the slopes that it has around them.

Where several arguments tie (in a sort, a maximum) the two sides of one coordinate do not show every
slope that a gradient may choose; and claims that are each between the sides may be too much
together.
"""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.differences import Differences
from gradcli.analysis.gradcheck.rule import Outcome
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.engine.ladder import Estimate, Ladder

_FARTHEST = 1e-4  # of the size of the arguments
_BENT = 8  # times how far off: the part of a slope that may have changed

_COUNTED = 1.5  # times the slope: more than the rounding of shares makes of it

__all__ = ["off_together", "with_slopes_around"]


def with_slopes_around(
    subject: Subject, entries: Array, a: Array, ladder: Ladder, found: Differences
) -> Ladder:
    """The ladder with the slopes around those kinks at which the claims a fail as its sides."""
    failing = np.flatnonzero((found.outcome == Outcome.FAIL) & ladder.kink & np.isfinite(a))
    if subject.around is None or not len(failing):
        return ladder
    low, high, u = found.low.copy(), found.high.copy(), found.u.copy()
    for at in failing:
        direction = np.zeros(subject.x.size)
        direction[entries[at]] = 1.0
        slopes, bent = _around(subject, direction, ladder.step[[at]])
        low[at] = slopes.value.min(initial=low[at]) - bent
        high[at] = slopes.value.max(initial=high[at]) + bent
        u[at] = slopes.uncertainty.max(initial=u[at])
    return ladder.replace(left=Estimate(low, u), right=Estimate(high, u))


def off_together(
    subject: Subject, entries: Array, a: Array, ladder: Ladder, found: Differences, required: float
) -> Array:
    """Claims that are right at each of several kinks, and too much at all of them together.

    Of a tie of max each may have the whole slope, but not two of them. Where the function has the
    same slope along their signs all around, theirs is to be no more; what is `found` becomes the
    share of it that is in proportion to the claims.
    """
    at_kink = np.flatnonzero((found.outcome == Outcome.KINK) & (a != 0))
    is_coarse = subject.eps > subject.eps_f  # shares in float32 may be rounded to the whole
    if subject.around is None or len(at_kink) < 2 or is_coarse:
        return at_kink[:0]
    direction = np.zeros(subject.x.size)
    direction[entries[at_kink]] = np.sign(a[at_kink])
    slopes, bent = _around(subject, direction, ladder.step[at_kink])
    claimed = float(np.abs(a[at_kink]).sum())
    doubt = slopes.uncertainty.max(initial=0.0) + bent + required * claimed
    if len(slopes.value) < 2 or np.ptp(slopes.value) > doubt:
        return at_kink[:0]
    slope = float(slopes.value.mean())
    if not 0 < _COUNTED * slope < claimed - 2 * doubt:
        return at_kink[:0]
    for values in (found.n, found.low, found.high):
        values[at_kink] = a[at_kink] * (slope / claimed)
    return at_kink


def _around(subject: Subject, direction: Array, steps: Array) -> tuple[Estimate, float]:
    """Slopes along a direction around a point, and what they may have changed by on the way.

    They are taken no farther off than the steps that showed the slopes of its entries best.
    """
    assert subject.around is not None
    away = min(float((steps / subject.rho[direction != 0]).min()), _FARTHEST)
    slopes = subject.around(direction, away)
    return slopes, _BENT * away * float(np.abs(slopes.value).max(initial=0.0))
