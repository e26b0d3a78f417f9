"""An elementwise definition standing alone: its claim on a grid, at and beside every threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array, Mask
from gradcli.core.formula import Formula
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import COMPLEX_STEP, generator
from gradcli.engine.noise import measure_noise
from gradcli.spec.plan import ElementwiseDefinition

__all__ = ["Grid", "elementwise_subject", "lay_grid"]

_EPS = float(np.finfo(np.float64).eps)
_POINTS = {1: 161, 2: 25}  # of the grid along each variable, by the number of variables
_REACH = 40.0
_BESIDE = 2.0**-20  # of the threshold's size: far enough for smooth steps, near enough to be beside
_TRIES = 4
_NOISE_SPACING = 1.37e-7
_KINK_TOLERANCE = 1e-9

Env = dict[str, Array]


@dataclass(frozen=True)
class Grid:
    """Points (E,) of each variable; `at_threshold` marks the two floats around a threshold."""

    env: Env
    at_threshold: Mask


def elementwise_subject(
    definition: ElementwiseDefinition, options: CheckOptions
) -> tuple[Subject, int]:
    """The definition as a subject, and how many points lie outside where it is finite."""
    assert definition.claim is not None
    grid = lay_grid(definition)
    check = _Elementwise(definition, grid, options)
    return check.subject()


class _Elementwise:
    def __init__(
        self, definition: ElementwiseDefinition, grid: Grid, options: CheckOptions
    ) -> None:
        self.definition = definition
        self.grid = grid
        self.options = options
        self.moving = definition.variables[0]
        self.params = {name: np.float64(value) for name, value in definition.params.items()}

    def subject(self) -> tuple[Subject, int]:
        definition, grid = self.definition, self.grid
        assert definition.claim is not None
        x = grid.env[self.moving]
        count = len(x)
        value = self._at(definition.forward, np.arange(count), x)
        slope, doubt = self._slopes()
        analytic = self._at(definition.claim, np.arange(count), x)
        inside = np.isfinite(value) & np.isfinite(slope)
        kinks = grid.at_threshold & self._slope_jumps(slope)
        subject = Subject(
            name=definition.name,
            kind="definition",
            shape=(count,),
            x=x,
            analytic=analytic,
            value=np.where(inside, value, 0.0),
            eps=_EPS,
            eps_f=_EPS,
            probe=lambda entries, points: self._real(entries, points),
            noise=self._noise,
            jitter=self._jitter,
            numeric=Estimate(np.where(inside, slope, 0.0), np.where(inside, doubt, np.inf)),
            kinks=kinks,
            pool=np.flatnonzero(inside),
            line=definition.line,
            factors=(
                *((name, float(number)) for name, number in definition.params.items()),
                ("2", 2.0),
            ),
        )
        return subject, int((~inside).sum())

    def _at(
        self,
        formula: Formula,
        entries: Array,
        points: Array,
        rounding: np.random.Generator | None = None,
    ) -> Array:
        env: dict[str, Array | float] = dict(self.params)
        for name, values in self.grid.env.items():
            env[name] = points if name == self.moving else values[entries]
        found = formula.evaluate(env, rounding=rounding)
        return np.broadcast_to(found, points.shape)

    def _slopes(self) -> tuple[Array, Array]:
        """Slopes by the complex step, and how far rounding may move them."""
        forward, x = self.definition.forward, self.grid.env[self.moving]
        everything = np.arange(len(x))
        moved = x + 1j * COMPLEX_STEP
        slope = self._at(forward, everything, moved).imag / COMPLEX_STEP
        doubt = 4 * _EPS * np.abs(slope)
        rng = generator(self.options.seed, f"rounding of {self.definition.name}")
        for _ in range(_TRIES):
            other = self._at(forward, everything, moved, rng).imag / COMPLEX_STEP
            with np.errstate(invalid="ignore"):
                doubt = np.fmax(doubt, np.abs(other - slope))
        return slope, np.where(self.grid.at_threshold, 4 * _EPS * np.abs(slope), doubt)

    def _slope_jumps(self, slope: Array) -> Mask:
        """Thresholds whose two neighbouring floats have different slopes; they stand in pairs."""
        jumps = np.zeros(len(slope), bool)
        pairs = np.flatnonzero(self.grid.at_threshold).reshape(-1, 2)
        left, right = slope[pairs[:, 0]], slope[pairs[:, 1]]
        with np.errstate(invalid="ignore"):
            gap = np.abs(left - right)
            differs = gap > _KINK_TOLERANCE * np.maximum(np.abs(left), np.abs(right))
        jumps[pairs[differs].ravel()] = True
        return jumps

    def _real(self, entries: Array, points: Array) -> Array:
        """The function itself, NaN outside its stated domain."""
        low, high = self.definition.domain.get(self.moving, (-np.inf, np.inf))
        outside = ~((points >= low) & (points <= high))
        found = self._at(self.definition.forward, entries, points)
        return np.where(outside, np.nan, found)

    def _noise(self, entries: Array) -> Array:
        x = self.grid.env[self.moving][entries]
        value = self._real(entries, x)
        return measure_noise(
            lambda offsets: self._real(entries, x + offsets),
            value,
            _NOISE_SPACING * np.maximum(np.abs(x), 1.0),
            _EPS,
        )

    def _jitter(self) -> Array:
        """How far the claim moves when its argument and every operation are off by an ulp or two."""
        claim, x = self.definition.claim, self.grid.env[self.moving]
        assert claim is not None
        everything = np.arange(len(x))
        at_point = self._at(claim, everything, x)
        rng = generator(self.options.seed, f"jitter of {self.definition.name}")
        move = np.zeros(len(x))
        for _ in range(_TRIES):
            nudged = x * (1 + _EPS * rng.uniform(-2, 2, x.shape))
            for points in (nudged, x):
                with np.errstate(invalid="ignore"):
                    change = np.abs(self._at(claim, everything, points, rng) - at_point)
                move = np.fmax(move, change)
        return np.where(self.grid.at_threshold | ~np.isfinite(move), 0.0, move)


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
    if np.isinf(low) and np.isinf(high):
        return _REACH * np.sinh(5 * np.linspace(-1, 1, count)) / np.sinh(5)
    away = np.sinh(5 * np.linspace(0, 1, count)) / np.sinh(5)
    if np.isinf(high):
        return low + _REACH * away
    if np.isinf(low):
        return high - _REACH * away[::-1]
    middle = np.sinh(5 * np.linspace(-1, 1, count)) / np.sinh(5)
    return np.clip(low + (high - low) * (middle + 1) / 2, low, high)


def _with_thresholds(definition: ElementwiseDefinition, env: Env) -> Grid:
    """Add every place where a comparison of the formula or the claim changes its mind."""
    moving = definition.variables[0]
    formulas = [definition.forward, *([definition.claim] if definition.claim else [])]
    low, high = definition.domain.get(moving, (-np.inf, np.inf))
    pairs: dict[str, list[Array]] = {name: [] for name in env}
    beside: dict[str, list[Array]] = {name: [] for name in env}
    for margin in (condition.margin for formula in formulas for condition in formula.conditions):
        others, left, right = _bisect(margin, definition, env, moving)
        pairs[moving].append(np.stack([left, right], axis=1).ravel())
        step = _BESIDE * np.maximum(np.abs(left), 1.0)
        beside[moving].append(np.clip(np.stack([left - step, right + step], 1).ravel(), low, high))
        for name, values in others.items():
            pairs[name].append(np.repeat(values, 2))
            beside[name].append(np.repeat(values, 2))
    joined = {
        name: np.concatenate([env[name], *beside[name], *pairs[name]]) for name in env
    }
    marked = np.zeros(len(joined[moving]), bool)
    thresholds = sum(map(len, pairs[moving]))
    if thresholds:
        marked[-thresholds:] = True
    return Grid(joined, marked)


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
    return there, _float(left), _float(right)


def _ordinal(x: Array) -> Array:
    """Floats as integers in the same order, neighbours one apart."""
    bits = (x + 0.0).view(np.int64)
    return np.where(bits >= 0, bits, np.int64(-(2**63)) - bits)


def _float(ordinal: Array) -> Array:
    bits = np.where(ordinal >= 0, ordinal, np.int64(-(2**63)) - ordinal)
    return bits.astype(np.int64).view(np.float64)
