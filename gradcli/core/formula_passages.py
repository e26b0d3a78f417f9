"""Through which parts of a formula a variable reaches the result.

The derivative of a formula is the sum, over every place where the variable stands, of the
derivative with all other places held fixed: the multivariate chain rule. So each part of a formula
has a contribution of its own, and a claim that forgets one part is short of exactly that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gradcli.core.formula import Formula
from gradcli.core.formula_parse import Apply, Step, Variable

__all__ = ["Passage", "passages", "twin"]

_MOST = 200
_MOST_STEPS = 100_000  # of all formulas written together, for those with thousands of steps each
_SUMS = ("+", "-")


@dataclass(frozen=True)
class Passage:
    """A part of a formula: its text, that of the operation it belongs to, and whether that adds.

    `formula` is the whole one with the variable replaced by its `twin` inside this part alone.
    """

    text: str
    within: str
    is_term: bool
    formula: Formula

    @property
    def missing(self) -> str:
        """What to say of a claim without this part."""
        if self.is_term:
            return f"the contribution of the term `{self.text}` is missing"
        what = f"`{self.text}` in `{self.within}`"
        return f"the contribution through {what} is missing, as if that were constant"


def twin(name: str) -> str:
    """What a variable is called where it moves and its namesakes stand still; no name of a spec."""
    return f"{name}'"


def passages(formula: Formula, name: str) -> Iterator[Passage]:
    """The parts of a formula that read a variable, outer ones first."""
    steps = formula.steps
    level = [len(steps) - 1]
    left = min(_MOST, _MOST_STEPS // len(steps))
    while level and left:
        below: list[int] = []
        for at in level:
            outer = steps[at]
            if not isinstance(outer, Apply):
                continue
            for position, slot in enumerate(outer.operands):
                renamed = _renamed(steps, name, at, position, slot) if left else None
                if renamed is not None:
                    left -= 1
                    yield Passage(
                        _text(formula, steps[slot]),
                        _text(formula, outer),
                        outer.function.name in _SUMS,
                        Formula(formula.text, renamed, formula.names | {twin(name)}),
                    )
            below += outer.operands
        level = below


def _text(formula: Formula, step: Step) -> str:
    return formula.text[step.offset : step.offset + step.length]


def _renamed(
    steps: tuple[Step, ...], name: str, outer: int, position: int, operand: int
) -> tuple[Step, ...] | None:
    """The steps with the twin of a variable inside one operand; None if the operand has none."""
    inside = {operand}
    for i in range(len(steps) - 1, -1, -1):
        step = steps[i]
        if i in inside and isinstance(step, Apply):
            inside.update(step.operands)
    moved = {i for i in inside if _is(steps[i], name)}
    if not moved:
        return None
    first = steps[min(moved)]
    found: list[Step] = [Variable(twin(name), first.offset, first.length)]
    for i, step in enumerate(steps):
        if isinstance(step, Apply):
            operands = tuple(
                0 if slot in moved and (i in inside or (i, at) == (outer, position)) else slot + 1
                for at, slot in enumerate(step.operands)
            )
            step = replace(step, operands=operands)
        found.append(step)
    return tuple(found)


def _is(step: Step, name: str) -> bool:
    return isinstance(step, Variable) and step.name == name
