"""Losses on distances between rows: pairs and triples that belong together.

Rows that coincide have no direction to part in: there, the slope of a distance is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import took_branch
from gradcli.core.cost import Cost, Operations
from gradcli.core.op import Buffer, Shape
from gradcli.core.param import Param
from gradcli.core.primitives import choose, where
from gradcli.core.registry import loss
from gradcli.core.traits import LossTraits
from gradcli.ops.activations import Value
from gradcli.ops.losses import targets_like
from gradcli.ops.mining import MINING, NEEDS_DRAWS, Triples, mine

__all__ = ["contrastive", "triplet"]

Distance = tuple[Array, Array]
"""Of two rows, and its slope along their difference."""


def _groups(p: Array, size: int) -> tuple[list[Array], Callable[[list[Array]], Array]]:
    """The first, second, ... row of each group of rows, and how to put such rows back in order."""
    grouped = p.reshape(*p.shape[:-2], -1, size, p.shape[-1])

    def together(parts: list[Array]) -> Array:
        stacked = np.stack(parts, axis=-2)
        return stacked.reshape(*stacked.shape[:-3], -1, stacked.shape[-1])

    return [grouped[..., position, :] for position in range(size)], together


def _gathered(p: Array, mined: Triples) -> tuple[list[Array], Callable[[list[Array]], Array]]:
    """The rows of mined triples, and how to add what belongs to such rows up by row of p."""
    negatives = np.where(mined.found, mined.negatives, 0)
    negative = np.take_along_axis(p, negatives[..., None], axis=-2)
    roles = [mined.anchors, mined.positives, negatives]

    def together(parts: list[Array]) -> Array:
        shape = parts[0].shape
        total = np.zeros((*shape[:-2], *p.shape[-2:]), parts[0].dtype)
        replica = np.indices(shape[:-1])[:-1]
        for at, part in zip(roles, parts, strict=True):
            np.add.at(total, (*replica, np.broadcast_to(at, shape[:-1])), part)
        return total

    return [p[..., mined.anchors, :], p[..., mined.positives, :], negative], together


def _squared(difference: Array) -> Distance:
    return (difference * difference).sum(axis=-1), 2 * difference


def _euclidean(difference: Array, matters: Array | bool = True) -> Distance:
    """The length, scaled so that no square overflows or vanishes.

    It has a kink where it is zero and `matters`.
    """
    largest = np.abs(difference.real).max(axis=-1, keepdims=True)
    apart = largest > 0
    apart &= took_branch(apart[..., 0] | ~np.asarray(matters))[..., None]
    scale = np.where(apart, largest, 1)
    scaled = difference / scale
    square = choose(apart, (scaled * scaled).sum(axis=-1, keepdims=True), 1.0)
    length = scale * np.sqrt(square)
    return choose(apart, length, 0.0)[..., 0], choose(apart, difference / length, 0.0)


def _lead(a: Array, p: Array, n: Array, distance: str) -> tuple[Array, tuple[Array, Array]]:
    """d(a, p) - d(a, n), and the slopes of both distances along a - p and a - n.

    As the product of the sum and the difference of the two ways, in which nothing cancels; divided
    by a power of two before they are multiplied, so that the product neither overflows nor rounds
    once more than it must.
    """
    to_p, to_n = a - p, a - n
    both = to_p + to_n
    if distance == "squared":
        return ((n - p) * both).sum(axis=-1), (2 * to_p, 2 * to_n)
    (near, near_slope), (far, far_slope) = _euclidean(to_p), _euclidean(to_n)
    total = near + far
    total = choose(total.real > 0, total, 1.0)
    scale = np.ldexp(np.ones_like(total.real), np.frexp(total.real)[1] - 1)
    product = ((n - p) * (both / scale[..., None])).sum(axis=-1)
    return product / (total / scale), (near_slope, far_slope)


_LENGTH = "sqrt(sum(({0} - {1})**2))"
_DIRECTION = "({0} - {1})/where(" + _LENGTH + " > 0, " + _LENGTH + ", 1)"


def _contrastive_gradient() -> dict[str, str]:
    pulled = f"2*(1 - y)*(a - b) - 2*y*maximum(0, margin - {_LENGTH.format('a', 'b')})*"
    slope = f"({pulled}{_DIRECTION.format('a', 'b')})"
    return {"a": slope, "b": f"-{slope}"}


def _contrastive_cost(shape: Shape, **_: Any) -> Cost:
    pairs = math.prod(shape[:-1]) // 2
    size = pairs * shape[-1]
    return Cost(
        forward=Operations(elements=11 * size + 12 * pairs),
        backward=Operations(elements=4 * size + 5 * pairs),
        kept=2 * size + pairs,
        scratch=(3 * size, 2 * size),
    )


@loss(
    "contrastive",
    params=[Param("margin", 1.0, above=0, sweep=(1.0, 2.5))],
    elementwise=False,
    couples_rows=True,
    reads="events",
    rows=("a", "b"),
    formula="(1 - y)*sum((a - b)**2) + y*maximum(0, margin - sqrt(sum((a - b)**2)))**2",
    gradient=_contrastive_gradient(),
    traits=lambda margin: LossTraits(
        convex=False,
        strong_convexity=0.0,
        lipschitz=math.inf,
        smoothness=math.inf,
        bounded=False,
        kinks=(0.0,),
        measure="sqrt(sum((a - b)**2))",
        argument="embeddings",
        differentiable=0,
        influence=None,
        outlier="grows",
        noise=None,
        minimiser=None,
        breakdown=None,
    ),
    cost=_contrastive_cost,
    references=["hadsell2006"],
    often_wrong="That target 1 means similar, beside (1 - Y)·D² + Y·max(0, margin - D)². With this "
    "formula, which is Hadsell's, it means dissimilar.",
)
def contrastive(p: Array, y: Array, *, margin: float) -> Value:
    """Rows 2i and 2i+1 are a pair: similar ones (target 0) attract, others (1) keep a margin.

    D² for a similar pair at the distance D, and (margin - D)² for a dissimilar one closer than
    the margin.
    """
    (a, b), together = _groups(p, 2)
    y = targets_like(p, y)
    difference = a - b
    square, square_slope = _squared(difference)
    length, direction = _euclidean(difference, y > 0)
    lacking = margin - length
    gap = choose(lacking.real > 0, lacking, 0.0)

    def pullback(g: Array) -> Array:
        pulled = (g * (1 - y))[..., None] * square_slope - (2 * g * y * gap)[..., None] * direction
        return together([pulled, -pulled])

    return (1 - y) * square + y * gap * gap, pullback


def _lead_formula(distance: str) -> str:
    of = "sum(({0} - {1})**2)" if distance == "squared" else _LENGTH
    return f"{of.format('a', 'p')} - {of.format('a', 'n')}"


def _triplet_formula(distance: str) -> str:
    return f"maximum(0, {_lead_formula(distance)} + margin)"


def _triplet_gradient(distance: str) -> dict[str, str]:
    slope = "2*({0} - {1})" if distance == "squared" else _DIRECTION
    towards, away = slope.format("a", "p"), slope.format("a", "n")
    parts = {"a": f"{towards} - {away}", "p": f"-{towards}", "n": away}
    active = f"{_lead_formula(distance)} + margin >= 0"
    return {name: f"where({active}, {part}, 0)" for name, part in parts.items()}


def _triplet_details(
    p: Array, y: Array | None = None, draws: Array | None = None, **options: Any
) -> dict[str, Any]:
    """The rows of the triples that were mined; those without a negative are left out."""
    if y is None:
        return {}
    mined = _mined(p, y, draws, **options)
    triples = np.stack([mined.anchors, mined.positives, mined.negatives], axis=-1)
    return {"triples": triples[mined.found].tolist()}


def _mined(
    p: Array, y: Array, draws: Array | None, *, margin: float, distance: str, mining: str
) -> Triples:
    return mine(p, y, mining, margin, distance == "squared", draws)


def _draws(shape: Shape, *, mining: str, **_: Any) -> dict[str, Buffer]:
    rows = math.prod(shape[:-1])
    wanted = mining in NEEDS_DRAWS
    return {"draws": Buffer((rows, rows), lambda rng, shape: rng.random(shape))} if wanted else {}


def _triplet_cost(shape: Shape, *, distance: str, mining: str, **_: Any) -> Cost | None:
    """None with mining: how many triples there are depends on the classes."""
    if mining != "none":
        return None
    triples = math.prod(shape[:-1]) // 3
    size = triples * shape[-1]
    squared = distance == "squared"
    return Cost(
        forward=Operations(
            elements=8 * size + 2 * triples if squared else 21 * size + 18 * triples
        ),
        backward=Operations(elements=4 * size + triples),
        kept=2 * size,
        flags=triples,
        scratch=(3 * size if squared else 7 * size, 4 * size),
    )


@loss(
    "triplet",
    params=[
        Param("margin", 1.0, above=0, sweep=(1.0, 0.5)),
        Param(
            "distance",
            "squared",
            kind="choice",
            choices=("squared", "euclidean"),
            sweep=("squared", "euclidean"),
        ),
        Param("mining", "none", kind="choice", choices=("none", *MINING)),
    ],
    elementwise=False,
    couples_rows=True,
    reads=lambda mining, **_: "none" if mining == "none" else "identities",
    rows=lambda mining, **_: ("a", "p", "n") if mining == "none" else ("p",),
    buffers=_draws,
    details=_triplet_details,
    formula=lambda margin, distance, mining: _triplet_formula(distance),
    gradient=lambda margin, distance, mining: _triplet_gradient(distance),
    traits=lambda margin, distance, mining: LossTraits(
        convex=False,
        strong_convexity=0.0,
        lipschitz=math.inf if distance == "squared" else math.sqrt(6),
        smoothness=math.inf,
        bounded=False,
        kinks=(-margin,),
        measure=_lead_formula(distance),
        argument="embeddings",
        differentiable=0,
        influence=None,
        outlier="grows" if distance == "squared" else "constant",
        noise=None,
        minimiser=None,
        breakdown=None,
    ),
    cost=_triplet_cost,
    references=["schroff2015"],
    often_wrong="That semi-hard negatives are closer than the positive. They are farther than it, "
    "yet inside the margin (FaceNet); closer ones are hard.",
)
def triplet(
    p: Array,
    y: Array | None = None,
    draws: Array | None = None,
    *,
    margin: float,
    distance: str,
    mining: str,
) -> Value:
    """Anchors closer to their positives than to their negatives, by a margin.

    max(0, d(a, p) - d(a, n) + margin), with d the distance or its square. Rows 3i, 3i+1 and 3i+2
    are anchor, positive and negative. With mining the rows are examples with classes as targets,
    and each two of one class are anchor and positive in turn; their negative is the closest (hard),
    the closest of those that are farther than the positive yet inside the margin (semi_hard; where
    there is none the value is zero), or drawn, with one chance for all (random) or in proportion
    to the size of the triple's gradient (importance). What is drawn depends on numbers that are
    drawn once for a model.
    """
    if y is None:
        (anchor, positive, negative), together = _groups(p, 3)
        counts: Mask | bool = True
    else:
        mined = _mined(p, y, draws, margin=margin, distance=distance, mining=mining)
        (anchor, positive, negative), together = _gathered(p, mined)
        counts = mined.found
    lead, (near_slope, far_slope) = _lead(anchor, positive, negative, distance)
    lacking = lead + margin
    active = (lacking.real >= 0) & counts

    def pullback(g: Array) -> Array:
        pulled = np.where(active, g, 0)[..., None]
        to_positive, to_negative = pulled * near_slope, pulled * far_slope
        return together([to_positive - to_negative, -to_positive, to_negative])

    return where(active, lacking, 0.0), pullback
