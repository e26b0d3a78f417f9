"""Targets that suit what the loss reads: drawn so, or held to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Loss, Shape
from gradcli.core.record import Record
from gradcli.spec.fields import Context
from gradcli.spec.nodes import Node
from gradcli.spec.plan import ArrayPlan
from gradcli.spec.read_arrays import ArraySource, representable
from gradcli.spec.read_data import TARGETS, Target
from gradcli.spec.read_ops import Call

__all__ = ["plan_targets"]

_SUM_TOLERANCE: Final = 1e-6
"""By how much a row of probabilities may miss one: about the rounding of single precision."""

_LEAST_MINED: Final = 3
"""Rows that make a triple."""

_FEWEST_CLASSES: Final = 2
_ROWS_OF_A_CLASS: Final = 4
"""About how many rows there are of each class that is drawn."""

_DRAWN_AS: Final = {"classes": "labels", "binary": "events"}
"""What is drawn for losses that read more than one kind of target."""


class _Reader(Record):
    """A loss with the kind of targets that it reads for predictions of the shape `outputs`."""

    op: Loss
    call: Call
    reads: str
    outputs: Shape

    @property
    def draws(self) -> str:
        return _DRAWN_AS.get(self.reads, self.reads)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes that its targets may have, the one that is drawn first."""
        outputs = self.outputs
        if self.reads == "classes":
            return (outputs[:-1], outputs)
        if self.reads in ("labels", "identities"):
            return (outputs[:-1],)
        if self.op.elementwise or self.reads == "probabilities":
            return (outputs,)
        return ((math.prod(outputs[:-1]) // self.together,),)

    @property
    def together(self) -> int:
        """How many rows have one target."""
        return len(self.op.rows_at(self.call.options))

    def reads_labels(self, shape: Shape) -> bool:
        return self.draws == "labels" and shape == self.outputs[:-1]


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
        together, rows = len(op.rows_at(call.options)), math.prod(outputs[:-1])
        if rows % together:
            fits = rows - rows % together or together
            message = f"{op.name} takes rows by {together}, and there are {rows}"
            note("SP012", message, call, f"expected a multiple of {together}, such as {fits}")
            return None
        if op.reads_at(call.options) == "identities" and rows < _LEAST_MINED:
            message = f"{op.name} mines triples, and there are {rows} rows"
            note("SP012", message, call, f"expected {_LEAST_MINED} rows or more")
            return None
    kinds = [(op, call, op.reads_at(call.options)) for op, call in losses]
    readers = [_Reader(op, call, reads, outputs) for op, call, reads in kinds if reads != "none"]
    if not readers:
        if losses and given is not None and given.source is not None:
            (op, _), *_ = losses
            hint = "leave them out"
            if callable(op.reads):
                hint += ", or choose options with which it reads some"
            message = f"{op.name} reads no targets"
            context.problems.add("SP015", message, given.source.node, hint=hint)
        return None
    first = readers[0]
    if given is None:
        hint = "write `targets: auto` to have them drawn"
        whose = "" if name == TARGETS else f" for {name}"
        message = f"{first.op.name} needs targets, data have none{whose}"
        note("SP008", message, first.call, hint)
        return None
    if given.is_drawn:
        for other in readers[1:]:
            if other.draws != first.draws:
                message = f"targets drawn for {first.op.name} do not suit {other.op.name}"
                note("SP015", message, other.call)
        return _drawn(first, seed)
    source = given.source
    if source is None or not all(_fits(source, reader, context) for reader in readers):
        return None
    return _given(source, readers, context)


def _given(source: ArraySource, readers: list[_Reader], context: Context) -> ArrayPlan | None:
    allowed = readers[0].shapes
    shape = source.shape if source.shape in allowed else (*source.shape, 1)
    if source.drawn is not None:
        picky = next((reader for reader in readers if reader.reads != "numbers"), None)
        if picky is None:
            return source.drawn.replace(shape=shape)
        message = f"{picky.op.name} does not take targets drawn so"
        hint = "write `targets: auto`, or values"
        context.problems.add("SP015", message, source.node, hint=hint)
        return None
    values = source.load()
    targets: Array | None = None if values is None else values.reshape(shape)
    for reader in readers:
        if targets is not None:
            targets = _checked(targets, reader, source.node, context)
    if targets is None or not representable(targets, source.node, "targets", context):
        return None
    return ArrayPlan(shape, values=targets, dtype="int" if targets.dtype.kind == "i" else "float64")


def _fits(source: ArraySource, reader: _Reader, context: Context) -> bool:
    outputs, allowed = reader.outputs, reader.shapes
    if source.shape in allowed or (*source.shape, 1) in allowed:
        return True
    shape = list(source.shape)
    message = f"targets have shape {shape}, the outputs {list(outputs)}"
    if source.shape and source.shape[0] != outputs[0]:
        rows = f"{source.shape[0]} rows of targets for {outputs[0]} rows of outputs"
        message = f"{rows}: shapes {shape} and {list(outputs)}"
    hint = f"{reader.op.name} expects " + " or ".join(str(list(one)) for one in allowed)
    if reader.together > 1:
        hint += f", one for every {reader.together} rows"
    context.problems.add("SP012", message, source.node, hint=hint)
    return False


def _drawn(reader: _Reader, seed: Sequence[int]) -> ArrayPlan:
    """Targets of the kind that the loss reads, the same for the same seed."""
    shape, outputs = reader.shapes[0], reader.outputs
    rng = np.random.default_rng([*seed, len(outputs)])
    if reader.draws == "labels":
        return ArrayPlan(shape, dtype="int", high=outputs[-1], distribution="uniform")
    if reader.draws == "identities":
        rows = math.prod(shape)
        classes = max(_FEWEST_CLASSES, rows // _ROWS_OF_A_CLASS)
        drawn = rng.permutation(np.arange(rows) % classes).reshape(shape)
        return ArrayPlan(shape, values=drawn, dtype="int")
    if reader.draws == "events":
        return ArrayPlan(shape, values=rng.integers(0, 2, shape).astype(np.float64))
    if reader.draws == "signs":
        return ArrayPlan(shape, values=2.0 * rng.integers(0, 2, shape) - 1.0)
    if reader.draws == "probabilities":
        return ArrayPlan(shape, values=rng.dirichlet(np.ones(shape[-1]), shape[:-1]))
    return ArrayPlan(shape, distribution="normal")


def _checked(values: Array, reader: _Reader, node: Node, context: Context) -> Array | None:
    """The targets as the loss takes them: labels whole numbers, all else float64.

    None, with the problem noted, where it cannot.
    """
    if reader.reads_labels(values.shape):
        found = _labels(values, reader.outputs[-1])
        targets = values.astype(np.int64)
    else:
        targets = values.astype(np.float64)
        rule = _RULES.get(reader.reads)
        found = None if rule is None else rule(targets)
        if reader.reads == "identities":
            targets = targets.astype(np.int64)
    if found is None:
        return targets
    problem, hint = found
    context.problems.add("SP015", f"{reader.op.name}: {problem}", node, hint=hint)
    return None


def _labels(values: Array, classes: int) -> tuple[str, str] | None:
    bad = (values != np.floor(values)) | (values < 0) | (values >= classes)
    if not bad.any():
        return None
    return (
        f"label {values[bad][0]:g} does not fit {classes} outputs",
        f"expected whole numbers from 0 to {classes - 1}",
    )


Rule = Callable[[Array], tuple[str, str] | None]


def _binary(values: Array) -> tuple[str, str] | None:
    bad = (values < 0) | (values > 1)
    return (f"target {values[bad][0]:g}", "expected 0, 1 or between") if bad.any() else None


def _events(values: Array) -> tuple[str, str] | None:
    bad = (values != 0) & (values != 1)
    return (f"target {values[bad][0]:g}", "expected 0 or 1") if bad.any() else None


def _identities(values: Array) -> tuple[str, str] | None:
    hint = "expected whole numbers that tell which rows are of one class"
    bad = values != np.floor(values)
    if bad.any():
        return f"target {values[bad][0]:g}", hint
    _, counts = np.unique(values, return_counts=True)
    if counts.max() == 1:
        return "no two rows are of one class, so that no anchor has a positive", hint
    if len(counts) == 1:
        return "all rows are of one class, so that no anchor has a negative", hint
    return None


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
    "events": _events,
    "signs": _signs,
    "identities": _identities,
    "probabilities": _probabilities,
    "classes": _probabilities,
}
