"""Kinks of losses on rows: ties, margins met exactly, rows that coincide.

Around a kink the function has several smooth pieces. The slope that a model chose is valid if,
along random directions, it lies between those of the pieces nearby; the value then follows the
plane of that slope (compare `kinks`, where a unit follows a line).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import record_branches
from gradcli.engine.model import COMPLEX_STEP
from gradcli.engine.patches import Planes

__all__ = ["planes_at"]

_PIECES = 12  # random places around the point, beside those along and against a chosen slope
_DIRECTIONS = 12  # along which slopes are compared
_TOLERANCE = 1e-10  # of a slope, relative, or this many ulps where the precision is lower:
_SLOPE_ULPS = 256
_REACH_ULPS = 8
_MOST = 512  # values with planes of their own
Function = Callable[[Array], tuple[Array, Callable[[Array], Array]]]


def planes_at(
    exact: Function, x: Array, own: Function, own_x: Array, rng: np.random.Generator
) -> tuple[bool, Planes | None]:
    """Whether values of a function of rows lie at a kink, and planes where the slope is valid.

    `exact` at x is the function in float64, `own` at own_x as a model of a lower precision may have
    computed it. Further axes before those of x are replicas.
    """
    with record_branches() as here, np.errstate(all="ignore"):
        values, _ = exact(x)
    if not here:
        return False, None
    eps = float(np.finfo(own_x.dtype).eps)
    reach = _reach(x, own_x, eps)
    near = x + reach * rng.choice([-1.0, 1.0], (_PIECES, *x.shape))
    if not _branches_flip(exact, near, here) and not _branches_flip(own, own_x[None], here):
        return False, None
    w = rng.standard_normal((_DIRECTIONS, *x.shape))
    pieces = np.stack([_slopes(exact, each, w) for each in near])
    tolerance = max(_TOLERANCE, _SLOPE_ULPS * eps)
    slack = tolerance * np.abs(pieces).max(axis=(0, 1))
    kinked = (np.ptp(pieces, axis=0) > slack).any(axis=0)
    with np.errstate(all="ignore"):
        own_values, pull = own(own_x)
    mask, slopes = np.zeros(values.size, bool), []
    for index in np.flatnonzero(kinked)[:_MOST]:
        unit = np.zeros(own_values.size, own_values.dtype)
        unit[index] = 1
        slope = np.real(pull(unit.reshape(own_values.shape))).astype(float)
        beside = [_slopes(exact, x + side * reach * np.sign(slope), w) for side in (-1, 1)]
        found = np.concatenate([pieces[..., index], [each[:, index] for each in beside]])
        chosen = w.reshape(_DIRECTIONS, -1) @ slope.ravel()
        low, high = found.min(axis=0) - slack[index], found.max(axis=0) + slack[index]
        if ((chosen >= low) & (chosen <= high)).all():
            mask[index] = True
            slopes.append(slope.ravel())
    if not slopes:
        return True, None
    y0 = values.ravel()[mask]
    return True, Planes(mask.reshape(values.shape), x, y0, np.stack(slopes))


def _reach(x: Array, own_x: Array, eps: float) -> Array:
    """How far the point's own rounding may move each entry."""
    size = float(np.abs(x).max(initial=0.0)) or 1.0
    return np.asarray(np.abs(x - own_x) + _REACH_ULPS * eps * size)


def _branches_flip(function: Function, x: Array, here: list[Mask]) -> bool:
    """Whether some copy of the point takes another branch."""
    with record_branches() as there, np.errstate(all="ignore"):
        function(x)
    return any(bool((taken != at).any()) for taken, at in zip(there, here, strict=True))


def _slopes(function: Function, x: Array, w: Array) -> Array:
    """Slopes of every value (directions, values) along directions w, by the complex step."""
    with np.errstate(all="ignore"):
        values, _ = function(x + 1j * COMPLEX_STEP * w)
    return np.asarray(np.imag(values).reshape(len(w), -1) / COMPLEX_STEP)
