"""What is known of the inside of a user's function, to say what is wrong with its gradient."""

from __future__ import annotations

from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.functions import complex_slopes, cotangent_for
from gradcli.analysis.gradcheck.mismatch import Branch, Contribution
from gradcli.analysis.gradcheck.row_gradients import rows_of_function
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.core.formula import Formula
from gradcli.core.formula_passages import Passage, passages, twin
from gradcli.spec.plan import FunctionDefinition

__all__ = ["described"]


def described(
    subject: Subject, callables: Callables, name: str, definition: FunctionDefinition | None = None
) -> Subject:
    """The subject of one argument with what its function is made of.

    The rows of any vector function are known; the conditions and terms of one that is a formula.
    """
    subject = subject.replace(by_row=rows_of_function(callables, name))
    if definition is None or definition.formula is None:
        return subject
    inside = _Formulas(definition, definition.formula, callables, name)
    return subject.replace(branches=inside.branches, contributions=inside.contributions)


class _Formulas:
    """The formulas of a definition at its point, as functions of one argument."""

    def __init__(
        self, definition: FunctionDefinition, forward: Formula, callables: Callables, name: str
    ) -> None:
        self._forward = forward
        self._claims = definition.claims
        self._name = name
        point = {
            key: value.astype(float) if value.dtype.kind == "f" else value
            for key, value in callables.point.items()
        }
        self._tensor = point[name]
        self._env: dict[str, Array | float] = {**definition.params, **point}
        self._ranks = {key: value.ndim for key, value in point.items()}
        output = definition.forward(point)[0]
        self._cotangent = cotangent_for(output, callables.options.seed, definition.name)

    def branches(self) -> tuple[Branch, ...]:
        """Conditions of forward and claim with a margin for each entry of the argument."""
        found: list[Branch] = []
        for formula in (self._forward, *self._claims.values()):
            for condition in formula.conditions:
                if not condition.margin.names <= self._env.keys():
                    continue  # one of the cotangent
                margin = condition.margin.evaluate(self._env)
                if margin.shape == self._tensor.shape:
                    found += Branch.sides(condition, margin.ravel())
        return tuple(found)

    def contributions(self) -> tuple[Contribution, ...]:
        """What each part of the forward adds to the gradient."""
        return tuple(
            Contribution(part.text, part.missing, self._through(part))
            for part in passages(self._forward, self._name)
        )

    def _through(self, part: Passage) -> Array:
        moving = twin(self._name)
        ranks = {**self._ranks, moving: self._tensor.ndim}

        def output(copies: Array) -> Array:
            return part.formula.evaluate({**self._env, moving: copies}, ranks)

        return complex_slopes(output, self._tensor, self._cotangent)
