"""Claims held against what the function gains along a path, where single slopes cannot be seen.

A difference quotient sees a slope only over a distance at which the function's change rises above
its noise. Where the slope itself changes within that distance (beside a kink, a spike, a root),
what is seen is not the slope at the point, and a claim that differs from it may be right. But a
right gradient adds up: its integral along a path is what the function gains there (the fundamental
theorem of calculus), whatever it does on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gradcli.analysis.gradcheck.differences import Differences
from gradcli.analysis.gradcheck.rule import Gap, Outcome
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array, Mask
from gradcli.engine.ladder import Ladder
from gradcli.engine.noise import ecnoise

__all__ = ["explained"]

_SEEN = 8  # times the noise: a gain in which a mismatch shows
_BESIDE = 1e-10  # of the size of x: so near that the slope is the one at the point
_CELLS = 24  # of a path, each with a claim at its middle,
_NARROWER = 8.0 ** -np.arange(24, 0, -1)  # and of the first of them, for what hides beside x
_PATH = np.concatenate([[0.0], _NARROWER, np.arange(1, _CELLS + 1)]) / _CELLS
_MIDDLES, _WIDTHS = (_PATH[1:] + _PATH[:-1]) / 2, np.diff(_PATH)
_NOISES = 4  # of the gain, whose ends have one each
_ROUGH = 4  # times what claims differ from a line: that of a jump, or the noise of all together
_SAFETY = 3  # times the noise at an end of a path, since it is an estimate
_ENDS = 1 + 1e-4 * np.arange(-4, 5)  # of the distance: where it is measured


def explained(
    subject: Subject, entries: Array, a: Array, ladder: Ladder, found: Differences
) -> Mask:
    """Failing claims a that explain the function as far off as the mismatch can be seen at all."""
    explained = np.zeros(len(a), bool)
    claims = subject.claims
    if claims is None:
        return explained
    rho = subject.rho[entries]
    doubt = Gap.between(a, found.low, found.high).distance
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = _SEEN * ladder.noise / doubt
    far = np.where(ladder.step > rho, ladder.step, 0.0)
    distance = np.maximum(seen, far)
    level = np.maximum(ladder.noise, subject.noise(entries).at(distance[None])[0])
    hidden = (found.outcome == Outcome.FAIL) & np.isfinite(a) & ~ladder.kink
    for at in np.flatnonzero(hidden & ((seen > _BESIDE * rho) | (far > 0))):
        entry = entries[at : at + 1]
        explained[at] = _adds_up(
            partial(_value, subject, entry),
            partial(claims, int(entry[0])),
            float(subject.x[entry[0]]),
            float(distance[at]),
            float(level[at]),
            float(doubt[at]),
        )
    return explained


def _value(subject: Subject, entry: Array, points: Array) -> Array:
    return subject.probe(entry, points[:, None])[:, 0]


def _adds_up(
    value: Callable[[Array], Array],
    claims: Callable[[Array], Array],
    x: float,
    distance: float,
    noise: float,
    doubt: float,
) -> bool:
    """Whether claimed slopes explain the gain of a function along the paths on both sides of x.

    `value` and `claims` give the function and its claimed slope at points (K,), NaN where they
    cannot; `noise` is how noisy the function is along the path, `doubt` the difference between the
    claim and the slope that was measured. A claim at x that no other nearby is like is another's.
    """
    here = float(claims(np.array([x]))[0])
    start = float(value(np.array([x]))[0])
    is_like = False
    with np.errstate(invalid="ignore", over="ignore"):
        for side in (distance, -distance):
            points = x + side * _MIDDLES
            slopes = claims(points)
            ends = value(x + side * _ENDS)
            gain = ends[len(ends) // 2] - start
            level = max(noise, _SAFETY * float(ecnoise(ends[:, None])[0][0]))
            slack = _NOISES * level + _ROUGH * distance * _roughness(slopes)
            if not abs(gain - side * (slopes @ _WIDTHS)) <= slack:
                return False
            is_like |= bool((np.abs(slopes - here) <= doubt / 2)[points != x].any())
    return is_like


def _roughness(slopes: Array) -> float:
    """How far claims along a path are at most from a line through their neighbours, by its width.

    Of smooth claims there is little left.
    """
    share = (_MIDDLES[1:-1] - _MIDDLES[:-2]) / (_MIDDLES[2:] - _MIDDLES[:-2])
    between = slopes[:-2] + share * (slopes[2:] - slopes[:-2])
    return float((2 * np.abs(slopes[1:-1] - between) * _WIDTHS[1:-1]).max())
