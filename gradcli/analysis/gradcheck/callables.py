"""Any scalar function with a gradient someone wrote, as subjects of the check.

The function is called on one point at a time, in its own shapes and dtypes, always on copies.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradcli.analysis.gradcheck.budget import sample_size, within_budget
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.probes import moved, probes_of, widened
from gradcli.analysis.gradcheck.report import Kind
from gradcli.analysis.gradcheck.subject import Large, Subject
from gradcli.core.arrays import Array
from gradcli.core.user_code import USER_ERRORS
from gradcli.diagnostics.finding import Finding, Severity
from gradcli.diagnostics.rules import finding
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import generator
from gradcli.errors import UserCodeError

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.remembered import RememberedLadders

__all__ = [
    "Arrays",
    "Callables",
    "Claim",
    "MutatesItsArguments",
    "Pull",
    "Value",
    "WrongStructure",
    "as_array",
    "differs",
]

Arrays = dict[str, Array]
Value = Callable[[Arrays], float]
Claim = Callable[[Arrays], Mapping[str, Any]]

_JITTER_TRIES = 4
_EVALUATIONS = 36  # that the derivative of one entry takes on average
_CALL = 1e5  # multiply-adds that a call takes the time of, whatever it does
_ELEMENT = 16  # and each element that it touches
_ELSEWHERE = 0.1  # how far away another point is, of the size of the arguments


class MutatesItsArguments(Exception):
    """A claim changed what it was given; the text names it."""


class WrongStructure(Exception):
    """A claim is not made like the arguments; the text says how it is made."""


def as_array(value: Any) -> tuple[Array, str]:
    """A value as an array, and what to call it if it is none; else empty."""
    try:
        array = np.array(value)
    except ValueError:
        return np.array(None), "a nested list that is no array"
    if array.dtype.kind != "O" or isinstance(value, (np.ndarray, list, tuple)):
        return array, ""
    return array, "None" if value is None else f"a {type(value).__name__}"


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
    `here_only` says that the claim is the gradient at the point, and none for any other.
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
    here_only: bool = False
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
        probes = probes_of(self, name)
        whole = name in self._whole
        numeric = None
        if self.complex_slopes is not None and whole:
            numeric = self.complex_slopes(name)
            self.evaluations += x.size
        return Subject(
            name=self._shown(name),
            kind=self.kind,
            shape=self.point[name].shape,
            x=x,
            analytic=self.analytic[name].ravel(),
            value=np.asarray(probes.value),
            eps=self.eps(name),
            eps_f=probes.eps,
            probe=probes.probe,
            noise=probes.noise,
            jitter=lambda: self._jitter(name),
            numeric=numeric,
            large=None if whole else Large(probes.slope_along, self._sample),
            line=self.line,
            factors=self.factors,
            ladders=self.ladders.get(name),
            whole_numbers=self.claimed_dtypes[name].kind != "f",
            claims=None if self.here_only else partial(self._claims, name),
            own_noise=probes.own_noise,
            around=probes.slopes_around,
        )

    @cached_property
    def _whole(self) -> frozenset[str]:
        """The arguments of which every entry is checked."""
        costs = {name: {name: self.point[name].size * self._entry_cost} for name in self.wrt}
        return within_budget(costs, self.options.budget)[0]

    @property
    def _sample(self) -> int:
        return sample_size(self.options.budget, self._entry_cost)

    @property
    def _entry_cost(self) -> float:
        """What the derivative of one entry takes, as multiply-adds: all that a call touches."""
        elements = sum(value.size for value in self.point.values())
        if self.pull is not None:
            elements += self.pull.cotangent.size
        if self.complex_slopes is not None:
            return float(_ELEMENT * elements)  # all entries at once, in copies
        return float(_EVALUATIONS * (_CALL + _ELEMENT * elements))

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
            message = f"the {self.role} has to return one real number, got {result.dtype} "
            raise UserCodeError(self.where, f"{message}of shape {result.shape}")
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
        moves = {name: rng.uniform(-1, 1, self.point[name].shape) for name in self.wrt}
        for call in (self.safely, self.claimed):
            with suppress(*USER_ERRORS), np.errstate(all="ignore"):
                call(moved(self.point, moves, _ELSEWHERE))

    def _jitter(self, name: str) -> Array:
        """How far the claim moves when every argument moves by up to 2 ulp: largest of 4 tries.

        In float32 also how far it is from the same claim in float64, which is its rounding.
        """
        rng = generator(self.options.seed, f"jitter of {self.where}")
        nearby = [self._nudged(rng) for _ in range(_JITTER_TRIES)]
        if self.point[name].dtype == np.float32:
            nearby.append(widened(self.point))
        move = np.zeros(self.analytic[name].shape)
        for point in nearby:
            try:
                with np.errstate(all="ignore"):
                    gradient = np.asarray(self.claimed(point)[name], float)
            except USER_ERRORS:  # as for probes: outside the domain this try says nothing
                continue
            if gradient.shape == move.shape:
                with np.errstate(invalid="ignore"):
                    move = np.fmax(move, np.abs(gradient - self.analytic[name]))
        return np.where(np.isfinite(move), move, 0.0).ravel()

    def _claims(self, name: str, entry: int, points: Array) -> Array:
        """The claims for an entry with its coordinate at other points; NaN where there is none."""
        found = np.full(points.shape, np.nan)
        for at, point in enumerate(points):
            elsewhere = self.copies()
            elsewhere[name].reshape(-1)[entry] = point
            with suppress(*USER_ERRORS), np.errstate(all="ignore"):
                found[at] = np.asarray(self.claimed(elsewhere)[name], float).ravel()[entry]
        return found

    def _nudged(self, rng: np.random.Generator) -> Arrays:
        point = self.copies()
        for name in self.wrt:
            value = point[name]
            ulps = rng.uniform(-2, 2, value.shape)
            point[name] = np.asarray(value * (1 + self.eps(name) * ulps), value.dtype)
        return point
