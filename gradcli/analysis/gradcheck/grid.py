"""Where an elementwise definition is tried: a fixed grid, and every threshold in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.formula import Formula
from gradcli.spec.plan import ElementwiseDefinition

__all__ = ["Grid", "lay_grid"]

_POINTS = {1: 161, 2: 25}  # along each variable, by the number of variables
_REACH = 40.0
_BESIDE = 2.0**-20  # of a threshold's size: far enough for smooth steps, near enough to be beside
_SMALLEST = 2.0**-500

Env = dict[str, Array]


@dataclass(frozen=True)
class Grid:
    """Points (E,) of each variable; `at_threshold` marks the two floats around a threshold."""

    env: Env
    at_threshold: Mask


def lay_grid(definition: ElementwiseDefinition) -> Grid:
    """The fixed grid of a definition, the points it asks for, and its thresholds."""
    axes = []
    for name in definition.variables:
        low, high = definition.domain.get(name, (-np.inf, np.inf))
        points = _axis(low, high, _POINTS[len(definition.variables)])
        extra = np.asarray(definition.at.get(name, ()), float)
        axes.append(np.union1d(points, extra))
    mesh = np.meshgrid(*axes, indexing="ij")
    moving, *others = (axis.ravel() for axis in mesh)
    order = np.lexsort((moving, *others))
    env = dict(zip(definition.variables, (moving, *others), strict=True))
    env = {name: values[order] for name, values in env.items()}
    return _with_thresholds(definition, env)


def _axis(low: float, high: float, count: int) -> Array:
    """Points dense at zero (or at the finite end) and reaching 40, inside [low, high]."""
    both = np.sinh(5 * np.linspace(-1, 1, count)) / np.sinh(5)
    away = np.sinh(5 * np.linspace(0, 1, count)) / np.sinh(5)
    points: Array
    if np.isinf(low) and np.isinf(high):
        points = _REACH * both
    elif np.isinf(high):
        points = low + _REACH * away
    elif np.isinf(low):
        points = high - _REACH * away[::-1]
    else:
        points = np.clip(low + (high - low) * (both + 1) / 2, low, high)
    return points


def _with_thresholds(definition: ElementwiseDefinition, env: Env) -> Grid:
    """Add every place where a comparison of the formula or the claim changes its mind."""
    moving = definition.variables[0]
    formulas = [definition.forward, *([definition.claim] if definition.claim else [])]
    low, high = definition.domain.get(moving, (-np.inf, np.inf))
    pairs: dict[str, list[Array]] = {name: [] for name in env}
    beside: dict[str, list[Array]] = {name: [] for name in env}
    for margin in (condition.margin for formula in formulas for condition in formula.conditions):
        others, left, right = _bisect(margin, definition, env, moving)
        inside = (left >= low) & (right <= high)
        others = {name: values[inside] for name, values in others.items()}
        left, right = left[inside], right[inside]
        pairs[moving].append(np.stack([left, right], axis=1).ravel())
        step = _BESIDE * np.maximum(np.abs(left), 1.0)
        beside[moving].append(np.clip(np.stack([left - step, right + step], 1).ravel(), low, high))
        for name, values in others.items():
            pairs[name].append(np.repeat(values, 2))
            beside[name].append(np.repeat(values, 2))
    near = {name: np.concatenate([env[name], *beside[name]]) for name in env}
    at = _distinct({name: np.concatenate([[], *pairs[name]]) for name in env})
    thresholds = set(zip(*at.values(), strict=True))
    kept = np.array([point not in thresholds for point in zip(*near.values(), strict=True)], bool)
    joined = {name: np.concatenate([near[name][kept], at[name]]) for name in env}
    marked = np.arange(len(joined[moving])) >= kept.sum()
    return Grid(joined, marked)


def _distinct(pairs: Env) -> Env:
    """Each pair of neighbouring points once: formula and claim often share a comparison."""
    both = np.stack([values.reshape(-1, 2) for values in pairs.values()], axis=1)
    kept = np.unique(both, axis=0)
    return {name: kept[:, row].ravel() for row, name in enumerate(pairs)}


def _bisect(
    margin: Formula, definition: ElementwiseDefinition, env: Env, moving: str
) -> tuple[Env, Array, Array]:
    """Neighbouring floats between which a margin changes sign, with the other variables there."""
    params = {name: np.float64(value) for name, value in definition.params.items()}

    def sign(points: Array, others: Env) -> Array:
        found = np.sign(margin.evaluate({**params, **others, moving: points}))
        return np.broadcast_to(np.where(np.isnan(found), 0, found), points.shape)

    others = {name: values for name, values in env.items() if name != moving}
    x = env[moving]
    signs = sign(x, others)
    same_group = np.ones(len(x) - 1, bool)
    for values in others.values():
        same_group &= values[1:] == values[:-1]
    at = np.flatnonzero(same_group & (signs[1:] != signs[:-1]))
    left, right = _ordinal(x[at]), _ordinal(x[at + 1])
    there = {name: values[at] for name, values in others.items()}
    low_sign = signs[at]
    while np.any(right != left + 1):
        middle = (left >> 1) + (right >> 1) + (left & right & 1)
        stays = sign(_float(middle), there) == low_sign
        left, right = np.where(stays, middle, left), np.where(stays, right, middle)
    return there, _squarable(_float(left)), _squarable(_float(right))


def _squarable(x: Array) -> Array:
    """x, but no closer to zero than a number whose square is one too, unless it is zero."""
    near = (x != 0) & (np.abs(x) < _SMALLEST)
    return np.asarray(np.where(near, np.copysign(_SMALLEST, x), x))


def _ordinal(x: Array) -> Array:
    """Floats as integers in the same order, neighbours one apart."""
    bits = (x + 0.0).view(np.int64)
    return np.asarray(np.where(bits >= 0, bits, np.int64(-(2**63)) - bits))


def _float(ordinal: Array) -> Array:
    bits = np.where(ordinal >= 0, ordinal, np.int64(-(2**63)) - ordinal)
    return np.asarray(bits.astype(np.int64).view(np.float64))
