"""Kinks of losses on rows: ties, margins met exactly, rows that coincide.

Around a kink the function has several smooth pieces. The one whose branches a model took, in its
own precision, is followed in float64 to see its slopes. The slope that the model chose is valid if,
along random directions, it lies between those of this piece and of others nearby; the value then
follows the plane of that slope (compare `kinks`, where a unit follows a line).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import FixedBranch, fixed_branches, record_branches
from gradcli.engine.model import COMPLEX_STEP
from gradcli.engine.patches import Planes

__all__ = ["planes_at"]

_PIECES = 12  # random places around the point
_DIRECTIONS = 12  # along which slopes are compared
_TOLERANCE = 1e-10  # of a slope, relative, or this many ulps where the precision is lower:
_SLOPE_ULPS = 256
_REACH_ULPS = 8
_MOST = 512  # values with planes of their own
Function = Callable[[Array], tuple[Array, Callable[[Array], Array]]]


def planes_at(
    exact: Function, x: Array, own: Function, own_x: Array, rng: np.random.Generator
) -> tuple[bool, Planes | None, Planes | None]:
    """Whether values of a function of rows lie at a kink; planes of valid slopes; of all chosen.

    `exact` at x is the function in float64, `own` at own_x as a model of a lower precision may have
    computed it. Further axes before those of x are replicas.
    """
    here, values = _branches(exact, x)
    if not here:
        return False, None, None
    eps = float(np.finfo(own_x.dtype).eps)
    reach = _reach(x, own_x, eps)
    near = x + reach * rng.choice([-1.0, 1.0], (_PIECES, *x.shape))
    taken, _ = _branches(own, own_x)
    contested = np.zeros(values.shape, bool)
    for others in ([taken], [_branches(exact, each)[0] for each in near]):
        for conditions in others:
            contested |= _differ(here, conditions, values.shape)
    if not contested.any():
        return False, None, None
    w = rng.standard_normal((_DIRECTIONS, *x.shape))
    all_taken = [FixedBranch(np.ones(condition.shape, bool), condition) for condition in taken]
    with fixed_branches(all_taken), np.errstate(all="ignore"):
        followed = exact(x + 1j * COMPLEX_STEP * w)[0].reshape(_DIRECTIONS, -1)
    pieces = np.stack([np.imag(followed) / COMPLEX_STEP, *(_slopes(exact, z, w) for z in near)])
    tolerance = max(_TOLERANCE, _SLOPE_ULPS * eps)
    slack = tolerance * np.abs(pieces).max(axis=(0, 1))
    low, high = pieces.min(axis=0) - slack, pieces.max(axis=0) + slack
    kinked = contested.ravel() & ((high - low) > 3 * slack).any(axis=0)
    with np.errstate(all="ignore"):
        own_values, pull = own(own_x)
    kinked[np.flatnonzero(kinked)[_MOST:]] = False
    slopes = np.zeros((int(kinked.sum()), x.size))
    valid = np.zeros(len(slopes), bool)
    for row, index in enumerate(np.flatnonzero(kinked)):
        unit = np.zeros(own_values.size, own_values.dtype)
        unit[index] = 1
        slopes[row] = np.real(pull(unit.reshape(own_values.shape))).ravel()
        chosen = w.reshape(_DIRECTIONS, -1) @ slopes[row]
        valid[row] = ((chosen >= low[:, index]) & (chosen <= high[:, index])).all()
    values_there = np.real(followed[0]).reshape(values.shape)

    def planes(of: Mask) -> Planes | None:
        flat = np.zeros(values.size, bool)
        flat[np.flatnonzero(kinked)[of]] = True
        mask = flat.reshape(values.shape)
        return Planes(mask, x, values_there[mask], slopes[of]) if of.any() else None

    return True, planes(valid), planes(np.ones_like(valid))


def _reach(x: Array, own_x: Array, eps: float) -> Array:
    """How far the point's own rounding may move each entry."""
    size = float(np.abs(x).max(initial=0.0)) or 1.0
    return np.asarray(np.abs(x - own_x) + _REACH_ULPS * eps * size)


def _branches(function: Function, x: Array) -> tuple[list[Array], Array]:
    """The branches taken at a point, and the values there."""
    with record_branches() as conditions, np.errstate(all="ignore"):
        values, _ = function(x)
    return conditions, values


def _differ(here: list[Array], there: list[Array], shape: tuple[int, ...]) -> Mask:
    """The values, of this shape, for which some branch is another one."""
    differ = np.zeros(shape, bool)
    for one, other in zip(here, there, strict=True):
        changed: Mask = np.asarray(one != other)
        if changed.shape[: len(shape)] == shape:
            differ |= changed.reshape(*shape, -1).any(axis=-1)
        else:
            differ |= changed.any()
    return differ


def _slopes(function: Function, x: Array, w: Array) -> Array:
    """Slopes of every value (directions, values) along directions w, by the complex step."""
    with np.errstate(all="ignore"):
        values, _ = function(x + 1j * COMPLEX_STEP * w)
    return np.asarray(np.imag(values).reshape(len(w), -1) / COMPLEX_STEP)
