"""Targets that suit what the loss reads: drawn so, or held to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Loss, Shape
from gradcli.spec.fields import Context
from gradcli.spec.nodes import Node
from gradcli.spec.plan import ArrayPlan
from gradcli.spec.read_arrays import ArraySource, representable
from gradcli.spec.read_data import TARGETS, Target
from gradcli.spec.read_ops import Call

__all__ = ["plan_targets"]

_SUM_TOLERANCE: Final = 1e-6
"""By how much a row of probabilities may miss one: about the rounding of single precision."""


def plan_targets(
    name: str,
    given: Target | None,
    losses: list[tuple[Loss, Call]],
    outputs: Shape,
    seed: Sequence[int],
    context: Context,
) -> ArrayPlan | None:
    """The targets that all of the losses read; None where none does, or with the problem noted.

    `name` is that of the targets, `outputs` the shape of the predictions. Targets of shape (B,)
    match predictions (B, 1).
    """

    def note(code: str, message: str, call: Call, hint: str = "") -> None:
        context.problems.add(code, message, call.node, hint=hint, place=call.place)

    for op, call in losses:
        if not op.elementwise and len(outputs) < 2:
            shape = list(outputs)
            note("SP012", f"{op.name} needs outputs with rows and features, got {shape}", call)
            return None
    readers = [(op, call) for op, call in losses if op.reads != "none"]
    if not readers:
        return None
    op, call = readers[0]
    if given is None:
        hint = "write `targets: auto` to have them drawn"
        whose = "" if name == TARGETS else f" for {name}"
        note("SP008", f"{op.name} needs targets, data have none{whose}", call, hint)
        return None
    if given.is_drawn:
        for other, other_call in readers[1:]:
            if other.reads != op.reads:
                message = f"targets drawn for {op.name} do not suit {other.name}"
                note("SP015", message, other_call)
        return _drawn(op, outputs, seed)
    source = given.source
    if source is None or not all(_fits(source, op, outputs, context) for op, _ in readers):
        return None
    return _given(source, [op for op, _ in readers], outputs, context)


def _given(
    source: ArraySource, ops: list[Loss], outputs: Shape, context: Context
) -> ArrayPlan | None:
    allowed = _shapes(ops[0], outputs)
    shape = source.shape if source.shape in allowed else (*source.shape, 1)
    if source.drawn is not None:
        picky = next((op for op in ops if op.reads != "numbers"), None)
        if picky is None:
            return source.drawn.replace(shape=shape)
        message = f"{picky.name} does not take targets drawn so"
        hint = "write `targets: auto`, or values"
        context.problems.add("SP015", message, source.node, hint=hint)
        return None
    values = source.load()
    targets: Array | None = None if values is None else values.reshape(shape)
    for op in ops:
        if targets is not None:
            targets = _checked(targets, op, outputs, source.node, context)
    if targets is None or not representable(targets, source.node, "targets", context):
        return None
    return ArrayPlan(shape, values=targets, dtype="int" if targets.dtype.kind == "i" else "float64")


def _fits(source: ArraySource, op: Loss, outputs: Shape, context: Context) -> bool:
    allowed = _shapes(op, outputs)
    if source.shape in allowed or (*source.shape, 1) in allowed:
        return True
    shape = list(source.shape)
    message = f"targets have shape {shape}, the outputs {list(outputs)}"
    if source.shape and source.shape[0] != outputs[0]:
        rows = f"{source.shape[0]} rows of targets for {outputs[0]} rows of outputs"
        message = f"{rows}: shapes {shape} and {list(outputs)}"
    hint = f"{op.name} expects " + " or ".join(str(list(one)) for one in allowed)
    context.problems.add("SP012", message, source.node, hint=hint)
    return False


def _shapes(op: Loss, outputs: Shape) -> tuple[Shape, ...]:
    """The shapes that the targets of a loss may have, the one that is drawn first."""
    return (outputs[:-1], outputs) if op.reads == "classes" else (outputs,)


def _drawn(op: Loss, outputs: Shape, seed: Sequence[int]) -> ArrayPlan:
    """Targets of the kind that the loss reads, the same for the same seed."""
    shape = _shapes(op, outputs)[0]
    rng = np.random.default_rng([*seed, len(outputs)])
    if op.reads == "classes":
        return ArrayPlan(shape, dtype="int", high=outputs[-1], distribution="uniform")
    if op.reads == "binary":
        return ArrayPlan(shape, values=rng.integers(0, 2, shape).astype(np.float64))
    if op.reads == "signs":
        return ArrayPlan(shape, values=2.0 * rng.integers(0, 2, shape) - 1.0)
    return ArrayPlan(shape, distribution="normal")


def _checked(values: Array, op: Loss, outputs: Shape, node: Node, context: Context) -> Array | None:
    """The targets as the loss takes them: labels whole numbers, all else float64.

    None, with the problem noted, where it cannot.
    """
    if op.reads == "classes" and values.shape == outputs[:-1]:
        return _labels(values, outputs[-1], op, node, context)
    targets = values.astype(np.float64)
    wrong = _RULES.get(op.reads)
    found = None if wrong is None else wrong(targets)
    if found is not None:
        problem, hint = found
        context.problems.add("SP015", f"{op.name}: {problem}", node, hint=hint)
        return None
    return targets


def _labels(values: Array, classes: int, op: Loss, node: Node, context: Context) -> Array | None:
    bad = (values != np.floor(values)) | (values < 0) | (values >= classes)
    if bad.any():
        worst = values[tuple(np.argwhere(bad)[0])]
        context.problems.add(
            "SP015",
            f"{op.name}: label {worst:g} does not fit {classes} outputs",
            node,
            hint=f"expected whole numbers from 0 to {classes - 1}",
        )
        return None
    return values.astype(np.int64)


Rule = Callable[[Array], tuple[str, str] | None]


def _binary(values: Array) -> tuple[str, str] | None:
    bad = (values < 0) | (values > 1)
    return (f"target {values[bad][0]:g}", "expected 0, 1 or between") if bad.any() else None


def _signs(values: Array) -> tuple[str, str] | None:
    bad = np.abs(values) != 1
    return (f"target {values[bad][0]:g}", "expected -1 or 1") if bad.any() else None


def _probabilities(values: Array) -> tuple[str, str] | None:
    if ((values < 0) | (values > 1)).any():
        return "targets as wide as the outputs are probabilities", "expected numbers from 0 to 1"
    sums = values.sum(axis=-1)
    bad = np.abs(sums - 1) > _SUM_TOLERANCE
    if not bad.any():
        return None
    row = int(np.argwhere(bad)[0][0])
    return f"probabilities of row {row} sum to {sums[bad][0]:.6g}", "expected a sum of 1"


_RULES: Final[dict[str, Rule]] = {
    "binary": _binary,
    "signs": _signs,
    "classes": _probabilities,
}
