"""A network changed after it was planned: further nodes, other ops, other weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gradcli.core.op import Buffer, InitializerChoice, NodeOp, Shape
from gradcli.core.record import Record
from gradcli.core.registry import CATALOGUE
from gradcli.spec.layout import plan_parameter
from gradcli.spec.plan import NodePlan, ParameterPlan, Plan

__all__ = ["Insertion", "with_initializers", "with_insertions", "with_op"]


class Insertion(Record):
    """A node to put behind another, in place of which it is read from then on.

    `inputs` are slots of the network as it was, the one that the other node writes among them.
    """

    op: NodeOp
    options: Mapping[str, Any]
    inputs: tuple[int, ...]


class _Made(Record):
    """A node with what it learns and is given."""

    node: NodePlan
    parameters: dict[str, ParameterPlan]
    buffers: dict[str, Buffer]


def with_insertions(plan: Plan, insertions: Mapping[int, Insertion]) -> Plan:
    """The plan with a further node behind each of some nodes, by their index.

    Raises ValueError, saying why, where a node cannot read what it is given.
    """
    nodes: list[NodePlan] = []
    parameters, buffers = dict(plan.parameters), dict(plan.buffers)
    places = {0: 0}
    for index, node in enumerate(plan.nodes):
        nodes.append(node.replace(inputs=tuple(places[slot] for slot in node.inputs)))
        places[index + 1] = len(nodes)
        new = insertions.get(index)
        if new is not None:
            read = tuple(_shape(plan, slot) for slot in new.inputs)
            inputs = tuple(places[slot] for slot in new.inputs)
            name = f"{node.name}.{new.op.name}"
            made = _made(name, new.op, new.options, inputs, read, node.line)
            nodes.append(made.node)
            parameters.update(made.parameters)
            buffers.update(made.buffers)
            places[index + 1] = len(nodes)
    return plan.replace(
        nodes=tuple(nodes),
        losses=tuple(loss.replace(slot=places[loss.slot]) for loss in plan.losses),
        outputs={name: places[slot] for name, slot in plan.outputs.items()},
        parameters=parameters,
        buffers=buffers,
    )


def with_op(plan: Plan, indices: Collection[int], op: NodeOp, options: Mapping[str, Any]) -> Plan:
    """The plan with another op, of the same output shape, in place of those at some nodes."""
    nodes = list(plan.nodes)
    parameters, buffers = dict(plan.parameters), dict(plan.buffers)
    for index in indices:
        node = nodes[index]
        for full in node.parameters.values():
            del parameters[full]
        for full in node.buffers.values():
            del buffers[full]
        read = tuple(_shape(plan, slot) for slot in node.inputs)
        made = _made(node.name, op, options, node.inputs, read, node.line)
        nodes[index] = made.node
        parameters.update(made.parameters)
        buffers.update(made.buffers)
    return plan.replace(nodes=tuple(nodes), parameters=parameters, buffers=buffers)


def with_initializers(plan: Plan, initializers: Mapping[str, InitializerChoice]) -> Plan:
    """The plan with some of its parameters drawn in another way."""
    parameters = {
        name: own.replace(init=initializers[name], drawn_as="") if name in initializers else own
        for name, own in plan.parameters.items()
    }
    return plan.replace(parameters=parameters)


def _shape(plan: Plan, slot: int) -> Shape:
    assert plan.inputs is not None
    return plan.nodes[slot - 1].shape if slot else plan.inputs.shape


def _made(
    name: str,
    op: NodeOp,
    options: Mapping[str, Any],
    inputs: tuple[int, ...],
    read: tuple[Shape, ...],
    line: int,
) -> _Made:
    shape = op.output_shape(read, options)
    learned, held = op.learned(read[0], options), op.buffered(read[0], options)
    node = NodePlan(
        name,
        op,
        options,
        inputs,
        {local: f"{name}.{local}" for local in learned},
        shape,
        len(read[0]),
        line,
        {local: f"{name}.{local}" for local in held},
        op.cost_at(read[0], options),
    )
    parameters = {
        node.parameters[local]: plan_parameter(
            node.parameters[local], own, options, line, CATALOGUE
        )
        for local, own in learned.items()
    }
    return _Made(node, parameters, {node.buffers[local]: buffer for local, buffer in held.items()})
