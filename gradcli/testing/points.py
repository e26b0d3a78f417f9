"""Where the laws look: the middle, the tails, and both sides of every kink."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from gradcli.core.arrays import Array
from gradcli.testing.case import Case, Rows, Subject

__all__ = [
    "FAR",
    "GRADES",
    "TAIL",
    "at_targets",
    "axis_points",
    "border",
    "extremes",
    "grid",
    "kink_rows",
    "moderate",
    "segments",
]

TAIL = 36.0  # results stay representable in float64
FAR = 800.0  # exp overflows even in float64
_TARGETS = {
    "numbers": (0.0, -3.0, 0.5),
    "binary": (0.0, 1.0, 0.3),
    "events": (0.0, 1.0),
    "signs": (-1.0, 1.0),
}
_WIDTHS = (2, 3)
_SAMPLE = 120  # combinations of the numbers of several rows
GRADES = (1.0, 1e-9, 1e-18)  # beside each number, the next is less than its rounding


def axis_points(subject: Subject) -> Array:
    """Sorted points of one variable (see `Subject.place`), none of them a kink."""
    low, high = subject.domain
    if math.isfinite(low) and math.isfinite(high):
        near_end = np.geomspace(1e-12, 0.5, 120)
        points = np.concatenate([low + (high - low) * near_end, high - (high - low) * near_end])
    else:
        middle = 40 * np.sinh(np.linspace(-5, 5, 400)) / math.sinh(5)  # dense near zero, no zero
        size = np.geomspace(1e-8, 1e8, 33)
        points = np.concatenate([middle, size, -size, [-FAR, -TAIL, TAIL, FAR]])
    offsets = np.geomspace(1e-6, 1e-2, 5)
    beside = [kink + side * offsets for kink in subject.kinks for side in (-1, 1)]
    points = np.unique(np.concatenate([points, *beside]))
    return points[~np.isin(points, subject.kinks) & (points > low) & (points < high)]


def at_targets(subject: Subject, points: ArrayLike) -> list[Rows]:
    """Points of one variable as rows, once for every target."""
    x = np.asarray(points)[:, None]
    if subject.reads is None:
        return [Rows(x)]
    place: Callable[[float], Array] = {
        "numbers": lambda target: x + target,
        "signs": lambda target: x * target,
    }.get(subject.reads, lambda target: x)
    return [Rows(place(target), np.full_like(x, target)) for target in _TARGETS[subject.reads]]


def _with_targets(subject: Subject, rng: np.random.Generator, x: Array) -> list[Rows]:
    """Rows with labels, and the same with probabilities, also certain and graded ones.

    Rows that belong together get one event for all of them.
    """
    if subject.reads in (None, "none"):
        return [Rows(x)]
    count, width = x.shape
    if subject.reads == "events":
        return [Rows(x, np.full(count, event)) for event in _TARGETS["events"]]
    labels = np.asarray(rng.integers(width, size=(count,)))
    mixed = rng.dirichlet(np.ones(width), size=count)
    mixed[::3] = np.eye(width)[labels[::3]]
    mixed[1::3] = rng.permuted(np.full((count, width), GRADES[:width])[1::3], axis=-1)
    kinds: dict[str | None, list[Array]] = {
        "labels": [labels],
        "probabilities": [mixed],
        "classes": [labels, mixed],
    }
    return [Rows(x, targets) for targets in kinds[subject.reads]]


def grid(case: Case) -> list[Rows]:
    """Blocks of rows over the whole range. Elementwise: sorted, one block for each target."""
    subject = case.subject
    if subject.elementwise:
        return at_targets(subject, axis_points(subject))
    rng = case.rng()
    blocks = []
    for width in _WIDTHS:
        scales = np.repeat([0.3, 1.0, 5.0, TAIL, FAR], 60)[:, None]
        x = scales * rng.standard_normal((len(scales), subject.group * width))
        extra = _duels(width) if subject.group == 1 else _neighbours(subject, width, rng)
        blocks += _with_targets(subject, rng, np.concatenate([x, extra]))
    return blocks


def _duels(width: int) -> Array:
    """Rows in which two features compete, and the others are out of it."""
    duel = np.full((41, width), -FAR)
    duel[:, 0], duel[:, 1] = np.linspace(-5, 5, 41), 0.0
    return duel


def _neighbours(subject: Subject, width: int, rng: np.random.Generator) -> Array:
    """Rows that nearly coincide with those that they belong to, and such that are far apart."""
    away = np.concatenate([np.geomspace(1e-9, 0.1, 30), np.geomspace(1e4, 1e8, 10)])
    return away[:, None] * rng.standard_normal((len(away), subject.group * width))


def segments(case: Case, rows: Rows) -> tuple[Rows, Rows]:
    """Pairs of rows that a path leads between: neighbours of one variable, else any two.

    Rows that belong together also change places, and so meet on their way.
    """
    subject = case.subject
    if subject.elementwise:
        return rows[:-1], rows[1:]
    other = rows.at(rows.x[case.rng().permutation(len(rows))])
    if subject.group == 1:
        return rows, other
    exchanged = rows.at(np.roll(rows.x, rows.x.shape[-1] // subject.group, axis=-1))
    return Rows.joined([rows, rows]), Rows.joined([other, exchanged])


def moderate(case: Case, limit: float = 30.0) -> list[Rows]:
    """The blocks of the grid without the tails, where absolute errors mean something."""
    return [rows[np.abs(rows.x).max(axis=-1) <= limit] for rows in grid(case)]


def extremes(case: Case, values: tuple[float, ...]) -> list[Rows]:
    """Rows of these numbers in every combination; inside a bounded domain, its ends instead.

    Of rows that belong together, some combinations.
    """
    subject = case.subject
    if subject.elementwise:
        low, high = subject.domain
        points = np.array([value for value in values if low < value < high] or [0.5 * (low + high)])
        return at_targets(subject, points)
    rng = case.rng()
    blocks = []
    for width in _WIDTHS:
        if subject.group > 1:  # too many to try all of them
            x = rng.choice(values, (_SAMPLE, subject.group * width))
        else:
            mesh = np.meshgrid(*[np.array(values)] * width)
            x = np.stack([axis.ravel() for axis in mesh], axis=-1)
        blocks += _with_targets(subject, rng, x)
    return blocks


def border(case: Case, spacing: float) -> list[Rows]:
    """The two ends of a bounded domain, as near as 1e-30 below and `spacing` above allow."""
    low, high = case.subject.domain
    width = high - low
    ends = np.array([low + 1e-30 * width, high - spacing * width])
    return at_targets(case.subject, ends) if math.isfinite(width) else []


def kink_rows(case: Case, offset: float) -> Rows | None:
    """Rows at the kinks, or so far beside them; None where there is no kink."""
    subject = case.subject
    if not subject.kinks or not subject.elementwise:
        return None
    return Rows.joined(at_targets(subject, np.array(subject.kinks) + offset))
