"""Points at which the laws evaluate a node: its inputs, parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Pullback
from gradcli.core.op import Buffer, NodeOp, Shape
from gradcli.testing.case import Case
from gradcli.testing.numeric import EPS

__all__ = ["ROUNDING", "Point", "node_point", "node_points", "node_shapes"]

SHAPES: Final[tuple[Shape, ...]] = ((5, 4), (3, 2, 4))
"""(rows, features) and (rows, time, features)."""

ROUNDING: Final = 512 * EPS  # sums of a few products


@dataclass(frozen=True)
class Point:
    """Arguments of a node. Axes before the last `rank` of the inputs are replicas."""

    op: NodeOp
    case: Case
    rank: int
    inputs: tuple[Array, ...]
    parameters: Cotangents
    buffers: Cotangents

    def run(self) -> tuple[Array, Pullback]:
        own = {**self.parameters, **self.buffers}
        return self.op.evaluate(self.inputs, own, self.rank, self.case.options)

    def value(self) -> Array:
        return self.run()[0]

    def moved(self, inputs: tuple[Array, ...], parameters: Cotangents) -> Point:
        return replace(self, inputs=inputs, parameters=parameters)

    def along(self, other: Point, step: complex) -> Point:
        """The point plus a step times another."""
        return self.moved(
            tuple(x + step * v for x, v in zip(self.inputs, other.inputs, strict=True)),
            {name: w + step * other.parameters[name] for name, w in self.parameters.items()},
        )

    def replica(self, index: int) -> Point:
        return self.moved(
            tuple(x[index] for x in self.inputs),
            {name: w[index] for name, w in self.parameters.items()},
        )


def node_point(case: Case, shape: Shape, rng: np.random.Generator, replicas: Shape = ()) -> Point:
    """Random arguments for a first input of this shape; buffers have no replicas."""
    op = case.op
    assert isinstance(op, NodeOp)
    branches = sum(param.kind == "layers" for param in op.params)
    learned = op.learned(shape, case.options)
    return Point(
        op,
        case,
        len(shape),
        tuple(rng.standard_normal((*replicas, *shape)) for _ in range(1 + branches)),
        {name: rng.standard_normal((*replicas, *own.shape)) for name, own in learned.items()},
        {name: _held(own, rng) for name, own in op.buffered(shape, case.options).items()},
    )


def _held(buffer: Buffer, rng: np.random.Generator) -> Array:
    """What a buffer may hold: a draw of its own, or any numbers that it allows."""
    if callable(buffer.fill):
        return buffer.fill(rng, buffer.shape)
    free = rng.standard_normal(buffer.shape)
    return free if np.isinf(buffer.at_least) else buffer.at_least + np.abs(free)


def node_shapes(case: Case) -> Iterator[Shape]:
    """The shapes of a first input at which an op is tried: those that it takes.

    Raises ValueError, with the op's own reason, for an op that takes none.
    """
    op = case.op
    assert isinstance(op, NodeOp)
    branches = sum(param.kind == "layers" for param in op.params)
    refused: list[ValueError] = []
    for shape in SHAPES:
        try:
            op.output_shape((shape,) * (1 + branches), case.options)
        except ValueError as error:
            refused.append(error)
        else:
            yield shape
    if len(refused) == len(SHAPES):
        raise refused[-1]


def node_points(case: Case) -> Iterator[tuple[Point, np.random.Generator]]:
    """A point for each shape that the op takes, and random numbers to go on with."""
    rng = case.rng()
    for shape in node_shapes(case):
        yield node_point(case, shape, rng), rng
