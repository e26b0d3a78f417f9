"""Triples mined within a batch: for each anchor and positive of one class, one negative.

A negative is a row of another class. Which one is taken depends on real parts alone and is a
branch of the function: at a tie it jumps from one negative to another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import took_branch
from gradcli.core.record import Record

__all__ = ["MINING", "NEEDS_DRAWS", "Triples", "mine"]

MINING: Final = ("hard", "semi_hard", "random", "importance")
NEEDS_DRAWS: Final = ("random", "importance")


class Triples(Record):
    """Rows of anchors, positives (triples,), and negatives (..., triples), -1 where there is none.

    The triples are in the order of their anchors, then of their positives.
    """

    anchors: Array
    positives: Array
    negatives: Array

    @property
    def found(self) -> Mask:
        """Where there is a negative (..., triples)."""
        return np.asarray(self.negatives >= 0)


class _Candidates(Record):
    """One anchor's triples: distances to m positives (..., m), and to all rows (..., rows).

    `between` (..., m, rows) are distances of positives from all rows, `negative` (rows,) marks the
    rows of other classes, and `draws` (m,) are numbers drawn once from 0 to 1.
    """

    near: Array
    far: Array
    between: Array
    negative: Mask
    draws: Array


Choice = Callable[[_Candidates, float, bool], Array]
"""(candidates, margin, whether distances are squared) -> negatives (..., m)."""


def mine(
    p: Array, y: Array, mining: str, margin: float, squared: bool, draws: Array | None
) -> Triples:
    """All anchors with each of their positives and the negative that is chosen for them.

    y are the classes of the rows of p (..., rows, features); `draws` (rows, rows) are needed by
    some kinds of mining, and belong to anchors and positives.
    """
    distances = _distances(p.real, squared)
    same = y[:, None] == y
    positive = same & ~np.eye(len(y), dtype=bool)
    anchors, positives = np.nonzero(positive)
    own = np.zeros((len(y), len(y))) if draws is None else draws
    chosen = []
    for anchor in np.unique(anchors):
        of_anchor = np.flatnonzero(positive[anchor])
        far = distances[..., anchor, :]
        candidates = _Candidates(
            far[..., of_anchor], far, distances[..., of_anchor, :], ~same[anchor],
            own[anchor, of_anchor],
        )  # fmt: skip
        chosen.append(_CHOICES[mining](candidates, margin, squared))
    negatives = np.concatenate(chosen, axis=-1)
    return Triples(anchors, positives, np.broadcast_to(took_branch(negatives), negatives.shape))


def _distances(x: Array, squared: bool) -> Array:
    """Between all rows of real numbers (..., rows, rows), feature by feature to save memory."""
    total = np.zeros((*x.shape[:-1], x.shape[-2]), x.dtype)
    for feature in np.moveaxis(x, -1, 0):
        difference = feature[..., :, None] - feature[..., None, :]
        total += difference * difference
    return total if squared else np.sqrt(total)


def _nearest(candidates: _Candidates, margin: float, squared: bool) -> Array:
    """The negative closest to the anchor."""
    far = np.where(candidates.negative, candidates.far, np.inf)
    chosen = far.argmin(axis=-1)[..., None]
    return np.broadcast_to(chosen, candidates.near.shape)


def _semi_hard(candidates: _Candidates, margin: float, squared: bool) -> Array:
    """The closest of those farther than the positive, yet inside the margin."""
    near, far = candidates.near[..., None], candidates.far[..., None, :]
    within = candidates.negative & (far > near) & (far < near + margin)
    chosen = np.where(within, far, np.inf).argmin(axis=-1)
    return np.where(within.any(axis=-1), chosen, -1)


def _random(candidates: _Candidates, margin: float, squared: bool) -> Array:
    """Any negative with the same chance."""
    negatives = np.flatnonzero(candidates.negative)
    drawn = np.minimum((candidates.draws * len(negatives)).astype(int), len(negatives) - 1)
    return np.broadcast_to(negatives[drawn], candidates.near.shape)


def _importance(candidates: _Candidates, margin: float, squared: bool) -> Array:
    """A negative with a chance in proportion to the size of its triple's gradient.

    Where every gradient is zero, any negative with the same chance.
    """
    near, far = candidates.near[..., None], candidates.far[..., None, :]
    active = candidates.negative & (near - far + margin > 0)
    size = _gradient_size(near, far, candidates.between, squared)
    weight = np.where(active, size, 0)
    none = weight.sum(axis=-1, keepdims=True) == 0
    shares = np.cumsum(np.where(none, candidates.negative, weight), axis=-1)
    below_one = 1 - 2 * np.finfo(shares.dtype).eps  # rounding may have drawn a one
    drawn = np.minimum(candidates.draws, below_one)[..., None] * shares[..., -1:]
    return np.asarray((shares > drawn).argmax(axis=-1))


def _gradient_size(near: Array, far: Array, between: Array, squared: bool) -> Array:
    """The norm of the gradient of d(a, p) - d(a, n) with respect to all three rows.

    For the squares 2·√(|a - p|² + |a - n|² + |p - n|²); for the lengths √(4 - 2·cos) with the angle
    at the anchor, and a length of zero without a slope.
    """
    if squared:
        return np.asarray(2 * np.sqrt(near + far + between))
    product = near * far
    cosine = (near**2 + far**2 - between**2) / np.where(product > 0, 2 * product, 1)
    both = np.sqrt(4 - 2 * np.clip(cosine, -1, 1))
    return np.where(product > 0, both, math.sqrt(2) * ((near > 0) | (far > 0)))


_CHOICES: Final[dict[str, Choice]] = dict(
    zip(MINING, (_nearest, _semi_hard, _random, _importance), strict=True)
)
