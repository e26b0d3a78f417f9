"""Reading `loss`: one loss, the tasks of several heads, or a weighted sum with penalties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from gradcli.core.op import Buffer, Learned, Loss, OutputTerm, Term, Weighting
from gradcli.core.record import Record
from gradcli.spec.fields import INVALID, Context, read_value
from gradcli.spec.heads import Heads
from gradcli.spec.layout import Copy, Layout, plan_parameter
from gradcli.spec.nodes import Node
from gradcli.spec.plan import LossPlan, ParameterPlan, TermPlan, WeightingPlan
from gradcli.spec.read_data import targets_of
from gradcli.spec.read_ops import Call, read_call
from gradcli.spec.read_tasks import WEIGHT, task_reader

__all__ = ["SUM", "Losses", "Summand", "noisy_copy", "plan_losses", "plan_terms", "read_loss"]

SUM: Final = "sum"
"""What a weighted sum is called in a spec."""


class Summand(Record):
    """A loss or penalty with its weight, and a name that no other summand has.

    The loss of a task has its `head`, and is weighted by what `weighting` calls.
    """

    name: str
    call: Call
    weight: float
    head: str | None = None
    weighting: Call | None = None

    @property
    def op(self) -> Any:
        return self.call.op


def read_loss(node: Node, heads: Heads, context: Context) -> list[Summand]:
    """The summands that could be read; a loss alone is one of weight 1."""
    if node.is_mapping and len(node.value) == 1:
        ((name, inner),) = node.value.items()
        if name == SUM:
            return _sum(inner, heads, context)
    readers = {"losses": task_reader(heads, context)}
    call = read_call(node, "a loss", context, (Loss, Weighting), readers=readers, names=(SUM,))
    return [] if call is None else _summands(call, call.op.name, 1.0, heads, context)


def _summands(
    call: Call, name: str, weight: float, heads: Heads, context: Context
) -> list[Summand]:
    """What an entry stands for: itself, or the losses of its tasks."""
    if isinstance(call.op, Weighting):
        return [
            Summand(f"loss.{head}", task.call, weight * task.weight, head, call)
            for head, task in call.options[call.op.holds_tasks].items()
        ]
    if isinstance(call.op, Loss) and heads is not None and len(heads) > 1:
        weightings = " or ".join(context.catalogue.names(Weighting))
        context.problems.add(
            "SP009",
            f"{call.op.name} reads one output, and the network has {len(heads)} heads",
            call.node,
            hint=""
            if isinstance(call.op, OutputTerm)
            else f"write it as a task of {weightings}, one for each of {', '.join(heads)}",
            place=call.place,
        )
        return []
    return [Summand(name, call, weight)]


def _sum(node: Node, heads: Heads, context: Context) -> list[Summand]:
    if not node.is_list or not node.value:
        hint = "expected a list of losses and penalties"
        context.problems.add("SP009", f"{SUM} cannot be {node}", node, hint=hint)
        return []
    counts: Counter[str] = Counter()
    summands: list[Summand] = []
    for child in node.value:
        readers = {"losses": task_reader(heads, context)}
        classes, extra = (Loss, Weighting, Term, OutputTerm), (WEIGHT.name,)
        what = "a loss or penalty"
        call = read_call(child, what, context, classes, extra=extra, readers=readers)
        if call is None:
            continue
        weight = _weight(call, context)
        counts[call.op.name] += 1
        number = counts[call.op.name]
        name = call.op.name if number == 1 else f"{call.op.name}_{number}"
        if isinstance(call.op, Weighting) and any(other.head for other in summands):
            message = f"the heads have their tasks already; {call.op.name} stands once"
            context.problems.add("SP011", message, child, place=call.place)
        elif weight is not INVALID:
            summands += _summands(call, name, weight, heads, context)
    return summands


def noisy_copy(summands: list[Summand], context: Context) -> Copy | None:
    """The copy of the batch that a summand asks for; a second one is a problem."""
    asking = [each for each in summands if isinstance(each.op, OutputTerm) and each.op.noise]
    for other in asking[1:]:
        message = f"{other.op.name} stands once, since it doubles the batch"
        context.problems.add("SP011", message, other.call.node, place=other.call.place)
    if not asking:
        return None
    call = asking[0].call
    return Copy(call.options[asking[0].op.noise], call.node)


def _weight(call: Call, context: Context) -> Any:
    node = call.extra.get(WEIGHT.name)
    if node is not None:
        return read_value(node, WEIGHT, context.problems)
    if isinstance(call.op, (Term, OutputTerm)):
        usual = "1.0e-4" if isinstance(call.op, Term) else "0.1"
        hint = f"write `{call.op.name}: {{weight: {usual}}}`"
        context.problems.add(
            "SP008", f"{call.op.name} needs a weight", call.node, hint=hint, place=call.place
        )
        return INVALID
    return WEIGHT.default


class Losses(Record):
    """The losses among the summands, as written too, and their parameters and buffers."""

    plans: tuple[LossPlan, ...] = ()
    calls: tuple[Call, ...] = ()
    parameters: Mapping[str, ParameterPlan] = MappingProxyType({})
    buffers: Mapping[str, Buffer] = MappingProxyType({})


def plan_losses(
    summands: list[Summand], layout: Layout, with_targets: Collection[str], context: Context
) -> Losses:
    """The losses among the summands; `with_targets` names the targets that there are."""
    losses = [summand for summand in summands if isinstance(summand.op, Loss)]
    plans = []
    parameters: dict[str, ParameterPlan] = {}
    buffers: dict[str, Buffer] = {}

    def learn(call: Call, named: str) -> dict[str, str]:
        op: Any = call.op
        values = {} if op.weights is None else op.weights(**call.options)
        names = {local: named.format(local) for local in values}
        for local, full in names.items():
            own, line = Learned((1,), values[local]), call.place.line
            if full in parameters:
                message = f"two parameters of the loss are called {full}"
                context.problems.add("SP011", message, call.node, place=call.place)
            parameters[full] = plan_parameter(full, own, call.options, line, context.catalogue)
        return names

    for summand in losses:
        call, weighting = summand.call, summand.weighting
        named = f"loss.{summand.name}.{{}}" if len(losses) > 1 else "loss.{}"
        if weighting is not None:
            named = f"{summand.name}.{{}}"
        output = summand.head or next(iter(layout.outputs))
        slot = layout.change if isinstance(summand.op, OutputTerm) and summand.op.noise else None
        shape = layout.shapes[layout.outputs[output]]
        held = {} if shape is None else summand.op.buffered(shape, call.options)
        buffers.update({named.format(local): buffer for local, buffer in held.items()})
        target = targets_of(output)
        reads_none = summand.op.reads_at(call.options) == "none"
        plans.append(
            LossPlan(
                summand.name,
                summand.op,
                call.options,
                layout.outputs[output] if slot is None else slot,
                None if reads_none or target not in with_targets else target,
                summand.weight,
                learn(call, named),
                call.place.line,
                None if weighting is None else _plan_weighting(weighting, learn, output),
                {local: named.format(local) for local in held},
            )
        )
    return Losses(tuple(plans), tuple(each.call for each in losses), parameters, buffers)


def _plan_weighting(
    call: Call, learn: Callable[[Call, str], dict[str, str]], head: str
) -> WeightingPlan:
    op: Any = call.op
    options = {name: value for name, value in call.options.items() if name != op.holds_tasks}
    return WeightingPlan(op, options, learn(call, f"loss.{{}}.{head}"))


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
