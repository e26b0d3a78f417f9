"""Traits are statements about the function: each holds, and none understates."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Activation, Loss
from gradcli.core.traits import LossTraits, Traits
from gradcli.testing.case import Case, Rows
from gradcli.testing.law import LawBroken, LawUndecided, law, require
from gradcli.testing.loss_laws import LEVEL, far_out
from gradcli.testing.numeric import (
    EPS,
    curvature,
    jacobian,
    largest,
    largest_jump,
    tensor_norm,
)
from gradcli.testing.points import FAR, grid, moderate, segments

__all__: list[str] = []

EXCEEDS = 1e-9  # relative: rounding of a derivative
REACHES = 1e-7  # relative: how closely a search finds a supremum that is only approached
UNBOUNDED = 1e6  # the grid reaches 1e8
JUMP = 1e-6  # of a slope, relative
ROUNDING = 1e-12  # relative to the values in a sum


def _traits(case: Case) -> Traits | LossTraits:
    traits = case.subject.traits
    assert traits is not None
    return traits


def _supremum(case: Case, score: Callable[[Rows], Array], blocks: list[Rows]) -> float:
    return largest(score, blocks, case.subject.domain)


def _is_supremum(found: float, claimed: float, what: str, *, rises: bool = False) -> None:
    """Whether a search agrees; one that `rises` far out has not come to its end."""
    if np.isinf(claimed):
        if found < UNBOUNDED and not rises:
            raise LawBroken(f"{what} is claimed infinite and found to be at most {found:.6g}")
        return
    if found > claimed + EXCEEDS * (1 + abs(claimed)):
        raise LawBroken(f"{what} is claimed {claimed!r} and exceeded: {found!r}")
    if found < claimed - REACHES * (1 + abs(claimed)) and not rises:
        raise LawBroken(f"{what} is claimed {claimed!r} and not reached: {found!r}")


def _rises(far: list[float]) -> bool:
    """Whether scores still change far out, upward."""
    near, *_, farther = far
    return farther > near + LEVEL * abs(near)


def _by_features(blocks: list[Rows]) -> dict[int, list[Rows]]:
    return {
        width: [rows for rows in blocks if rows.x.shape[-1] == width]
        for width in {rows.x.shape[-1] for rows in blocks}
    }


def _constants_hold(
    case: Case, score: Callable[[Rows], Array], claimed: float, what: str, wide: list[Rows]
) -> None:
    """Losses state one constant for all numbers of features, activations one that may grow."""
    traits = _traits(case)
    if isinstance(traits, LossTraits):
        found = [_supremum(case, score, grid(case)), *(float(score(rows).max()) for rows in wide)]
        if wide:
            found.append(2 * found[-1] - found[-2])  # the limit of more and more classes
        far = far_out(case.subject, score)
        _is_supremum(max(found + far), claimed, what, rises=_rises(far))
        return
    for width, some in _by_features(grid(case)).items():
        expected = claimed * width**traits.feature_growth
        _is_supremum(_supremum(case, score, some), expected, f"{what} for {width} features")


def _wide(case: Case) -> list[Rows]:
    """One confident mistake among very many classes, and among twice as many.

    Where a bound grows with their number, it misses its limit by a share of one class.
    """
    if case.subject.reads != "classes":
        return []
    mistakes = [np.zeros((1, classes)) for classes in (50_000, 100_000)]
    for x in mistakes:
        x[0, 0] = FAR**4
    return [Rows(x, np.array([1])) for x in mistakes]


def _jumps_itself(case: Case, claimed: float, what: str) -> bool:
    """Whether the function is said to jump itself, which makes its constants infinite."""
    jumps = getattr(_traits(case), "differentiable", math.inf) == -1
    if jumps and math.isfinite(claimed):
        raise LawBroken(f"{what} of a function that jumps is claimed {claimed!r}")
    return jumps


@law("lipschitz", Activation, Loss, about="lipschitz")
def lipschitz(case: Case) -> None:
    """The slope reaches the claimed bound and does not exceed it; a jump knows no bound."""
    subject = case.subject
    if _jumps_itself(case, _traits(case).lipschitz, "Lipschitz constant"):
        return

    def slope(rows: Rows) -> Array:
        derivative = jacobian(subject, rows)
        if derivative.shape[1] == 1:
            return np.asarray(np.sqrt((derivative[:, 0] ** 2).sum(axis=-1)))
        return np.asarray(np.linalg.norm(derivative, ord=2, axis=(-2, -1)))

    _constants_hold(case, slope, _traits(case).lipschitz, "Lipschitz constant", _wide(case))


def _jumps(case: Case) -> list[tuple[Rows, Array, Array]]:
    """Segments over the grid: their first rows, where the slope jumps in each, and how far."""
    found = []
    for rows in grid(case) if case.subject.group == 1 else moderate(case):
        start, end = segments(case, rows)
        place, size = largest_jump(
            partial(jacobian, case.subject), partial(curvature, case.subject), start, end
        )
        found.append((start, place, size))
    return found


@law("kinks", Activation, Loss, about="kinks")
def kinks(case: Case) -> None:
    """The slope jumps at the kinks, at each of them, and nowhere else."""
    subject, claimed = case.subject, sorted(_traits(case).kinks)
    places = [subject.place(start.at(place)[size > JUMP]) for start, place, size in _jumps(case)]
    if subject.group > 1:  # which of them there are depends on the target
        places = [np.concatenate(places)]
    for at in places:
        found = sorted({round(float(x), 6) for x in at.ravel()})
        if len(found) != len(claimed) or not np.allclose(found, claimed, rtol=0, atol=1e-5):
            raise LawBroken(f"the slope jumps at {found[:6]}, and {claimed} is claimed")


@law("smoothness", Activation, Loss, about="smoothness")
def smoothness(case: Case) -> None:
    """The slope's own slope reaches the claimed bound and stays within it; infinite with a kink."""
    traits = _traits(case)
    if _jumps_itself(case, traits.smoothness, "smoothness"):
        return
    if traits.kinks:
        if np.isfinite(traits.smoothness):
            raise LawBroken(f"a function with kinks is not {traits.smoothness!r}-smooth")
        return

    def bend(rows: Rows) -> Array:
        return tensor_norm(curvature(case.subject, rows))

    _constants_hold(case, bend, traits.smoothness, "smoothness", [])


def _pairs(case: Case) -> list[tuple[Rows, Rows, Rows]]:
    """Two rows and their middle, with the targets of the first."""
    rng = case.rng()
    found = []
    for rows in grid(case):
        near = rows[np.abs(rows.x).max(axis=-1) <= 1e3]
        first = near[rng.integers(len(near), size=3000)]
        other = near.x[rng.integers(len(near), size=3000)]
        found.append((first, first.at(other), first.at((first.x + other) / 2)))
    return found


def _rounding(case: Case, *ends: Rows) -> Array:
    """What the rounding of the middle of two rows may move a value, (rows, outputs)."""
    moved = [
        np.abs(jacobian(case.subject, rows)).max(axis=-1) * _magnitude(rows)[:, None]
        for rows in ends
    ]
    return np.asarray(16 * EPS * np.maximum.reduce(moved))


def _magnitude(rows: Rows) -> Array:
    size: Array = np.abs(rows.x).max(axis=-1)
    return size


def _over_chord(case: Case, first: Rows, other: Rows, middle: Rows) -> tuple[Array, Array]:
    """How far the middle lies above the chord of two rows, and what of that may be rounding."""
    at_first, at_other, at_middle = map(case.subject.value, (first, other, middle))
    size = ROUNDING * (np.abs(at_first) + np.abs(at_other)) + _rounding(case, first, other)
    return at_middle - (at_first + at_other) / 2, size


def _most_bent_down(case: Case) -> list[tuple[Rows, Rows, Rows]]:
    """Short chords where a function of one output has the least curvature, if it is negative."""
    found = []
    for rows in grid(case):
        bend = curvature(case.subject, rows)
        if bend.shape[1] > 1:
            return []
        values, directions = np.linalg.eigh(bend[:, 0])
        order = np.argsort(values[:, 0])[:50]
        middle, along = rows[order[values[order, 0] < 0]], directions[order, :, 0]
        along = along[: len(middle)]
        for length in (0.1, 0.5, 2.0, 8.0):
            ends = (middle.at(middle.x + side * length * along) for side in (-1, 1))
            found.append((*ends, middle))
    return [(first, other, middle) for first, other, middle in found if len(middle)]


@law("convexity", Activation, Loss, about="convex")
def convexity(case: Case) -> None:
    """Chords lie above the graph; where convexity is denied, some chord does not."""
    denied = not _traits(case).convex
    violated = False
    for first, other, middle in _pairs(case):
        excess, size = _over_chord(case, first, other, middle)
        bad = excess > size
        violated |= bool((excess > 1e3 * size + 1e-6).any())
        if not denied and bad.any():
            row = int(np.argwhere(bad)[0, 0])
            raise LawBroken(
                f"claimed convex, but the chord from {first.describe(row)} to "
                f"{other.describe(row)} runs below the graph"
            )
    if denied and not violated:
        chords = _most_bent_down(case)
        if not any(
            (excess > 1e3 * size).any()
            for excess, size in (_over_chord(case, *chord) for chord in chords)
        ):
            error = LawUndecided if chords else LawBroken
            raise error("claimed not convex, but every chord lies above the graph")


@law("strong convexity", Loss, about="strong_convexity")
def strong_convexity(case: Case) -> None:
    """The least curvature is the claimed one; it is zero for a function that is not convex."""
    traits = _traits(case)
    assert isinstance(traits, LossTraits)
    if not traits.convex:
        require(np.array([traits.strong_convexity]), 0.0, 0.0, "strong convexity without convexity")
        return

    def minus_least(rows: Rows) -> Array:
        return np.asarray(-np.linalg.eigvalsh(curvature(case.subject, rows)[:, 0])[:, 0])

    far = far_out(case.subject, minus_least)
    found = max(_supremum(case, minus_least, grid(case)), *far)
    what = "minus the strong convexity"
    _is_supremum(found, -traits.strong_convexity, what, rises=_rises(far))


@law("monotone", Activation, about="monotone")
def monotone(case: Case) -> None:
    """⟨f(a) - f(b), a - b⟩ has the claimed sign; both signs occur where there is none."""
    traits = _traits(case)
    assert isinstance(traits, Traits)
    rises = falls = False
    for first, other, _ in _pairs(case):
        at_first, at_other = case.subject.value(first), case.subject.value(other)
        terms = (at_first - at_other) * (first.x - other.x)
        size = np.abs(terms).max(axis=-1)
        together = terms.sum(axis=-1)
        rises |= bool((together > 1e-9 * (1 + size)).any())
        falls |= bool((together < -1e-9 * (1 + size)).any())
    found = "no" if rises and falls else "increasing" if rises else "decreasing"
    if found != traits.monotone:
        raise LawBroken(f"claimed monotone: {traits.monotone}, found: {found}")


@law("range", Activation, about="range")
def value_range(case: Case) -> None:
    """The values reach both ends of the range and do not leave it."""
    traits = _traits(case)
    assert isinstance(traits, Traits)
    for sign, end, name in ((-1, traits.range[0], "lower"), (1, traits.range[1], "upper")):

        def score(rows: Rows, sign: int = sign) -> Array:
            best: Array = (sign * case.subject.value(rows)).max(axis=-1)
            return best

        found = _supremum(case, score, grid(case))
        if np.isfinite(end):
            _is_supremum(found, sign * end, f"{name} end of the range, times its sign,")
        elif found < FAR:
            raise LawBroken(f"{name} end of the range is claimed infinite: {sign * found:.6g}")


@law("symmetry", Activation, about="symmetry")
def symmetry(case: Case) -> None:
    """f(-x) is f(x), or -f(x), or neither somewhere, as claimed."""
    traits = _traits(case)
    assert isinstance(traits, Traits)
    odd = even = True
    for rows in grid(case):
        value, mirrored = case.subject.value(rows), case.subject.value(rows.at(-rows.x))
        size = ROUNDING * (1e-300 + np.abs(value))
        even &= bool((np.abs(mirrored - value) <= size).all())
        odd &= bool((np.abs(mirrored + value) <= size).all())
    found = "odd" if odd else "even" if even else "none"
    if found != traits.symmetry:
        raise LawBroken(f"claimed symmetry: {traits.symmetry}, found: {found}")


@law("homogeneous", Activation, about="homogeneous")
def homogeneous(case: Case) -> None:
    """f(s·x) = s·f(x) for s > 0, or not somewhere, as claimed."""
    traits = _traits(case)
    assert isinstance(traits, Traits)
    holds = True
    for rows in grid(case):
        for s in (0.25, 3.0):
            scaled, value = case.subject.value(rows.at(s * rows.x)), s * case.subject.value(rows)
            holds &= bool((np.abs(scaled - value) <= ROUNDING * (1e-300 + np.abs(value))).all())
    if holds != traits.homogeneous:
        raise LawBroken(f"claimed homogeneous={traits.homogeneous}, found {holds}")
