"""An op at fixed options, and as a function of rows that the laws can call."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Any

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.formula import Formula
from gradcli.core.op import Activation, Loss, Op, Options, Term, at_options
from gradcli.core.param import REQUIRED
from gradcli.core.traits import LossTraits, Traits

__all__ = ["Case", "Rows", "Subject", "cases"]

Index = Any
RowsPull = Callable[[Array], Array]


@dataclass(frozen=True)
class Rows:
    """Points: `x` of shape (rows, features), and as many targets where a loss reads them."""

    x: Array
    y: Array | None = None

    def __getitem__(self, index: Index) -> Rows:
        return Rows(self.x[index], None if self.y is None else self.y[index])

    def __len__(self) -> int:
        return len(self.x)

    def at(self, x: Array) -> Rows:
        """Other points with the same targets."""
        return Rows(x, self.y)

    def cast(self, dtype: Any) -> Rows:
        """The points in another precision; labels stay integers."""
        y = self.y
        real = np.zeros(0, dtype).real.dtype
        if y is not None and y.dtype.kind == "f":
            y = y.astype(real)
        return Rows(self.x.astype(dtype), y)

    def describe(self, row: int) -> str:
        target = "" if self.y is None else f", target {np.array2string(self.y[row])}"
        return np.array2string(self.x[row]) + target

    @staticmethod
    def joined(parts: list[Rows]) -> Rows:
        """Rows below each other, all of the same features and kind of target."""
        x = np.concatenate([part.x for part in parts])
        targets = [part.y for part in parts if part.y is not None]
        return Rows(x, np.concatenate(targets) if targets else None)


@dataclass(frozen=True)
class Subject:
    """An activation, a loss or a penalty at fixed options, as a function of one variable's rows.

    `function(x, y) -> (value, pullback)` with values (rows, outputs): a loss on rows has one
    output. Rows that belong together stand side by side in one row of x: `variables` names them,
    and `derivatives` are by them. `constants` are the numbers that its formulas may name; `takes_g`
    says that the derivative is written with the cotangent g.
    """

    function: Callable[[Array, Array | None], tuple[Array, RowsPull]]
    variables: tuple[str, ...]
    elementwise: bool
    formula: Formula
    derivatives: tuple[Formula, ...]
    takes_g: bool
    constants: Mapping[str, float]
    traits: Traits | LossTraits | None
    reads: str | None = None

    def __call__(self, rows: Rows) -> tuple[Array, RowsPull]:
        return self.function(rows.x, rows.y)

    def value(self, rows: Rows) -> Array:
        return self.function(rows.x, rows.y)[0]

    @property
    def kinks(self) -> tuple[float, ...]:
        return () if self.traits is None else self.traits.kinks

    @property
    def domain(self) -> tuple[float, float]:
        traits = self.traits
        return traits.domain if isinstance(traits, LossTraits) else (-np.inf, np.inf)

    @property
    def group(self) -> int:
        """How many rows belong together."""
        return len(self.variables)

    def parts(self, x: Array) -> dict[str, Array]:
        """The variables: rows that belong together, each by its name."""
        return dict(zip(self.variables, np.split(x, self.group, axis=-1), strict=True))

    def labelled(self, x: Array, label: int) -> Rows:
        """Rows that all have this class as their target, as the loss reads it."""
        labels = np.full(len(x), label)
        if self.reads == "events":
            return Rows(x, labels.astype(float))
        return Rows(x, np.eye(x.shape[-1])[labels] if self.reads == "probabilities" else labels)

    def place(self, rows: Rows) -> Array:
        """What kinks are values of: p - y of a loss on numbers, y·p of one on signs, else x.

        Of rows that belong together, their measure.
        """
        if isinstance(self.traits, LossTraits) and self.traits.measure:
            return self.written(Formula.parse(self.traits.measure, set(self.variables)), rows)
        if rows.y is None or self.reads not in ("numbers", "signs"):
            return rows.x
        return rows.x - rows.y if self.reads == "numbers" else rows.x * rows.y

    def written(self, formula: Formula, rows: Rows, g: Array | None = None) -> Array:
        """A formula's value for each row, of shape (rows, outputs)."""
        env: dict[str, Array | float] = {**self.parts(rows.x), **self.constants}
        ranks = dict.fromkeys(self.variables, 1)
        for name, array in (("y", self.one_hot(rows)), ("g", g)):
            if array is not None:
                env[name], ranks[name] = array, array.ndim - 1
        read = {name: value for name, value in env.items() if name in formula.names}
        value = formula.evaluate(read, {name: ranks.get(name, 0) for name in read})
        if value.ndim == 1:
            value = value[:, None]
        return value

    def derivative_written(self, rows: Rows, g: Array | None = None) -> Array:
        """The derivatives' values for each row, those by all variables side by side."""
        width = rows.x.shape[-1] // self.group
        found = [self.written(derivative, rows, g) for derivative in self.derivatives]
        if self.group == 1:
            return found[0]
        return np.concatenate([np.broadcast_to(f, (len(rows), width)) for f in found], axis=-1)

    @staticmethod
    def one_hot(rows: Rows) -> Array | None:
        """Targets as formulas read them: labels as probabilities."""
        if rows.y is None or rows.y.dtype.kind not in "iu":
            return rows.y
        return np.eye(rows.x.shape[-1])[rows.y]


def _by_variable(claim: Any, options: Options, variables: tuple[str, ...]) -> list[str]:
    """The derivatives of a claim, one for each variable."""
    written = claim(**options) if callable(claim) else claim
    return [written] if isinstance(written, str) else [written[name] for name in variables]


def _constants(options: Options, learned: Mapping[str, float]) -> dict[str, float]:
    numbers = {
        name: float(value)
        for name, value in options.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    return {**numbers, **learned}


def _first(cotangents: Array | tuple[Array, ...]) -> Array:
    return cotangents[0] if isinstance(cotangents, tuple) else cotangents


def _filled(learned: Mapping[str, float], x: Array) -> list[Array]:
    """Learned parameters at their first values, in the precision of x."""
    return [np.full((1,), value, x.real.dtype) for value in learned.values()]


@singledispatch
def _subject(op: Op, options: Options) -> Subject:
    raise TypeError(f"{op.kind} {op.name} is not a function of one variable's rows")


@_subject.register
def _activation(op: Activation, options: Options) -> Subject:
    learned = {} if op.weights is None else op.weights(**options)
    constants = _constants(options, learned)

    def function(x: Array, y: Array | None) -> tuple[Array, RowsPull]:
        value, pull = op.function(x, *_filled(learned, x), **options)
        return value, lambda g: _first(pull(g))

    names = {"x", *constants}
    cotangent = set() if op.elementwise else {"g"}
    return Subject(
        function, ("x",), op.elementwise,
        Formula.parse(at_options(op.formula, options), names),
        (Formula.parse(at_options(op.derivative, options), names | cotangent),),
        not op.elementwise, constants, op.traits_at(options),
    )  # fmt: skip


@_subject.register
def _loss(op: Loss, options: Options) -> Subject:
    learned = {} if op.weights is None else op.weights(**options)
    constants = _constants(options, learned)
    reads, variables = op.reads_at(options), op.rows_at(options)

    def function(x: Array, y: Array | None) -> tuple[Array, RowsPull]:
        targets = () if reads == "none" else (y,)
        p = x
        if op.couples_rows:  # rows that belong together, one behind the other
            p = x.reshape(*x.shape[:-2], -1, x.shape[-1] // len(variables))
        value, pull = op.function(p, *targets, *_filled(learned, x), **options)
        if op.elementwise:
            return value, lambda g: _first(pull(g))

        def pullback(g: Array) -> Array:
            dp = _first(pull(g[..., 0]))
            return dp.reshape(*dp.shape[:-2], -1, x.shape[-1])

        return value[..., None], pullback

    names = {*variables, "y", *constants}
    written = _by_variable(op.gradient, options, variables)
    return Subject(
        function, variables, op.elementwise,
        Formula.parse(at_options(op.formula, options), names),
        tuple(Formula.parse(text, names) for text in written),
        False, constants, op.traits_at(options), reads,
    )  # fmt: skip


@_subject.register
def _term(op: Term, options: Options) -> Subject:
    constants = _constants(options, {})

    def function(x: Array, y: Array | None) -> tuple[Array, RowsPull]:
        value: tuple[Array, RowsPull] = op.function(x, **options)
        return value

    names = {"w", *constants}
    derivative = Formula.parse(op.derivative, names)
    formula = Formula.parse(op.formula, names)
    return Subject(function, ("w",), True, formula, (derivative,), False, constants, None)


@dataclass(frozen=True)
class Case:
    """An op at one point of its parameters' sweep."""

    op: Op
    options: Options

    def __str__(self) -> str:
        swept = [f"{p.name}={self.options[p.name]}" for p in self.op.params if p.sweep]
        return self.op.name + (f"[{','.join(swept)}]" if swept else "")

    @cached_property
    def subject(self) -> Subject:
        return _subject(self.op, self.options)

    def rng(self) -> np.random.Generator:
        """Random numbers that depend on the case alone."""
        return np.random.default_rng(zlib.crc32(str(self).encode()))


def cases(op: Op) -> Iterator[Case]:
    """The op at every combination of its parameters' sweeps, which stand for the default alone.

    A parameter of kind `layers` or `losses` is left empty: what it holds is an input of the op.
    What the op refuses is left out. Raises ValueError for a required parameter without a sweep.
    """
    names, values = [], []
    for param in op.params:
        tried = param.sweep or (param.default,)
        if param.kind in ("layers", "losses"):
            tried = ((),)
        if tried[0] is REQUIRED:
            raise ValueError(f"{op.name}: {param.name} is required and states no sweep to try")
        names.append(param.name)
        values.append(tried)
    for combination in itertools.product(*values):
        options = dict(zip(names, combination, strict=True))
        if _accepted(op, options):
            yield Case(op, options)


def _accepted(op: Op, options: Options) -> bool:
    try:
        if op.validate is not None:
            op.validate(**options)
    except ValueError:
        return False
    return True
