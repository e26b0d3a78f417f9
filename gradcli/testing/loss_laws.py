"""What a loss says of itself beyond its shape: its argument, its smoothness, its pull far out."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.formula import Formula
from gradcli.core.op import Loss
from gradcli.core.traits import LossTraits
from gradcli.testing.case import Case, Rows, Subject
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.numeric import EPS, curvature, jacobian, largest_jump
from gradcli.testing.points import at_targets, grid, moderate, segments

__all__ = ["LEVEL", "bends", "far_out", "loss_traits", "parsed"]

ROUNDING = 256 * EPS
JUMP = 1e-6  # of a value or a derivative, relative
NEIGHBOURS = 1000  # numbers on either side
LEVEL = 1e-3  # relative change between the distances below
FAR_OUT = (1e15, 1e30, 1e45)  # of a prediction from its target
SHIFTS = (-0.75, 2.0)


def loss_traits(case: Case) -> LossTraits:
    """What the loss of the case claims."""
    traits = case.subject.traits
    assert isinstance(traits, LossTraits)
    return traits


def parsed(case: Case, text: str) -> Formula:
    """A formula of a claim, in p, y and the numbers among the options."""
    return Formula.parse(text, {"p", "y", *case.subject.constants})


def _same(case: Case, change: Callable[[Rows], Rows]) -> bool:
    """Whether the values stay what they are, up to rounding, as the rows are changed."""
    for rows in moderate(case):
        before, after = case.subject.value(rows), case.subject.value(change(rows))
        slope = np.abs(jacobian(case.subject, rows)).sum(axis=-1)
        size = np.abs(before) + slope * (2 + np.abs(rows.x).max(axis=-1))[:, None]
        if (np.abs(after - before) > ROUNDING * size).any():
            return False
    return True


def _with_more(rows: Rows, by: float) -> Rows:
    return rows.at(rows.x + by)


def _scaled(rows: Rows) -> Rows:
    return rows.at(3 * rows.x)


def _with_more_of_both(rows: Rows, by: float) -> Rows:
    assert rows.y is not None
    return Rows(rows.x + by, rows.y + by)


def _depends_on_residual(case: Case) -> bool:
    return case.subject.reads == "numbers" and all(
        _same(case, partial(_with_more_of_both, by=by)) for by in SHIFTS
    )


def _depends_on_margin(case: Case) -> bool:
    def mirrored(rows: Rows) -> Rows:
        assert rows.y is not None
        return Rows(-rows.x, -rows.y)

    return case.subject.reads == "signs" and _same(case, mirrored)


def _affine(case: Case) -> bool:
    """Whether the slope is the same everywhere, for one target."""
    for rows in moderate(case):
        slope = jacobian(case.subject, rows)
        if not np.array_equal(slope, jacobian(case.subject, rows.at(np.zeros_like(rows.x)))):
            return False
    return True


def _found_argument(case: Case) -> str:
    subject = case.subject
    if subject.group > 1:
        free = all(_same(case, partial(_with_more, by=by)) for by in SHIFTS)
        return "embeddings" if free else "rows of a group"
    if not subject.elementwise:
        if _same(case, _scaled):
            return "scores"
        if _affine(case):
            return "log-probabilities"
        free = all(_same(case, partial(_with_more, by=by)) for by in SHIFTS)
        return "logits" if free else "embeddings"
    if _depends_on_residual(case):
        return "residual"
    if _depends_on_margin(case):
        return "margin"
    return "probability" if subject.domain == (0.0, 1.0) else "logit"


@law("argument", Loss, about="argument")
def argument(case: Case) -> None:
    """It depends on p - y, y·p or an order, is free up to a summand or affine, as claimed."""
    claimed, found = loss_traits(case).argument, _found_argument(case)
    if claimed != found:
        raise LawBroken(f"claimed a function of the {claimed}, found one of the {found}")


@law("domain", Loss, about="domain")
def domain(case: Case) -> None:
    """The loss is finite within its domain, and for some target not at a finite end of it."""
    subject = case.subject
    with np.errstate(all="ignore"):
        for rows in moderate(case):
            values = subject.value(rows)
            if not np.isfinite(values).all():
                row = int(np.argwhere(~np.isfinite(values))[0, 0])
                raise LawBroken(f"no finite value within the domain, at {rows.describe(row)}")
        for end in filter(math.isfinite, loss_traits(case).domain):
            if np.isfinite([subject.value(rows) for rows in at_targets(subject, [end])]).all():
                raise LawBroken(f"the domain ends at {end:g}, where every value is finite")


def _jumps(
    case: Case, function: Callable[[Rows], Array], slope: Callable[[Rows], Array]
) -> list[Rows]:
    """The rows of the grid's segments in which a function jumps, moved to where it does."""
    found = []
    for rows in grid(case):
        start, end = segments(case, rows)
        place, size = largest_jump(function, slope, start, end)
        found.append(start.at(place)[size > JUMP])
    return found


def bends(case: Case) -> list[float]:
    """Where the curvature of a loss of the residual jumps, by the residual."""
    subject = case.subject
    found = _jumps(case, partial(curvature, subject), partial(_third, subject))
    return sorted({round(float(r), 6) + 0.0 for rows in found for r in (rows.x - rows.y).ravel()})


@law("differentiable", Loss, about="differentiable")
def differentiable(case: Case) -> None:
    """Of the value, its slope and its curvature, the first one that jumps is as claimed."""
    subject = case.subject
    functions: list[Callable[[Rows], Array]] = [subject.value]
    functions += [partial(of, subject) for of in (jacobian, curvature, _third)]
    claimed = loss_traits(case).differentiable
    found = math.inf
    for times, (function, slope) in enumerate(pairwise(functions), start=-1):
        if any(map(len, _jumps(case, function, slope))):
            found = times
            break
    if found != claimed:
        raise LawBroken(f"claimed {claimed:g} times continuously differentiable, found {found:g}")


def _third(subject: Subject, rows: Rows) -> Array:
    """How fast the curvature changes, over distances that a jump would not show in."""
    near = NEIGHBOURS * np.spacing(np.abs(rows.x).max(axis=-1, keepdims=True))
    below, above = (curvature(subject, rows.at(rows.x + side * near)) for side in (-1, 1))
    change = np.abs(above - below).reshape(len(rows), -1).max(axis=-1)
    return np.asarray(change / (2 * near[:, 0]))


@law("influence", Loss, about="influence")
def influence(case: Case) -> None:
    """The formula is the negative gradient, up to one positive factor."""
    subject, claimed_as = case.subject, loss_traits(case).influence
    if (claimed_as is None) != (subject.group > 1):
        raise LawBroken("a target pulls at its own prediction, where it has one, and nowhere else")
    if claimed_as is None:
        return
    formula = parsed(case, claimed_as)
    blocks = [_summing_to_one(rows) for rows in moderate(case)]
    pulls = [-jacobian(subject, rows)[:, 0] for rows in blocks]
    written = [np.broadcast_to(subject.written(formula, rows), rows.x.shape) for rows in blocks]
    if not any(pull.any() for pull in pulls):
        for each in written:
            require(each, 0.0, 0.0, "influence of a loss without a gradient")
        return
    block = max(range(len(pulls)), key=lambda i: float(np.abs(pulls[i]).max()))
    place = np.unravel_index(int(np.argmax(np.abs(pulls[block]))), pulls[block].shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = float(pulls[block][place] / written[block][place])
    if not 0 < factor < math.inf:
        raise LawBroken(f"the influence has the sign of the gradient: a factor of {-factor:.6g}")
    for rows, pull, claimed in zip(blocks, pulls, written, strict=True):
        size = 1 + np.abs(rows.x).max(axis=-1) + np.abs(pull).max(axis=-1)
        allowed = ROUNDING * max(1.0, factor) * size[:, None]
        require(pull, factor * claimed, allowed, "pull against the influence", rows)


def _summing_to_one(rows: Rows) -> Rows:
    """The rows with targets that are probabilities of classes to the last digit."""
    if rows.y is None or rows.y.dtype.kind != "f" or rows.y.shape[-1] == 1:
        return rows
    return Rows(rows.x, rows.y / rows.y.sum(axis=-1, keepdims=True))


def _far(subject: Subject, distance: float) -> Rows:
    """A prediction as far as that from its target, on either side, or with either feature."""
    low, high = subject.domain
    if subject.group > 1:
        x = distance * np.eye(subject.group)
        if subject.reads == "none":
            return Rows(np.concatenate([x, -x]))
        return Rows.joined([subject.labelled(x, label) for label in (0, 1)])
    if not subject.elementwise:
        x = np.array([[-distance, 0.0], [distance, 0.0], [0.0, -distance]])
        return subject.labelled(x, 1)
    if np.isfinite(high - low):
        x = np.array([low + (high - low) / distance])
    else:
        x = np.array([-distance, distance])
    return Rows(x[:, None], np.full((len(x), 1), 0.0 if subject.reads == "numbers" else 1.0))


def far_out(subject: Subject, score: Callable[[Rows], Array]) -> list[float]:
    """The largest score of mistakes, each many decades worse than the one before."""
    return [float(score(_far(subject, distance)).max()) for distance in FAR_OUT]


def _norm(rows: Array) -> Array:
    norm: Array = np.linalg.norm(rows, axis=-1)
    return norm


@law("bounded", Loss, about="bounded")
def bounded(case: Case) -> None:
    """Far out, the loss settles where it is claimed bounded and goes on growing where not.

    Over equal numbers of decades, even a logarithm grows by equal steps.
    """
    claimed = loss_traits(case).bounded
    near, far, farther = far_out(case.subject, case.subject.value)
    settles = farther - far <= (1 - LEVEL) * (far - near)
    if settles != claimed:
        found = f"{near:.6g}, {far:.6g} and {farther:.6g} ever farther out"
        raise LawBroken(f"claimed bounded={claimed}: {found}")


@law("outlier", Loss, about="outlier")
def outlier(case: Case) -> None:
    """The gradient of an ever worse mistake grows, stays, fades or is zero, as claimed."""
    subject = case.subject
    near, far, _ = far_out(subject, lambda rows: _norm(jacobian(subject, rows)[:, 0]))
    found = "constant"
    if near == far == 0:
        pulls = (jacobian(subject, rows) for rows in moderate(case))
        found = "fades" if any(pull.any() for pull in pulls) else "none"
    elif abs(far - near) > LEVEL * near:
        found = "grows" if far > near else "fades"
    claimed = loss_traits(case).outlier
    if found != claimed:
        raise LawBroken(f"claimed {claimed}, found {found}: {near:.6g} far out, {far:.6g} farther")
