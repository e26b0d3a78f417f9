"""The exact gradient beside what stands in for it: sparse, quantised, sampled, in 16 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import numpy as np

from gradcli.analysis.training.vector import cosine
from gradcli.core.arrays import Array, norm
from gradcli.core.record import Record

__all__ = ["Approximation", "quantised", "random_sparse", "tabulated", "top_k"]

_DRAWS: Final = 64
_LEVELS: Final = 127
_INDEX: Final = 4
"""Bytes of the place of an entry that is sent alone."""


class Approximation(Record):
    """A stand-in for the exact gradient g, over draws where it is random.

    `bias` is ‖E[ĝ] - g‖/‖g‖, `variance` E‖ĝ - E[ĝ]‖²/‖g‖², both estimated from the `draws`; an
    unbiased one shows a bias of about √(variance/draws). `cosine` is the mean of the angle's.
    `bytes` is what one has to be sent or kept.
    """

    name: str
    bias: float
    variance: float
    cosine: float
    bytes: int
    draws: int


def top_k(g: Array, share: float) -> Array:
    """The largest entries, the rest zero: biased, yet the best of so many (Aji, Heafield 2017)."""
    count = _count(g, share)
    kept = np.zeros_like(g)
    largest = np.argpartition(np.abs(g), len(g) - count)[len(g) - count :]
    kept[largest] = g[largest]
    return kept


def random_sparse(g: Array, share: float, rng: np.random.Generator) -> Array:
    """Entries drawn at random, scaled up by the inverse of their share: unbiased."""
    count = _count(g, share)
    kept = np.zeros_like(g)
    drawn = rng.choice(len(g), count, replace=False)
    kept[drawn] = g[drawn] * (len(g) / count)
    return kept


def quantised(g: Array, rng: np.random.Generator) -> Array:
    """Each entry as one of 255 multiples of max|g|/127, rounded up or down at random: unbiased.

    The chance to round up is the fraction above the level below (QSGD: Alistarh et al. 2017).
    """
    step = float(np.abs(g).max(initial=0.0)) / _LEVELS
    if not 0 < step < math.inf:
        return g.copy()
    levels = g / step
    below = np.floor(levels)
    return np.asarray(step * (below + (rng.random(len(g)) < levels - below)))


def tabulated(
    g: Array,
    rng: np.random.Generator,
    minibatch: Callable[[int], Array] | None,
    half: Array,
    batch: int,
) -> tuple[Approximation, ...]:
    """Each approximation of g, with `minibatch(i)` the gradient of a random batch (None: none).

    `half` is the gradient computed in mixed precision.
    """
    size = g.itemsize
    rows: list[tuple[str, Callable[[int], Array], int, int]] = []
    for share in (0.01, 0.1):
        sent = _count(g, share) * (size + _INDEX)
        rows.append((f"top {share:.0%}", partial(_largest, g, share), sent, 1))
        rows.append((f"random {share:.0%}", partial(_random, g, share, rng), sent, _DRAWS))
    rows.append(("8 bits", lambda _: quantised(g, rng), len(g) + size, _DRAWS))
    if minibatch is not None:
        rows.append((f"batches of {batch}", minibatch, len(g) * size, _DRAWS))
    rows.append(("mixed precision", lambda _: half, len(g) * 2, 1))
    return tuple(_row(g, *row) for row in rows)


def _largest(g: Array, share: float, _: int) -> Array:
    return top_k(g, share)


def _random(g: Array, share: float, rng: np.random.Generator, _: int) -> Array:
    return random_sparse(g, share, rng)


def _row(g: Array, name: str, draw: Callable[[int], Array], size: int, draws: int) -> Approximation:
    mean, squares, angles = np.zeros(len(g)), 0.0, []
    for estimate in _drawn(draw, draws):
        mean += estimate / draws
        squares += float(estimate @ estimate) / draws
        angles.append(cosine(estimate, g))
    whole = norm(g) or 1.0
    spread = max(0.0, squares - float(mean @ mean)) / whole**2
    variance = spread * draws / (draws - 1) if draws > 1 else 0.0
    return Approximation(
        name, norm(mean - g) / whole, variance, float(np.mean(angles)), size, draws
    )


def _drawn(draw: Callable[[int], Array], draws: int) -> Iterator[Array]:
    for number in range(draws):
        yield draw(number).astype(np.float64)


def _count(g: Array, share: float) -> int:
    return max(1, round(share * len(g)))
