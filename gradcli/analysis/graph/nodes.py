"""The nodes of a graph, from a plan alone: what they read, how deep they lie, what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Final

import numpy as np

from gradcli.analysis.graph.report import GraphNode, Live
from gradcli.core.cost import NOTHING, Cost, Operations
from gradcli.core.op import Activation, Shape
from gradcli.engine.model import INPUTS
from gradcli.spec.plan import LossPlan, Plan, TermPlan

__all__ = ["LossCost", "Skeleton", "nodes_of"]

_LOSS: Final = "loss"


class LossCost:
    """What a loss costs with the mean that is taken of it, and with its weighting if any.

    `values` is how many numbers there are before the mean; `cost` is None where it is not known.
    """

    def __init__(self, plan: LossPlan, shape: Shape) -> None:
        op = plan.op
        rows = prod(shape[:-1])
        groups = len(op.rows_at(plan.options)) if op.couples_rows else 1
        self.values = prod(shape) if op.elementwise else rows // groups
        self.cost = self._cost(plan, op.cost_at(shape, plan.options))

    def _cost(self, plan: LossPlan, own: Cost | None) -> Cost | None:
        if own is None:
            return None
        sums = (self.values - 1) * len(plan.learned)
        forward = own.forward + Operations(elements=self.values)  # the mean, and its weight
        backward = own.backward + Operations(elements=sums)
        if plan.weighting is None:
            return own.replace(forward=forward, backward=backward)
        weighting = plan.weighting.op.cost_at((self.values,), plan.weighting.options)
        if weighting is None:
            return None
        own_values = 0 if weighting.is_view else self.values
        return own.replace(
            forward=forward + weighting.forward,
            backward=backward + weighting.backward,
            kept=own.kept + weighting.kept + own_values,
            scratch=(
                max(own.scratch[0], weighting.scratch[0]),
                max(own.scratch[1], weighting.scratch[1] + self.values),
            ),
        )


class Skeleton:
    """A plan's slots: their shapes and bytes, who reads them, and where their memory is.

    `read_by[slot]` are the nodes that read it, in order, and `ends` the slots that the losses read.
    `gets_gradient[slot]` says that a loss depends on it.
    """

    def __init__(self, plan: Plan) -> None:
        assert plan.inputs is not None
        self.plan = plan
        self.count = len(plan.nodes)
        self.shapes: list[Shape] = [plan.inputs.shape, *(node.shape for node in plan.nodes)]
        self.itemsize = np.dtype(plan.dtype).itemsize
        self.traits = [node.op.layer_traits(node.options) for node in plan.nodes]
        self.bytes = [prod(shape) * self.itemsize for shape in self.shapes]
        self.losses = [LossCost(loss, self.shapes[loss.slot]) for loss in plan.losses]
        self.ends = [loss.slot for loss in plan.losses]
        self.read_by: list[list[int]] = [[] for _ in self.shapes]
        for index, node in enumerate(plan.nodes):
            for slot in node.inputs:
                self.read_by[slot].append(index)

    @cached_property
    def last_read(self) -> list[int]:
        """The last node that reads each slot: that after the network where a loss does.

        What nobody reads is done with as soon as it is there.
        """
        last = [nodes[-1] if nodes else slot - 1 for slot, nodes in enumerate(self.read_by)]
        for slot in self.ends:
            last[slot] = self.count
        return last

    @cached_property
    def gets_gradient(self) -> list[bool]:
        reached = [False] * len(self.shapes)
        for slot in self.ends:
            reached[slot] = True
        for index in range(self.count - 1, -1, -1):
            if reached[index + 1]:
                for slot in self.plan.nodes[index].inputs:
                    reached[slot] = True
        return reached

    @cached_property
    def owner(self) -> list[int]:
        """The slot that has the memory of each: another one's, where it is a view of that."""
        owners = [0]
        for index, node in enumerate(self.plan.nodes):
            view = node.cost is not None and node.cost.is_view
            owners.append(owners[node.inputs[0]] if view else index + 1)
        return owners

    def name(self, slot: int) -> str:
        return self.plan.nodes[slot - 1].name if slot else INPUTS

    def kept(self, cost: Cost | None) -> int:
        """Bytes that a pullback keeps, as far as that is known."""
        return 0 if cost is None else cost.kept * self.itemsize + cost.flags

    def levels(self) -> list[int]:
        """The longest path to each slot, in nodes."""
        levels = [0]
        for node in self.plan.nodes:
            levels.append(1 + max(levels[slot] for slot in node.inputs))
        return levels

    def levels_in_time(self) -> list[int]:
        """The same with a node for each time step of a recurrent layer.

        A step waits for the step before it and for its own input alone, so that layers on a
        sequence run one step behind each other: of each slot this keeps the levels of its first
        and of its last step. What mixes the steps waits for the last.
        """
        first, last = [0], [0]
        for index, (node, traits) in enumerate(zip(self.plan.nodes, self.traits, strict=True)):
            start = max(first[slot] for slot in node.inputs)
            end = 1 + max(last[slot] for slot in node.inputs)
            read, own = self.shapes[node.inputs[0]], self.shapes[index + 1]
            if traits.recurs is not None:
                end = start + read[1]
            apart = len(own) == len(read) == 3 and own[1] == read[1] and not traits.couples_rows
            first.append(start + 1 if apart else end)
            last.append(end)
        return last

    def live(self) -> Live:
        """The most values, and bytes, that are alive while a node is run."""
        until: list[list[int]] = [[] for _ in range(self.count + 1)]
        for slot, last in enumerate(self.last_read):
            until[max(last, 0)].append(slot)
        values, size = 1, self.bytes[0]
        most, at, largest, largest_at = values, INPUTS, size, INPUTS
        for index, node in enumerate(self.plan.nodes):
            values += 1
            size += self.bytes[index + 1]
            if values > most:
                most, at = values, node.name
            if size > largest:
                largest, largest_at = size, node.name
            for slot in until[index]:
                values -= 1
                size -= self.bytes[slot]
        return Live(most, at, largest, largest_at)

    def joins(self) -> list[int]:
        """Additions of each node's pullback to cotangents that are there already."""
        has = [False] * len(self.shapes)
        for slot in self.ends:
            has[slot] = True
        added = [0] * self.count
        for index in range(self.count - 1, -1, -1):
            if has[index + 1]:
                for slot in self.plan.nodes[index].inputs:
                    added[index] += has[slot] * prod(self.shapes[slot])
                    has[slot] = True
        return added


def nodes_of(skeleton: Skeleton) -> tuple[GraphNode, ...]:
    """The inputs, every node, every loss and penalty, and their sum, in topological order."""
    plan = skeleton.plan
    levels, joins = skeleton.levels(), skeleton.joins()
    found = [_input(skeleton)]
    for index, node in enumerate(plan.nodes):
        cost = node.cost
        parameters = sum(prod(plan.parameters[name].shape) for name in node.parameters.values())
        output = 0 if cost is not None and cost.is_view else skeleton.bytes[index + 1]
        reached = skeleton.gets_gradient[index + 1]
        found.append(
            GraphNode(
                name=node.name,
                kind="activation" if isinstance(node.op, Activation) else "layer",
                op=node.op.name,
                reads=tuple(skeleton.name(slot) for slot in node.inputs),
                shape=node.shape,
                parameters=parameters,
                forward=None if cost is None else cost.forward,
                backward=_backward(cost, joins[index] if reached else None),
                memory=output + skeleton.kept(cost),
                level=levels[index + 1],
                line=node.line,
            )
        )
    ends = [_loss(skeleton, position, levels) for position in range(len(plan.losses))]
    ends += [_penalty(skeleton, term) for term in plan.terms]
    return (*found, *ends, *_sum(ends))


def _backward(cost: Cost | None, joined: int | None) -> Operations | None:
    """With what joins several cotangents of one value; nothing where no loss depends on the node.

    None where it is not known.
    """
    if joined is None:
        return NOTHING
    return None if cost is None else cost.backward + Operations(elements=joined)


def _input(skeleton: Skeleton) -> GraphNode:
    return GraphNode(
        INPUTS, "input", "data", (), skeleton.shapes[0], 0, NOTHING, NOTHING, 0, level=0
    )


def _loss(skeleton: Skeleton, position: int, levels: Sequence[int]) -> GraphNode:
    plan = skeleton.plan.losses[position]
    own = skeleton.losses[position]
    cost = own.cost
    learned = sum(prod(skeleton.plan.parameters[name].shape) for name in plan.learned)
    return GraphNode(
        name=_of_loss(plan.name),
        kind="loss",
        op=plan.op.name,
        reads=(skeleton.name(plan.slot),),
        shape=(),
        parameters=learned,
        forward=None if cost is None else cost.forward,
        backward=None if cost is None else cost.backward,
        memory=own.values * skeleton.itemsize + skeleton.kept(cost),
        level=levels[plan.slot] + 1,
        line=plan.line,
    )


def _penalty(skeleton: Skeleton, term: TermPlan) -> GraphNode:
    """A penalty on parameters: what it costs on all of them together."""
    plan = skeleton.plan
    forward = Operations(elements=max(len(term.parameters) - 1, 0))  # one sum of them all
    backward, kept, count = NOTHING, 0, 0
    trained = {
        name
        for index, node in enumerate(plan.nodes)
        if skeleton.gets_gradient[index + 1]
        for name in node.parameters.values()
    }
    for name in term.parameters:
        shape = plan.parameters[name].shape
        cost, size = term.op.cost_at(shape, term.options), prod(shape)
        assert cost is not None
        forward += cost.forward + Operations(elements=size)  # their sum, and its weight
        backward += cost.backward + Operations(elements=size * (name in trained))
        kept += size * skeleton.itemsize + skeleton.kept(cost)
        count += size
    return GraphNode(
        _of_loss(term.name), "penalty", term.op.name, (), (), count, forward, backward, kept, 1,
        term.line,
    )  # fmt: skip


def _sum(ends: Sequence[GraphNode]) -> list[GraphNode]:
    if len(ends) < 2:
        return []
    names = tuple(end.name for end in ends)
    level = 1 + max(end.level for end in ends)
    added = Operations(elements=len(ends) - 1)
    return [GraphNode(_LOSS, "sum", "sum", names, (), 0, added, NOTHING, 0, level)]


def _of_loss(name: str) -> str:
    return name if name.partition(".")[0] == _LOSS else f"{_LOSS}.{name}"
