"""Formulas of users: parsed into whitelisted steps, evaluated and differentiated without `eval`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.formula_functions import OPERATORS
from gradcli.core.formula_parse import Apply, Constant, Step, Variable, parse
from gradcli.core.formula_run import Run, step_shape
from gradcli.core.formula_tokens import MAX_LENGTH, MAX_LEVELS, FormulaError
from gradcli.core.op import Activation, Shape

__all__ = ["MAX_LENGTH", "MAX_LEVELS", "Condition", "Extent", "Formula", "FormulaError"]

Environment = Mapping[str, Array | float]
Ranks = Mapping[str, int]


@dataclass(frozen=True)
class Condition:
    """A place where a formula may have a kink or a jump: where `margin` is zero.

    `text` is the source, e.g. `x > 0` or `abs(x - 1)`, at `offset` of the formula; `above` and
    `below` say in the formula's own words where the margin is positive and negative.
    """

    text: str
    offset: int
    margin: Formula
    above: str
    below: str


@dataclass(frozen=True)
class Extent:
    """The shape of a formula's result, and the number of entries of all values on the way to it."""

    shape: Shape
    entries: int


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    `steps` is the expression as a flat program: each step reads earlier ones, the last one is the
    result. `names` are the variables that it reads.
    """

    text: str
    steps: tuple[Step, ...] = field(repr=False)
    names: frozenset[str]

    @classmethod
    def parse(
        cls,
        text: str,
        names: Collection[str],
        functions: Mapping[str, Activation] | None = None,
    ) -> Formula:
        """The formula in these variables.

        `functions` are the activations that it may call, by name; by default those of the
        catalogue. Raises FormulaError with the place in the text.
        """
        return cls._of(text, parse(text, names, functions))

    @classmethod
    def _of(cls, text: str, steps: tuple[Step, ...]) -> Formula:
        read = frozenset(step.name for step in steps if isinstance(step, Variable))
        return cls(text, steps, read)

    @property
    def elementwise(self) -> bool:
        """Whether each entry of the result reads that entry of the variables only."""
        return all(step.function.elementwise for step in self.steps if isinstance(step, Apply))

    @property
    def operations(self) -> int:
        """The operators and functions that it writes, each of which counts as one."""
        return sum(isinstance(step, Apply) for step in self.steps)

    def evaluate(
        self,
        env: Environment,
        ranks: Ranks | None = None,
        rounding: np.random.Generator | None = None,
    ) -> Array:
        """The value, with the broadcast shape of the variables that the formula reads.

        `env` has a value for each name. `ranks` gives the number of own axes of each variable,
        default all; axes before are independent replicas, which stay in front. The precision is
        that of the arrays, whatever the numbers beside them; a complex variable carries a
        perturbation. A comparison as a result is 1 or 0. Entries outside a function's domain are
        NaN or infinite, without a warning. With `rounding`, every operation is off by a random
        ulp, so that several evaluations show how well the formula is conditioned.

        Raises FormulaError where the shapes do not fit.
        """
        with np.errstate(all="ignore"):
            return Run(self.steps, env, ranks, rounding=rounding).value

    def value_and_pullback(
        self, env: Environment, wrt: Collection[str], ranks: Ranks | None = None
    ) -> tuple[Array, Callable[[Array], dict[str, Array]]]:
        """The value, and the function from its cotangent to those of the variables `wrt`.

        A cotangent has the own shape of its variable, after the replica axes of the result. An
        operand that was not taken (in `where`, `minimum`, `maximum`, `clip`) passes no cotangent
        on, whatever its slope. See `formula_functions` for the slopes chosen at kinks.
        """
        with np.errstate(all="ignore"):
            run = Run(self.steps, env, ranks, tape=True)

        def pullback(g: Array) -> dict[str, Array]:
            with np.errstate(all="ignore"):
                return run.pull(np.asarray(g), wrt)

        return run.value, pullback

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """The places where the formula may have a kink or a jump, in the order of the text."""
        found = [
            condition
            for step in self.steps
            if isinstance(step, Apply)
            for condition in self._conditions(step)
        ]
        return tuple(sorted(found, key=lambda condition: condition.offset))

    def _conditions(self, step: Apply) -> Iterator[Condition]:
        text = self._text_of(step)
        places: list[tuple[int, int | Constant, str]] = []
        for a, b in step.function.ties:
            words = self._text_of(self.steps[step.operands[b]])
            places.append((step.operands[a], step.operands[b], words))
        for kink in step.function.kinks:
            end = Constant(kink, step.offset, step.length)
            places.append((step.operands[0], end, f"{kink:g}"))
        for left, right, words in places:
            above, below = (f"{self._text_of(self.steps[left])} {sign} {words}" for sign in "><")
            if step.function.name in (">", ">="):
                above = text
            elif step.function.name in ("<", "<="):
                below = text
            yield Condition(text, step.offset, self._difference(left, right), above, below)

    def _text_of(self, step: Step) -> str:
        return self.text[step.offset : step.offset + step.length]

    def _difference(self, left: int, right: int | Constant) -> Formula:
        """The formula `left - right` of two steps, or of a step and a number."""
        needed = {left} if isinstance(right, Constant) else {left, right}
        for i in range(max(needed), -1, -1):
            step = self.steps[i]
            if i in needed and isinstance(step, Apply):
                needed.update(step.operands)
        place = {old: new for new, old in enumerate(sorted(needed))}
        kept: list[Step] = [
            replace(step, operands=tuple(place[slot] for slot in step.operands))
            if isinstance(step := self.steps[old], Apply)
            else step
            for old in place
        ]
        if isinstance(right, Constant):
            operands = place[left], len(kept)
            kept.append(right)
        else:
            operands = place[left], place[right]
        kept.append(Apply(OPERATORS["-"], operands, 0, len(self.text)))
        return Formula._of(self.text, tuple(kept))

    def extent(self, shapes: Mapping[str, Shape]) -> Extent:
        """What evaluating takes for variables of these own shapes, without allocating anything.

        Raises FormulaError where the shapes do not fit.
        """
        known: list[Shape] = []
        for step in self.steps:
            if isinstance(step, Constant):
                known.append(())
            elif isinstance(step, Variable):
                known.append(shapes[step.name])
            else:
                known.append(step_shape(step, [known[slot] for slot in step.operands]))
        return Extent(known[-1], sum(map(math.prod, known)))
