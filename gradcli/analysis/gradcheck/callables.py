"""Any scalar function with a gradient someone wrote, as subjects of the check.

The function is called on one point at a time, in its own shapes and dtypes, always on copies.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import Kind
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.diagnostics.finding import Finding, Severity
from gradcli.diagnostics.rules import finding
from gradcli.engine.ladder import Estimate, position_scale
from gradcli.engine.model import generator
from gradcli.engine.noise import POINTS, SPACING, Noise, measure_noise
from gradcli.errors import UsageError

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.remembered import RememberedLadders

__all__ = [
    "USER_ERRORS",
    "Arrays",
    "Callables",
    "Claim",
    "MutatesItsArguments",
    "Pull",
    "Value",
    "WrongStructure",
    "differs",
]

Arrays = dict[str, Array]
Value = Callable[[Arrays], float]
Claim = Callable[[Arrays], Mapping[str, Any]]

USER_ERRORS = (Exception, SystemExit)
"""What a user's function may raise; it does not end the program, whatever it thinks."""

_JITTER_TRIES = 4
_FAR = 0.25  # of the size of the arguments, still where the function is of the same kind
_ELSEWHERE = 0.1  # how far away another point is, of the size of the arguments


class MutatesItsArguments(Exception):
    """A claim changed what it was given; the text names it."""


class WrongStructure(Exception):
    """A claim is not made like the arguments; the text says how it is made."""


def differs(one: Array, other: Any, slack: float = 0.0) -> bool:
    """Whether two arrays are not the same up to `slack`; NaN is the same as NaN."""
    try:
        numbers = np.asarray(other, float)
    except (TypeError, ValueError):
        return True
    if one.shape != numbers.shape:
        return True
    with np.errstate(invalid="ignore"):
        same = (one == numbers) | (np.abs(one - numbers) <= slack)
    return not np.all(same | (np.isnan(one) & np.isnan(numbers)))


def _on_the_grid(step: Array, x: Array, dtype: np.dtype[Any]) -> Array:
    """The steps nearest to some that lead from x to numbers of this format.

    Rounded points are not evenly spaced, and the differences of a steep function over them look
    like noise that it does not have.
    """
    grid = np.spacing((np.abs(x) + POINTS * np.abs(step)).astype(dtype)).astype(float)
    return np.asarray(np.round(step / grid) * grid)


class Pull(NamedTuple):
    """A claim that takes a cotangent, the one it is checked with, and another.

    `call` claims the gradient of `value`, the inner product of a cotangent with the `output`.
    """

    call: Callable[[Arrays, Array], Mapping[str, Any]]
    cotangent: Array
    other: Array
    output: Callable[[Arrays], Array]

    def value(self, arrays: Arrays, cotangent: Array) -> float:
        return float(np.sum(cotangent.astype(float) * self.output(arrays)))


@dataclass
class Callables:
    """A function of named arrays, the gradient claimed for it, and the point of the check.

    `wrt` are the names to check. `complex_slopes(name)` gives a complex-step estimate of all
    entries where the function is known to be complex-safe. `draws` names the random generators
    that a forward draws from, and finds in the same state each time; `further()` are findings on
    contracts that only callables of this kind have. With `ladders`, by name, none is climbed twice.
    `at_point` and what follows is set once the contracts are seen to be kept.
    """

    value: Value
    claim: Claim
    point: Arrays
    wrt: tuple[str, ...]
    options: CheckOptions
    where: str
    kind: Kind = "parameter"
    line: int = 0
    complex_slopes: Callable[[str], Estimate] | None = None
    factors: tuple[tuple[str, float], ...] = ()
    pull: Pull | None = None
    draws: str = ""
    further: Callable[[], list[Finding]] = list
    evaluations: int = 0
    ladders: Mapping[str, RememberedLadders] = field(default_factory=dict)
    at_point: float = float("nan")
    analytic: Arrays = field(default_factory=dict)
    claimed_dtypes: dict[str, np.dtype[Any]] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """What the function is called in messages."""
        return "function" if self.pull is None else "forward"

    @property
    def claim_role(self) -> str:
        """What the claim is called in messages."""
        return "gradient" if self.pull is None else "backward"

    def copies(self) -> Arrays:
        """The point, in arrays of its own."""
        return {name: value.copy() for name, value in self.point.items()}

    def eps(self, name: str) -> float:
        """The precision of an argument's numbers."""
        dtype = self.point[name].dtype
        return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)

    def subject(self, name: str) -> Subject:
        x = self.point[name].astype(float).ravel()
        if self.complex_slopes is not None:
            self.evaluations += x.size
        eps = self.eps(name)
        return Subject(
            name=self._shown(name),
            kind=self.kind,
            shape=self.point[name].shape,
            x=x,
            analytic=self.analytic[name].ravel(),
            value=np.asarray(self.at_point),
            eps=eps,
            eps_f=eps,
            probe=partial(self._probe, name),
            noise=self._noise(name),
            jitter=lambda: self._jitter(name),
            numeric=None if self.complex_slopes is None else self.complex_slopes(name),
            line=self.line,
            factors=self.factors,
            ladders=self.ladders.get(name),
            whole_numbers=self.claimed_dtypes[name].kind != "f",
        )

    def _shown(self, name: str) -> str:
        """A definition's only input goes by its name, several by `definition.input`."""
        if self.kind != "definition":
            return name
        return self.where if len(self.wrt) == 1 else f"{self.where}.{name}"

    def finding(
        self, code: str, message: str, name: str = "", severity: Severity | None = None
    ) -> Finding:
        """A finding on the callables, or on what they say of one argument."""
        where = self._shown(name) if name else self.where
        return finding(code, where, message, severity=severity, line=self.line)

    def evaluate(self, arrays: Arrays) -> float:
        """The function of these very arrays; what it prints goes to standard error."""
        self.evaluations += 1
        with redirect_stdout(sys.stderr):
            made = self.value(arrays)
        result = np.asarray(made)
        if result.size != 1 or result.dtype.kind not in "fiub":
            raise UsageError(
                f"{self.where} has to return one real number, got {result.dtype} "
                f"of shape {result.shape}"
            )
        return float(result.reshape(()))

    def claimed(self, arrays: Arrays) -> Mapping[str, Any]:
        """The claim; what it prints goes to standard error, where it spoils no report."""
        with redirect_stdout(sys.stderr):
            return self.claim(arrays)

    def safely(self, arrays: Arrays) -> float:
        """The function of copies; NaN where it raises, since only that probe is lost."""
        try:
            with np.errstate(all="ignore"):
                return self.evaluate({name: value.copy() for name, value in arrays.items()})
        except USER_ERRORS:
            return float("nan")

    def evaluate_elsewhere(self) -> None:
        """Call both at another point, for what they may keep of it."""
        rng = generator(self.options.seed, f"elsewhere of {self.where}")
        for call in (self.safely, self.claimed):
            moved = self.copies()
            for name in self.wrt:
                value = moved[name]
                away = _ELSEWHERE * position_scale(value.astype(float)).reshape(value.shape)
                moved[name] = (value + away * rng.uniform(-1, 1, value.shape)).astype(value.dtype)
            with suppress(*USER_ERRORS), np.errstate(all="ignore"):
                call(moved)

    def _probe(self, name: str, entries: Array, points: Array) -> Array:
        values = np.full(points.shape, np.nan)
        tensor = self.point[name]
        for (rung, column), point in np.ndenumerate(points):
            if np.isfinite(point):
                moved = tensor.copy()
                moved.reshape(-1)[entries[column]] = point
                values[rung, column] = self.safely({**self.point, name: moved})
        return values

    def _noise(self, name: str) -> Callable[[Array], Noise]:
        """Noise along a random direction, at the point and a part of its scale away from it."""
        tensor = self.point[name].astype(float)
        dtype = self.point[name].dtype
        eps = self.eps(name)
        scale = (float(np.sqrt(np.mean(tensor**2))) if tensor.size else 0.0) or 1.0
        direction = generator(self.options.seed, f"noise of {name}").standard_normal(tensor.shape)
        direction *= np.where(tensor == 0, 1.0, np.abs(tensor) / scale)

        def level(centre: Array) -> float:
            def along(offsets: Array) -> Array:
                points = centre + np.multiply.outer(offsets.ravel(), direction)
                if len(offsets) == POINTS:  # evenly spaced, and so they have to remain
                    step = _on_the_grid(np.ptp(offsets) / (POINTS - 1) * direction, centre, dtype)
                    places = np.arange(POINTS) - POINTS // 2
                    points = centre + np.multiply.outer(places, step)
                points = points.astype(dtype)
                return np.array([[self.safely({**self.point, name: at})] for at in points])

            value = along(np.zeros(1))[0]
            spacing = np.array([max(SPACING, 4 * eps) * scale])
            return (
                float(measure_noise(along, value, spacing, eps)[0]) if np.isfinite(value) else 0.0
            )

        known: list[tuple[float, float]] = []

        def noise(entries: Array) -> Noise:
            if not known:
                known.append((level(tensor), level(tensor + _FAR * scale * direction)))
            near, far = known[0]
            count = len(entries)
            return Noise(np.full(count, near), np.full(count, far), np.full(count, _FAR * scale))

        return noise

    def _jitter(self, name: str) -> Array:
        """How far the claim moves when every argument moves by up to 2 ulp: largest of 4 tries."""
        rng = generator(self.options.seed, f"jitter of {self.where}")
        move = np.zeros(self.analytic[name].shape)
        for _ in range(_JITTER_TRIES):
            moved = {}
            for key, value in self.point.items():
                moved[key] = value.copy()
                if value.dtype.kind == "f" and key in self.wrt:
                    ulps = rng.uniform(-2, 2, value.shape)
                    moved[key] = (value * (1 + np.finfo(value.dtype).eps * ulps)).astype(
                        value.dtype
                    )
            try:
                with np.errstate(all="ignore"):
                    gradient = np.asarray(self.claimed(moved)[name], float)
            except USER_ERRORS:  # as for probes: outside the domain this try says nothing
                continue
            with np.errstate(invalid="ignore"):
                move = np.fmax(move, np.abs(gradient - self.analytic[name]))
        return np.where(np.isfinite(move), move, 0.0).ravel()
