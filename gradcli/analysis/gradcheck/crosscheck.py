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


def cross_check(
    subjects: Sequence[Subject], required: float, seed: int
) -> Mapping[str, Disagreement]:
    """Compare numeric gradients with real differences of the whole at one entry of each subject.

    Returns the disagreements, by subject, beyond the relative error `required`. All subjects are
    tried in one go with a few steps; only what does not agree there climbs the whole ladder.
    """
    chosen = [(subject, _entry(subject, seed)) for subject in subjects]
    sampled = [(subject, *found) for subject, found in chosen if found is not None]
    if not sampled:
        return {}
    n = np.array([slope for _, _, slope in sampled])
    quick = _climb_together(sampled)
    found = {}
    told = np.isfinite(quick.central.uncertainty)
    for at in np.flatnonzero(_differs(quick, n, required) | ~told):
        subject, entry, _ = sampled[at]
        ladder = subject.climb(np.array([entry]))
        if _differs(ladder, n[at : at + 1], required)[0]:
            central = ladder.central
            found[subject.name] = Disagreement(
                entry, float(n[at]), float(central.value[0]), float(central.uncertainty[0])
            )
    return found


def _entry(subject: Subject, seed: int) -> tuple[int, float] | None:
    """An entry by chance and its complex-step slope, which is not zero; None if there is none."""
    rng = generator(seed, f"cross-check of {subject.name}")
    if subject.large is not None and subject.large.numeric is not None:
        entry = int(rng.integers(len(subject.x)))
        slope = float(subject.large.numeric(np.array([entry])).value[0])
        return (entry, slope) if slope else None
    if subject.numeric is None:
        return None
    pool = np.flatnonzero(subject.numeric.value)
    if subject.pool is not None:
        pool = np.intersect1d(pool, subject.pool)
    if subject.kinks is not None:
        pool = pool[~subject.kinks[pool]]
    if not len(pool):
        return None
    entry = int(rng.choice(pool))
    return entry, float(subject.numeric.value[entry])


def _climb_together(sampled: Sequence[tuple[Subject, int, float]]) -> Ladder:
    """A few rungs at one entry of each of several subjects, with the noise assumed."""
    x = np.array([subject.x[entry] for subject, entry, _ in sampled])
    value = np.array([np.broadcast_to(s.value, s.x.shape)[entry] for s, entry, _ in sampled])
    scale = np.array([subject.rho[entry] for subject, entry, _ in sampled])
    eps = max(subject.eps_f for subject, _, _ in sampled)

    def probe(columns: Array, points: Array) -> Array:
        values = [
            sampled[column][0].probe(np.array([sampled[column][1]]), points[:, at : at + 1])
            for at, column in enumerate(columns)
        ]
        return np.hstack(values)

    steps = rungs(x, scale, eps)[_RUNGS]
    noise = Noise.even(_ASSUMED_ULPS * eps * np.abs(value))
    return climb(probe, np.arange(len(x)), x, value, steps, noise, eps)


def _differs(ladder: Ladder, n: Array, required: float) -> Mask:
    """Entries where no real slope, central or from a side, is near the numeric gradient's."""
    estimates = (ladder.central, ladder.left, ladder.right)
    far = [np.abs(e.value - n) > 3 * e.uncertainty + required * np.abs(n) for e in estimates]
    known = np.isfinite(ladder.central.uncertainty)
    denied: Mask = known & ~ladder.kink & np.logical_and.reduce(far)
    return denied
