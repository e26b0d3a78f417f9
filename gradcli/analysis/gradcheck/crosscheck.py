"""The oracles compared on a sample, before anything is judged by either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record
from gradcli.engine.ladder import Ladder, climb, rungs
from gradcli.engine.model import generator
from gradcli.engine.noise import Noise

__all__ = ["Disagreement", "cross_check"]

_RUNGS = slice(8, 10)  # of the ladder: enough to tell a wrong oracle from a right one
_ASSUMED_ULPS = 8  # noise of a function of our own ops, until it is measured


class Disagreement(Record):
    """An entry of a subject at which the oracles are both sure, and differ."""

    entry: int
    numeric: float
    real: float
    uncertainty: float


class _Sample(Record):
    """An entry of a subject with its numeric slope and how far that may be off."""

    subject: Subject
    entry: int
    slope: float
    uncertainty: float

    @property
    def value(self) -> float:
        subject = self.subject
        return float(np.broadcast_to(subject.value, subject.x.shape)[self.entry])


def cross_check(
    subjects: Sequence[Subject], required: float, seed: int
) -> Mapping[str, Disagreement]:
    """Compare numeric gradients with real differences of the whole at one entry of each subject.

    Returns the disagreements, by subject, beyond the relative error `required`. All subjects are
    tried in one go with a few steps; only what does not agree there climbs the whole ladder.
    """
    sampled = [each for each in (_sample(s, seed) for s in subjects) if each is not None]
    if not sampled:
        return {}
    quick = _climb_together(sampled)
    told = np.isfinite(quick.central.uncertainty)
    found = {}
    for at in np.flatnonzero(_differs(quick, sampled, required) | ~told):
        each = sampled[at]
        ladder = each.subject.climb(np.array([each.entry]))
        if _differs(ladder, [each], required)[0]:
            central = ladder.central
            found[each.subject.name] = Disagreement(
                each.entry,
                each.slope,
                float(central.value[0]),
                float(central.uncertainty[0]),
            )
    return found


def _sample(subject: Subject, seed: int) -> _Sample | None:
    """An entry by chance whose numeric slope is not zero; None if there is none."""
    rng = generator(seed, f"cross-check of {subject.name}")
    if subject.large is not None and subject.large.numeric is not None:
        entry = int(rng.integers(len(subject.x)))
        found = subject.large.numeric(np.array([entry]))
        value, uncertainty = float(found.value[0]), float(found.uncertainty[0])
        return _Sample(subject, entry, value, uncertainty) if value else None
    numeric = subject.numeric
    if numeric is None:
        return None
    pool = np.flatnonzero(numeric.value)
    if subject.pool is not None:
        pool = np.intersect1d(pool, subject.pool)
    if subject.kinks is not None:
        pool = pool[~subject.kinks[pool]]
    if not len(pool):
        return None
    entry = int(rng.choice(pool))
    return _Sample(subject, entry, float(numeric.value[entry]), float(numeric.uncertainty[entry]))


def _climb_together(sampled: Sequence[_Sample]) -> Ladder:
    """A few rungs at one entry of each of several subjects, with the noise assumed."""
    x = np.array([each.subject.x[each.entry] for each in sampled])
    value = np.array(
        [np.broadcast_to(s.subject.value, s.subject.x.shape)[s.entry] for s in sampled]
    )
    scale = np.array([each.subject.rho[each.entry] for each in sampled])
    eps = max(each.subject.eps_f for each in sampled)

    def probe(columns: Array, points: Array) -> Array:
        values = [
            sampled[column].subject.probe(np.array([sampled[column].entry]), points[:, at : at + 1])
            for at, column in enumerate(columns)
        ]
        return np.hstack(values)

    steps = rungs(x, scale, eps)[_RUNGS]
    noise = Noise.even(_ASSUMED_ULPS * eps * np.abs(value))
    return climb(probe, np.arange(len(x)), x, value, steps, noise, eps)


def _differs(ladder: Ladder, sampled: Sequence[_Sample], required: float) -> Mask:
    """Where no real slope, central or from a side, is near the numeric gradient's."""
    n = np.array([each.slope for each in sampled])
    doubt = np.array([each.uncertainty for each in sampled]) + required * np.abs(n)
    estimates = (ladder.central, ladder.left, ladder.right)
    far = [np.abs(e.value - n) > 3 * e.uncertainty + doubt for e in estimates]
    known = np.isfinite(ladder.central.uncertainty)
    denied: Mask = known & ~ladder.kink & np.logical_and.reduce(far)
    return denied
