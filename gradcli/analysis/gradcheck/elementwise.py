"""An elementwise definition standing alone: its claim on a grid, at and beside every threshold."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from gradcli.analysis.gradcheck.grid import Grid, lay_grid
from gradcli.analysis.gradcheck.mismatch import Branch, Contribution
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import record_branches
from gradcli.core.formula import Formula
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import COMPLEX_STEP, FAINTEST, WIDER_STEP, generator
from gradcli.engine.noise import SPACING, Noise, measure_noise
from gradcli.spec.plan import ElementwiseDefinition

__all__ = ["ElementwiseCheck", "elementwise_subject"]

_EPS = float(np.finfo(np.float64).eps)
_TRIES = 4
_SHIFT = 1e-6  # of the imaginary part: far more than the square of the step ever moves
_KINK_TOLERANCE = 1e-9


def elementwise_subject(
    definition: ElementwiseDefinition, options: CheckOptions
) -> tuple[Subject, int]:
    """The definition as a subject, and how many points lie outside where it is finite."""
    assert definition.claim is not None
    grid = lay_grid(definition)
    check = ElementwiseCheck(definition, grid, options)
    return check.subject()


class ElementwiseCheck:
    """A definition on its grid: its formula and its claim there, near there, and their noise."""

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
        slope, doubt = self._slopes(value)
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
            variables=grid.env,
            branches=self._branches,
            contributions=self._contributions,
            factors=(
                *((name, float(number)) for name, number in definition.params.items()),
                ("2", 2.0),
            ),
        )
        return subject, int((~inside).sum())

    def _branches(self) -> tuple[Branch, ...]:
        """The conditions of formula and claim at every point."""
        definition = self.definition
        formulas = [definition.forward, *([definition.claim] if definition.claim else [])]
        x = self.grid.env[self.moving]
        conditions = [condition for formula in formulas for condition in formula.conditions]
        everything = np.arange(len(x))
        return tuple(
            side
            for each in conditions
            for side in Branch.sides(each, self._at(each.margin, everything, x))
        )

    def _contributions(self) -> tuple[Contribution, ...]:
        """What each part of the formula adds to its slope."""
        from gradcli.core.formula_passages import passages, twin  # for a wrong claim alone

        x = self.grid.env[self.moving]
        env: dict[str, Array | float] = {**self.params, **self.grid.env}
        env[twin(self.moving)] = x + 1j * COMPLEX_STEP
        return tuple(
            Contribution(
                part.text,
                part.missing,
                np.broadcast_to(part.formula.evaluate(env).imag / COMPLEX_STEP, x.shape),
            )
            for part in passages(self.definition.forward, self.moving)
        )

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

    def _slopes(self, value: Array) -> tuple[Array, Array]:
        """Slopes by the complex step, and how far the step and rounding may move them.

        NaN where the perturbation moves the real part too, as it does for a root at zero: there
        the function has no slope.
        """
        forward, x = self.definition.forward, self.grid.env[self.moving]
        everything = np.arange(len(x))
        moved = x + 1j * COMPLEX_STEP
        found = self._at(forward, everything, moved)
        with np.errstate(invalid="ignore"):
            shift = np.abs(found.real - value)
            floor = COMPLEX_STEP + 8 * _EPS * np.abs(value)
            analytic = shift <= floor + _SHIFT * np.abs(found.imag)
        slope = np.where(analytic, found.imag / COMPLEX_STEP, np.nan)
        wider = self._at(forward, everything, x + 1j * WIDER_STEP).imag / WIDER_STEP
        with np.errstate(invalid="ignore"):
            surest = 4 * _EPS * np.abs(slope) + np.abs(wider - slope) + FAINTEST
        doubt = surest
        rng = generator(self.options.seed, f"rounding of {self.definition.name}")
        for _ in range(_TRIES):
            other = self._at(forward, everything, moved, rng).imag / COMPLEX_STEP
            with np.errstate(invalid="ignore"):
                doubt = np.fmax(doubt, np.abs(other - slope))
        return slope, np.where(self.grid.at_threshold, surest, doubt)

    def _slope_jumps(self, slope: Array) -> Mask:
        """Thresholds whose two neighbouring floats have different slopes; they stand in pairs.

        A pair that shares a point with such a pair counts too: `x >= 0` and `x > 0` part on either
        side of zero.
        """
        pairs = np.flatnonzero(self.grid.at_threshold).reshape(-1, 2)
        left, right = slope[pairs[:, 0]], slope[pairs[:, 1]]
        largest = np.abs(slope[np.isfinite(slope)]).max(initial=0.0)
        with np.errstate(invalid="ignore"):
            differs = np.abs(left - right) > _KINK_TOLERANCE * largest
        points = list(zip(*self.grid.env.values(), strict=True))
        kinked = {points[at] for at in pairs[differs].ravel()}
        shared = np.array([any(points[at] in kinked for at in pair) for pair in pairs], bool)
        jumps = np.zeros(len(slope), bool)
        jumps[pairs[shared].ravel()] = True
        return jumps

    def _real(self, entries: Array, points: Array) -> Array:
        """The function itself; NaN outside its stated domain and beyond a branch's end.

        At a threshold both sides belong to the answer, elsewhere the neighbouring branch is
        another function.
        """
        low, high = self.definition.domain.get(self.moving, (-np.inf, np.inf))
        foreign = ~((points >= low) & (points <= high))
        with record_branches() as taken:
            found = self._at(self.definition.forward, entries, points)
        for own, other in zip(self._own_branches, taken, strict=True):
            foreign |= (own[entries] != other) & ~self.grid.at_threshold[entries]
        return np.where(foreign, np.nan, found)

    @cached_property
    def _own_branches(self) -> list[Mask]:
        """The conditions of the formula at each point of the grid."""
        x = self.grid.env[self.moving]
        with record_branches() as taken:
            self._at(self.definition.forward, np.arange(len(x)), x)
        return [np.broadcast_to(condition, x.shape) for condition in taken]

    def _noise(self, entries: Array) -> Noise:
        x = self.grid.env[self.moving][entries]
        value = self._real(entries, x)
        near = measure_noise(
            lambda offsets: self._real(entries, x + offsets),
            value,
            SPACING * np.maximum(np.abs(x), 1.0),
            _EPS,
        )
        return Noise.even(near)

    def _jitter(self) -> Array:
        """How far the claim moves when its argument and all operations are off by an ulp or two.

        What jumps to another branch thereby is another function and does not count.
        """
        claim, x = self.definition.claim, self.grid.env[self.moving]
        assert claim is not None
        everything = np.arange(len(x))
        with record_branches() as here:
            at_point = self._at(claim, everything, x)
        rng = generator(self.options.seed, f"jitter of {self.definition.name}")
        move = np.zeros(len(x))
        for _ in range(_TRIES):
            nudged = x * (1 + _EPS * rng.uniform(-2, 2, x.shape))
            for points in (nudged, x):
                with record_branches() as there, np.errstate(invalid="ignore"):
                    change = np.abs(self._at(claim, everything, points, rng) - at_point)
                for own, other in zip(here, there, strict=True):
                    change = np.where(own != other, 0.0, change)
                move = np.fmax(move, change)
        return np.where(np.isfinite(move), move, 0.0)
