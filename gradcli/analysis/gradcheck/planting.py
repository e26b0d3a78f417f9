"""Ops with a mistake planted in the cotangent of one operand; their values stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.analysis.gradcheck.mutants import Call, Change
from gradcli.core.arrays import Array, Cotangents, Parameters, Pullback
from gradcli.core.op import Loss, NodeOp, Op, Options, Term

__all__ = ["Operand", "planted"]

Operand = int | str
"""The position of an input, or the name of a parameter."""


def planted(op: Op, operand: Operand, change: Change) -> Op:
    """The op with a change in the cotangent of one operand.

    For a loss or a term the operand is the position among the arguments of its function that have
    a cotangent.
    """
    if isinstance(op, NodeOp):
        return _planted_node(op, operand, change)
    assert isinstance(op, (Loss, Term))
    assert isinstance(operand, int)
    return op.replace(function=_planted_function(op.function, operand, change))


def _planted_node(op: NodeOp, operand: Operand, change: Change) -> NodeOp:
    def evaluate(
        self: NodeOp, inputs: tuple[Array, ...], parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        y, pull = op.evaluate(inputs, parameters, rank, options)
        x = inputs[operand] if isinstance(operand, int) else parameters[operand]

        def own(g: Array) -> Array:
            dx, cotangents = pull(g)
            return dx[operand] if isinstance(operand, int) else cotangents[operand]

        def pullback(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
            dx, cotangents = pull(g)
            wrong = change(Call(own, g, x))
            if isinstance(operand, int):
                return (*dx[:operand], wrong, *dx[operand + 1 :]), cotangents
            return dx, {**cotangents, operand: wrong}

        return y, pullback

    # of the op's own class, since that is what says how its forward is treated
    kind = type("Planted", (type(op),), {"evaluate": evaluate})
    made: NodeOp = kind(**op.as_dict())
    return made


def _planted_function(
    function: Callable[..., Any], operand: int, change: Change
) -> Callable[..., Any]:
    def wrong(*arguments: Array, **options: Any) -> tuple[Array, Any]:
        values, pull = function(*arguments, **options)

        def own(g: Array) -> Array:
            pulled = pull(g)
            own: Array = pulled[operand] if isinstance(pulled, tuple) else pulled
            return own

        def pullback(g: Array) -> Any:
            pulled = pull(g)
            if not isinstance(pulled, tuple):
                return change(Call(own, g, arguments[0]))
            # learned numbers come last, behind targets, which have no cotangent
            x = arguments[operand - len(pulled)] if operand else arguments[0]
            cotangent = change(Call(own, g, x))
            return (*pulled[:operand], cotangent, *pulled[operand + 1 :])

        return values, pullback

    return wrong
