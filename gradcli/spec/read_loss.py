"""Reading `loss`: one loss, or a weighted sum of losses and penalties."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from gradcli.core.op import Learned, Loss, Term
from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.spec.fields import INVALID, Context, read_value
from gradcli.spec.layout import OUTPUTS, Layout, plan_parameter
from gradcli.spec.nodes import Node
from gradcli.spec.plan import LossPlan, ParameterPlan, TermPlan
from gradcli.spec.read_ops import Call, read_call

__all__ = ["MULTI_TASK", "SUM", "TARGETS", "Summand", "plan_losses", "plan_terms", "read_loss"]

SUM: Final = "sum"
"""What a weighted sum is called in a spec."""

MULTI_TASK: Final = "multi_task"

TARGETS: Final = "targets"
"""What the targets of a network without heads are called."""

_WEIGHT: Final = Param("weight", 1.0)


class Summand(Record):
    """A loss or penalty with its weight, and a name that no other summand has."""

    name: str
    call: Call
    weight: float

    @property
    def op(self) -> Any:
        return self.call.op


def read_loss(node: Node, context: Context) -> list[Summand]:
    """The summands that could be read; a loss alone is one of weight 1."""
    if node.is_mapping and len(node.value) == 1:
        ((name, inner),) = node.value.items()
        if name == SUM:
            return _sum(inner, context)
        if name == MULTI_TASK and context.catalogue.find(name, Loss) is None:
            context.problems.add(
                "SP020", "losses of several heads are not available yet", inner, at_key=True
            )
            return []
    call = read_call(node, "a loss", context, (Loss,), names=(SUM,))
    return [] if call is None else [Summand(call.op.name, call, 1.0)]


def _sum(node: Node, context: Context) -> list[Summand]:
    if not node.is_list or not node.value:
        hint = "expected a list of losses and penalties"
        context.problems.add("SP009", f"{SUM} cannot be {node}", node, hint=hint)
        return []
    counts: Counter[str] = Counter()
    summands = []
    for child in node.value:
        call = read_call(child, "a loss or penalty", context, (Loss, Term), extra=("weight",))
        if call is None:
            continue
        weight = _weight(call, context)
        counts[call.op.name] += 1
        number = counts[call.op.name]
        name = call.op.name if number == 1 else f"{call.op.name}_{number}"
        if weight is not INVALID:
            summands.append(Summand(name, call, weight))
    return summands


def _weight(call: Call, context: Context) -> Any:
    node = call.extra.get("weight")
    if node is not None:
        return read_value(node, _WEIGHT, context.problems)
    if isinstance(call.op, Term):
        hint = f"write `{call.op.name}: {{weight: 1.0e-4}}`"
        context.problems.add(
            "SP008", f"{call.op.name} needs a weight", call.node, hint=hint, place=call.place
        )
        return INVALID
    return _WEIGHT.default


def plan_losses(
    summands: list[Summand], layout: Layout, has_targets: bool, context: Context
) -> tuple[tuple[LossPlan, ...], list[Call], dict[str, ParameterPlan]]:
    """The losses among the summands, as written too, and the parameters that they learn."""
    losses = [summand for summand in summands if isinstance(summand.op, Loss)]
    plans = []
    parameters: dict[str, ParameterPlan] = {}
    for summand in losses:
        op, line = summand.op, summand.call.place.line
        prefix = "loss" if len(losses) == 1 else f"loss.{summand.name}"
        learned = {} if op.weights is None else op.weights(**summand.call.options)
        names = {name: f"{prefix}.{name}" for name in learned}
        for name, value in learned.items():
            parameters[names[name]] = plan_parameter(
                names[name], Learned((1,), value), summand.call.options, line, context
            )
        target = None if op.reads == "none" or not has_targets else TARGETS
        plans.append(
            LossPlan(
                summand.name,
                op,
                summand.call.options,
                layout.outputs[OUTPUTS],
                target,
                summand.weight,
                names,
                line,
            )
        )
    return tuple(plans), [summand.call for summand in losses], parameters


def plan_terms(summands: list[Summand], layout: Layout) -> tuple[TermPlan, ...]:
    """The penalties among the summands, each on every parameter with two or more axes."""
    matrices = tuple(name for name, plan in layout.parameters.items() if len(plan.shape) > 1)
    return tuple(
        TermPlan(
            summand.name,
            summand.op,
            summand.call.options,
            summand.weight,
            matrices,
            summand.call.place.line,
        )
        for summand in summands
        if isinstance(summand.op, Term)
    )
