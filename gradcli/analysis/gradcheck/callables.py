"""Any scalar function with a gradient someone wrote, as subjects; contracts first.

The function is called on one point at a time, in its own shapes and dtypes, always on copies.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import Kind
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import generator
from gradcli.engine.noise import SPACING, Noise, measure_noise
from gradcli.errors import UsageError

__all__ = ["USER_ERRORS", "Callables", "Claim", "MutatesItsArguments", "Pull", "Value"]

Arrays = dict[str, Array]
Value = Callable[[Arrays], float]
Claim = Callable[[Arrays], Mapping[str, Any]]

USER_ERRORS = (Exception, SystemExit)
"""What a user's function may raise; it does not end the program, whatever it thinks."""

_JITTER_TRIES = 4
_NOISY = 1e-4  # relative difference of two evaluations beyond which a function is random


class MutatesItsArguments(Exception):
    """A claim changed what it was given; the text names it."""


class Pull(NamedTuple):
    """A claim that takes a cotangent, the one it is checked with, and another."""

    call: Callable[[Arrays, Array], Mapping[str, Any]]
    cotangent: Array
    other: Array


@dataclass
class Callables:
    """A function of named arrays, the gradient claimed for it, and the point of the check.

    `wrt` are the names to check. `complex_slopes(name)` gives a complex-step estimate of all
    entries where the function is known to be complex-safe.
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
    evaluations: int = 0

    def prepare(self) -> list[Finding]:
        """Call both once and hold the claim to its contract; findings if it breaks it.

        Raises UsageError where the function itself cannot be evaluated at the point.
        """
        self.at_point = self._value_of(self.point)
        if not np.isfinite(self.at_point):
            raise UsageError(f"{self.where} is {self.at_point} at the point where it is checked")
        again = self._value_of(self.point)
        if abs(again - self.at_point) > _NOISY * max(abs(again), abs(self.at_point)):
            message = f"the function itself gives {self.at_point:.6g} and then {again:.6g} there"
            return [self._finding("GC005", message)]
        before = {name: value.copy() for name, value in self.point.items()}
        given = {name: value.copy() for name, value in self.point.items()}
        try:
            claimed = self._claim_at(given)
        except MutatesItsArguments as error:
            return [self._finding("GC006", f"the backward changes {error} in place")]
        except USER_ERRORS as error:
            return [self._finding("GC007", f"the gradient raises {type(error).__name__}: {error}")]
        broken = [
            self._finding(
                "GC006",
                f"the gradient changes its argument {name} in place",
                where=self._shown(name),
            )
            for name, value in before.items()
            if not np.array_equal(given[name], value, equal_nan=True)
        ]
        broken += [
            self._finding("GC002", f"the gradient has an entry for {name}, which is no argument")
            for name in claimed
            if name not in self.point
        ]
        self.analytic: Arrays = {}
        for name in self.wrt:
            broken += self._take(name, claimed)
        if not broken:
            broken += self._repeatable()
        return broken

    def _take(self, name: str, claimed: Mapping[str, Any]) -> list[Finding]:
        if name not in claimed:
            return [
                self._finding(
                    "GC002", f"the gradient has no entry for {name}", where=self._shown(name)
                )
            ]
        shape = self.point[name].shape
        try:
            gradient = np.asarray(claimed[name])
            what = f"{gradient.dtype} of shape {gradient.shape}"
        except ValueError:
            gradient = np.asarray(None)
            what = "a nested list that is no array"
        if claimed[name] is None:
            what = "None"
        if gradient.dtype.kind not in "fiub" or gradient.shape != shape:
            return [
                self._finding(
                    "GC002",
                    f"the gradient of {name} is {what}, the argument has shape {shape}",
                    where=self._shown(name),
                )
            ]
        self.analytic[name] = gradient.astype(float)
        return []

    def _repeatable(self) -> list[Finding]:
        again = self._claim_at({name: value.copy() for name, value in self.point.items()})
        return [
            self._finding(
                "GC005",
                f"the gradient of {name} differs when it is computed twice",
                where=self._shown(name),
            )
            for name in self.wrt
            if not np.array_equal(np.asarray(again[name], float), self.analytic[name], True)
        ]

    def nonlinear(self) -> dict[str, Finding]:
        """Findings by name where the claim for g - 2h is not that for g less twice that for h."""
        pull = self.pull
        if pull is None:
            return {}
        copies = [{name: value.copy() for name, value in self.point.items()} for _ in range(2)]
        second = pull.call(copies[0], pull.other.copy())
        both = pull.call(copies[1], pull.cotangent - 2 * pull.other)
        broken = {}
        for name in self.wrt:
            first = self.analytic[name]
            parts = first, -2 * np.asarray(second[name], float)
            scale = max(np.abs(part).max(initial=0.0) for part in parts)
            gap = np.abs(np.asarray(both[name], float) - sum(parts)).max(initial=0.0)
            eps = float(np.finfo(pull.cotangent.dtype).eps)
            if gap > np.sqrt(eps) * scale:
                message = (
                    f"the backward is not linear in the cotangent: for g - 2h the gradient of "
                    f"{name} is off by {gap:.3g} from that for g less twice that for h"
                )
                broken[name] = self._finding("GC001", message, where=self._shown(name))
        return broken

    def subject(self, name: str) -> Subject:
        x = self.point[name].astype(float).ravel()
        if self.complex_slopes is not None:
            self.evaluations += x.size
        dtype = self.point[name].dtype
        eps = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
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
        )

    def _shown(self, name: str) -> str:
        """A definition's only input goes by its name, several by `definition.input`."""
        if self.kind != "definition":
            return name
        return self.where if len(self.wrt) == 1 else f"{self.where}.{name}"

    def _finding(self, code: str, message: str, where: str = "") -> Finding:
        return finding(code, where or self.where, message, line=self.line)

    def _value_of(self, arrays: Arrays) -> float:
        self.evaluations += 1
        with redirect_stdout(sys.stderr):
            made = self.value({name: value.copy() for name, value in arrays.items()})
        result = np.asarray(made)
        if result.size != 1 or result.dtype.kind not in "fiub":
            raise UsageError(
                f"{self.where} has to return one real number, got {result.dtype} "
                f"of shape {result.shape}"
            )
        return float(result.reshape(()))

    def _claim_at(self, arrays: Arrays) -> Mapping[str, Any]:
        """The claim; what it prints goes to standard error, where it spoils no report."""
        with redirect_stdout(sys.stderr):
            return self.claim(arrays)

    def _safely(self, arrays: Arrays) -> float:
        """The function at a probe; NaN where it raises, since only that probe is lost."""
        try:
            with np.errstate(all="ignore"):
                return self._value_of(arrays)
        except USER_ERRORS:
            return float("nan")

    def _probe(self, name: str, entries: Array, points: Array) -> Array:
        values = np.full(points.shape, np.nan)
        tensor = self.point[name]
        for (rung, column), point in np.ndenumerate(points):
            if np.isfinite(point):
                moved = tensor.copy()
                moved.reshape(-1)[entries[column]] = point
                values[rung, column] = self._safely({**self.point, name: moved})
        return values

    def _noise(self, name: str) -> Callable[[Array], Noise]:
        """Noise along a random direction, at the point and one scale away from it."""
        tensor = self.point[name].astype(float)
        dtype = self.point[name].dtype
        eps = float(np.finfo(dtype).eps)
        scale = (float(np.sqrt(np.mean(tensor**2))) if tensor.size else 0.0) or 1.0
        direction = generator(self.options.seed, f"noise of {name}").standard_normal(tensor.shape)

        def along(offsets: Array) -> Array:
            values = [
                self._safely({**self.point, name: (tensor + t * direction).astype(dtype)})
                for t in offsets.ravel()
            ]
            return np.array(values)[:, None]

        def level(distance: float) -> float:
            value = along(np.array([distance]))[0]
            spacing = np.array([max(SPACING, 4 * eps) * scale])
            if not np.isfinite(value[0]):
                return 0.0
            found = measure_noise(lambda offsets: along(distance + offsets), value, spacing, eps)
            return float(found[0])

        known: list[tuple[float, float]] = []

        def noise(entries: Array) -> Noise:
            if not known:
                known.append((level(0.0), level(scale)))
            near, far = known[0]
            count = len(entries)
            return Noise(np.full(count, near), np.full(count, far), np.full(count, scale))

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
                    gradient = np.asarray(self._claim_at(moved)[name], float)
            except USER_ERRORS:  # as for probes: outside the domain this try says nothing
                continue
            with np.errstate(invalid="ignore"):
                move = np.fmax(move, np.abs(gradient - self.analytic[name]))
        return np.where(np.isfinite(move), move, 0.0).ravel()
