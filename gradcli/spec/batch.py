"""A plan for another number of rows: the same network and loss, on a batch of the data."""

from __future__ import annotations

from gradcli.core.op import Buffer, Shape
from gradcli.spec.plan import ArrayPlan, NodePlan, Plan

__all__ = ["with_rows"]


def with_rows(plan: Plan, rows: int) -> Plan:
    """The plan with `rows` rows of inputs, whose values, like the targets, are left to the caller.

    Shapes and buffers are worked out anew, as for a spec. Raises ValueError, saying why, where the
    network cannot take so many rows.
    """
    assert plan.inputs is not None
    if rows == plan.inputs.shape[0]:
        return plan
    shapes: list[Shape] = [(rows, *plan.inputs.shape[1:])]
    nodes: list[NodePlan] = []
    buffers: dict[str, Buffer] = dict(plan.buffers)
    for node in plan.nodes:
        read = tuple(shapes[slot] for slot in node.inputs)
        op = node.op.placed(node.name, read[0], node.options)
        shapes.append(op.output_shape(read, node.options))
        held = op.buffered(read[0], node.options)
        buffers |= {full: held[name] for name, full in node.buffers.items()}
        cost = op.cost_at(read[0], node.options)
        nodes.append(node.replace(op=op, shape=shapes[-1], cost=cost))
    for loss in plan.losses:
        held = loss.op.buffered(shapes[loss.slot], loss.options)
        buffers |= {full: held[name] for name, full in loss.buffers.items()}
    weights = {name: w for name, w in plan.weights.items() if name in plan.parameters}
    weights |= {
        name: w
        for name, w in plan.weights.items()
        if name in buffers and w.shape == buffers[name].shape
    }
    return plan.replace(
        inputs=ArrayPlan(shapes[0]),
        targets={},
        nodes=tuple(nodes),
        buffers=buffers,
        weights=weights,
    )
