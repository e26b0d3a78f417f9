"""What would mend a gradient's flow over time: other weights between the steps, and gates."""

from __future__ import annotations

from collections.abc import Iterator

from gradcli.analysis.flow.remedies import Change, initializer
from gradcli.core.op import Layer
from gradcli.core.registry import CATALOGUE
from gradcli.spec.plan import Plan
from gradcli.spec.rewrite import with_initializers, with_op

__all__ = ["changes_over_time"]


def changes_over_time(plan: Plan, index: int) -> Iterator[Change]:
    """Changes to one recurrent layer: an orthogonal W_hh, and the other recurrent layers."""
    node = plan.nodes[index]
    recurs = node.op.layer_traits(node.options).recurs
    assert recurs is not None
    full = node.parameters[recurs]
    if full not in plan.weights and plan.parameters[full].init.op.name != "orthogonal":
        yield Change(
            "init of the recurrent weights: orthogonal",
            with_initializers(plan, {full: initializer("orthogonal")}),
        )
    if any(name in plan.weights for name in node.parameters.values()):
        return
    for op in CATALOGUE.all(Layer):
        own = op.defaults()
        if op is node.op or op.param("units") is None or op.param("output") is None:
            continue
        options = {
            **own,
            "units": node.options["units"],
            "output": node.options["output"],
            **{
                param.name: initializer(own[param.name])
                for param in op.params
                if param.kind == "initializer"
            },
        }
        yield Change(f"{op.name} for {node.op.name}", with_op(plan, [index], op, options))
