"""Tensors too large for every entry: projections of the whole, and a search where one is off.

A projection compares the derivative along a random direction with what the claim makes of it, so
every entry has a part in it. Directions are spherical: with ±1 exchanged entries would cancel.
Each is judged against its own noise. Where one is off, halves of the tensor are projected in turn
until few enough entries are left to be checked one by one.
"""

from __future__ import annotations

import numpy as np

from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.core.record import Record
from gradcli.engine.model import generator

__all__ = ["DIRECTIONS", "Projections", "project", "search"]

DIRECTIONS = 8
"""Projections of each large tensor."""

_NOTICEABLE = 8  # times the noise: a real difference
_ROUNDING = 64  # ulps of the sum that two correct computations may differ by
_LEAF = 64  # entries that are checked one by one
_MOST_LEAVES = 4
_DRAWS = 3  # directions tried on a block before it is passed over


class Projections(Record):
    """What projections of a tensor say.

    `count` were made; `off` are those that differ. `detectable` is the largest error of a single
    entry that none of them would have shown.
    """

    count: int
    off: int
    detectable: float


def project(subject: Subject, seed: int) -> Projections:
    """Project a large subject along several directions."""
    rng = generator(seed, f"projections of {subject.name}")
    size = len(subject.x)
    reached = np.zeros(size)
    off, floor = 0, 0.0
    for _ in range(DIRECTIONS):
        direction = _spherical(rng, size, 0, size)
        gap, slack = _gap(subject, direction)
        off += gap > slack
        floor = max(floor, slack)
        np.maximum(reached, np.abs(direction), out=reached)
    # an error e of one entry shows as e times its part in the direction that it has most part in
    return Projections(DIRECTIONS, off, floor / float(reached.min(initial=np.inf)))


def search(subject: Subject, seed: int) -> Array:
    """Entries of the blocks of a large subject that differ, halved down to a few."""
    rng = generator(seed, f"search of {subject.name}")
    size = len(subject.x)
    blocks = [(0, size)]
    leaves: list[Array] = []
    while blocks and len(leaves) < _MOST_LEAVES:
        start, stop = blocks.pop()
        if stop - start <= _LEAF:
            leaves.append(np.arange(start, stop))
            continue
        middle = (start + stop) // 2
        for _ in range(_DRAWS):
            halves = [
                half
                for half in ((middle, stop), (start, middle))
                if _differs(subject, _spherical(rng, size, *half))
            ]
            if halves:
                blocks += halves
                break
    return np.concatenate(leaves) if leaves else np.zeros(0, int)


def _differs(subject: Subject, direction: Array) -> bool:
    gap, slack = _gap(subject, direction)
    return gap > slack


def _gap(subject: Subject, direction: Array) -> tuple[float, float]:
    """How far the claim is from the derivative along a direction, and how far it may be."""
    assert subject.large is not None
    value, uncertainty = subject.large.along(direction)
    parts = subject.analytic * direction
    gap = abs(float(parts.sum()) - value)
    gap = gap if np.isfinite(gap) else np.inf
    slack = _NOTICEABLE * uncertainty + _ROUNDING * subject.eps * float(np.linalg.norm(parts))
    if gap > slack:  # the claim may be unsure itself; to know takes several backward passes
        slack += _NOTICEABLE * float(np.linalg.norm(subject.jitter() * direction))
    return gap, slack


def _spherical(rng: np.random.Generator, size: int, start: int, stop: int) -> Array:
    """A random direction of length 1 in a block of the entries."""
    direction = np.zeros(size)
    direction[start:stop] = rng.standard_normal(stop - start)
    return direction / float(np.linalg.norm(direction))
