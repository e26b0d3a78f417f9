"""A network with several heads as one chain for each: the way that each task's gradient takes."""

from __future__ import annotations

from gradcli.spec.plan import Plan

__all__ = ["by_head"]


def by_head(plan: Plan) -> dict[str | None, Plan]:
    """The plan of each head's own loss, with only the nodes that it depends on; None: no heads."""
    if len(plan.outputs) < 2:
        return {None: plan}
    return {head: _plan_of(plan, head) for head in plan.outputs}


def _plan_of(plan: Plan, head: str) -> Plan:
    end = plan.outputs[head]
    needed = {end}
    for index in reversed(range(len(plan.nodes))):
        if index + 1 in needed:
            needed.update(plan.nodes[index].inputs)
    kept = [index for index in range(len(plan.nodes)) if index + 1 in needed]
    places = {0: 0, **{index + 1: place for place, index in enumerate(kept, 1)}}
    nodes = [plan.nodes[index] for index in kept]
    losses = [loss for loss in plan.losses if loss.slot == end]
    read = {loss.target for loss in losses}
    return plan.replace(
        nodes=tuple(
            node.replace(inputs=tuple(places[slot] for slot in node.inputs)) for node in nodes
        ),
        losses=tuple(loss.replace(slot=places[end]) for loss in losses),
        targets={name: target for name, target in plan.targets.items() if name in read},
        outputs={head: places[end]},
    )
