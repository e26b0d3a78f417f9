"""The parts of a network, each cut out to be looked at alone.

A node is cut out with its inputs, its parameters and a random cotangent, which makes a network of
one node; a loss is one already, and so is a penalty with its parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Parameters, Pullback
from gradcli.core.op import Initializer, InitializerChoice, Loss, NodeOp, Op, Options
from gradcli.core.record import Record
from gradcli.core.traits import LayerTraits
from gradcli.engine.model import INPUTS, Model, generator
from gradcli.spec.plan import (
    ArrayPlan,
    LossPlan,
    NodePlan,
    ParameterPlan,
    Plan,
    TermPlan,
    WeightingPlan,
)

__all__ = ["COTANGENT", "Part", "parts_of", "weighting_name"]

COTANGENT = "cotangent"
"""The target that a node alone is projected on."""

PartPlan = NodePlan | LossPlan | TermPlan
PartKind = Literal["node", "loss", "weighting", "term"]
AnyPlan = TypeVar("AnyPlan", bound=Record)


class Part(Record):
    """One node, loss, weighting of a loss, or term of a network: `index` is its place among these.

    `operands` maps the tensors of the part alone to those of the network; `inputs` are those among
    them that are its inputs, which go by the node they come from, or `inputs`. `shared` are the
    operands to whose gradient other parts contribute too, or that are one of several inputs.
    """

    kind: PartKind
    index: int
    plan: PartPlan
    operands: Mapping[str, str]
    inputs: frozenset[str]
    shared: frozenset[str]
    alone: Model

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def op(self) -> Op:
        return self.plan.op

    def alone_with(self, op: Any) -> Model:
        """The part alone with another op of its kind in its place."""
        plan = self.alone.plan
        if self.kind == "node":
            (node,) = plan.nodes
            inner = node.op.replace(inner=op) if isinstance(node.op, _Wired) else op
            return self.alone.with_plan(plan.replace(nodes=(node.replace(op=inner),)))
        if self.kind == "term":
            return self.alone.with_plan(plan.replace(terms=(plan.terms[0].replace(op=op),)))
        return self.alone.with_plan(plan.replace(losses=(plan.losses[0].replace(op=op),)))

    def network_with(self, plan: Plan, op: Any) -> Plan:
        """The whole network's plan with another op of its kind in the part's place."""
        if self.kind == "node":
            return plan.replace(nodes=_replaced(plan.nodes, self.index, op=op))
        if self.kind == "term":
            return plan.replace(terms=_replaced(plan.terms, self.index, op=op))
        if self.kind == "loss":
            return plan.replace(losses=_replaced(plan.losses, self.index, op=op))
        weighting = plan.losses[self.index].weighting
        assert weighting is not None
        weighting = weighting.replace(op=weighting.op.replace(function=op.function))
        return plan.replace(losses=_replaced(plan.losses, self.index, weighting=weighting))


def _replaced(parts: tuple[AnyPlan, ...], index: int, **changes: Any) -> tuple[AnyPlan, ...]:
    return (*parts[:index], parts[index].replace(**changes), *parts[index + 1 :])


def _further_input(position: int) -> str:
    """What the input at a position (from 2 on) of a node is called when it is alone."""
    return f"input_{position}"


def weighting_name(loss: LossPlan) -> str:
    """What the weighting of a task's loss is called; empty where there is none."""
    if loss.weighting is None:
        return ""
    return f"{loss.weighting.op.name}.{loss.name.removeprefix('loss.')}"


def parts_of(model: Model, seed: int) -> Iterator[Part]:
    """Every node, loss, weighting and term of a network at its operating point."""
    plan = model.plan
    slots = model.forward().slots
    shared = _Shared(plan)
    for index, node in enumerate(plan.nodes):
        first, *further = node.inputs
        read = {INPUTS: first}
        read |= {_further_input(position): slot for position, slot in enumerate(further, 2)}
        alone = _node_alone(model, node, slots, seed)
        yield shared.part("node", index, node, alone, read, node.parameters)
    for index, loss in enumerate(plan.losses):
        alone = _loss_alone(model, loss, slots[loss.slot])
        yield shared.part("loss", index, loss, alone, {INPUTS: loss.slot}, loss.parameters)
        if loss.weighting is not None:
            own = _weighting_as_loss(loss.weighting, loss)
            values, _, _ = model.network.run_loss(index, loss, slots, model.parameters)
            alone = _loss_alone(model, own, values)
            yield shared.part("weighting", index, own, alone, {INPUTS: loss.slot}, own.parameters)
    for index, term in enumerate(plan.terms):
        names = {name: name for name in term.parameters}
        yield shared.part("term", index, term, _term_alone(model, term), {}, names)


class _Shared:
    """How many parts of a network contribute to the gradient of each slot and parameter."""

    def __init__(self, plan: Plan) -> None:
        self._sources = [INPUTS, *(node.name for node in plan.nodes)]
        self._readers = Counter(slot for node in plan.nodes for slot in node.inputs)
        self._readers.update(loss.slot for loss in plan.losses)
        self._users = Counter(name for node in plan.nodes for name in node.parameters.values())
        self._users.update(name for loss in plan.losses for name in loss.learned)
        self._users.update(name for term in plan.terms for name in term.parameters)

    def part(
        self,
        kind: PartKind,
        index: int,
        own: PartPlan,
        alone: Model,
        read: Mapping[str, int],
        learned: Mapping[str, str],
    ) -> Part:
        joins = len(read) > 1
        shared = {local for local, slot in read.items() if joins or self._readers[slot] > 1}
        shared |= {local for local, name in learned.items() if self._users[name] > 1}
        operands = {**{local: self._sources[slot] for local, slot in read.items()}, **learned}
        return Part(kind, index, own, operands, frozenset(read), frozenset(shared), alone)


def _node_alone(model: Model, node: NodePlan, slots: list[Array], seed: int) -> Model:
    """A network of one node; its further inputs count as parameters."""
    x, *others = (slots[slot] for slot in node.inputs)
    extra = {_further_input(position): value for position, value in enumerate(others, 2)}
    own = {local: model.parameters[full] for local, full in node.parameters.items()}
    op = node.op
    if extra:
        op = _Wired(name=op.name, function=len, inner=op, extra=tuple(extra))
    cotangent = generator(seed, f"cotangent of {node.name}").standard_normal(node.shape)
    single = node.replace(op=op, inputs=(0,), parameters={name: name for name in (*own, *extra)})
    return _model(
        model,
        x,
        {COTANGENT: cotangent.astype(model.dtype)},
        {**own, **extra},
        {full: model.buffers[full] for full in node.buffers.values()},
        nodes=(single,),
        losses=(LossPlan(node.name, _PROJECTION, {}, 1, COTANGENT),),
    )


def _loss_alone(model: Model, loss: LossPlan, p: Array) -> Model:
    targets = {} if loss.target is None else {loss.target: model.targets[loss.target]}
    own = {local: model.parameters[full] for local, full in loss.parameters.items()}
    single = loss.replace(slot=0, parameters={name: name for name in own}, weighting=None)
    held = {full: model.buffers[full] for full in loss.buffers.values()}
    return _model(model, p, targets, own, held, losses=(single,))


def _weighting_as_loss(weighting: WeightingPlan, loss: LossPlan) -> LossPlan:
    """A task's weighting as a loss that reads the values of the task's own."""
    op = Loss(name=weighting.op.name, function=weighting.op.function)
    return LossPlan(
        weighting_name(loss),
        op,
        weighting.options,
        loss.slot,
        None,
        loss.weight,
        weighting.parameters,
        loss.line,
    )


def _term_alone(model: Model, term: TermPlan) -> Model:
    own = {name: model.parameters[name] for name in term.parameters}
    return _model(model, np.zeros((1, 1), model.dtype), {}, own, terms=(term,))


def _model(
    model: Model,
    x: Array,
    targets: Mapping[str, Array],
    parameters: Mapping[str, Array],
    buffers: Mapping[str, Array] = MappingProxyType({}),
    *,
    nodes: tuple[NodePlan, ...] = (),
    losses: tuple[LossPlan, ...] = (),
    terms: tuple[TermPlan, ...] = (),
) -> Model:
    plan = model.plan
    plans = {name: ParameterPlan(name, value.shape, _GIVEN) for name, value in parameters.items()}
    alone = plan.replace(
        inputs=ArrayPlan(x.shape, x),
        targets={name: ArrayPlan(value.shape, value) for name, value in targets.items()},
        nodes=nodes,
        outputs={"outputs": len(nodes)},
        losses=losses,
        terms=terms,
        parameters=plans,
        buffers={name: plan.buffers[name] for name in buffers},
        weights={**parameters, **buffers},
        definitions=(),
    )
    return Model(alone, model.dtype.name)


class _Wired(NodeOp, kw_only=True):
    """An op of several inputs as one of a single input; the others come as parameters."""

    kind: ClassVar[str] = "layer"
    inner: NodeOp
    extra: tuple[str, ...]

    def layer_traits(self, options: Options) -> LayerTraits:
        traits = self.inner.layer_traits(options)
        return LayerTraits(couples_rows=traits.couples_rows)

    def evaluate(
        self, inputs: tuple[Array, ...], parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        others = tuple(parameters[name] for name in self.extra)
        own = {name: value for name, value in parameters.items() if name not in self.extra}
        y, pull = self.inner.evaluate((*inputs, *others), own, rank, options)

        def pullback(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
            (dx, *rest), cotangents = pull(g)
            return (dx,), {**cotangents, **dict(zip(self.extra, rest, strict=True))}

        return y, pullback


def _projection(p: Array, y: Array) -> tuple[Array, Callable[[Array], Array]]:
    """⟨cotangent, p⟩, entry by entry: a loss that hands a node its cotangent."""
    return p * y, lambda g: g * y


_PROJECTION = Loss(name="projection", function=_projection)
_GIVEN = InitializerChoice(Initializer(name="given", function=_projection), {})
"""For parameters whose values are all given, so that none is drawn."""
