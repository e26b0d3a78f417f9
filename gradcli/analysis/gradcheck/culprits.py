"""Where a wrong gradient comes from: each node's pullback alone, at its operating point.

A node is cut out with its inputs, its parameters and a random cotangent, which makes a network of
one node; that is checked like any other. Nodes that fail are culprits. A tensor that is wrong
although no culprit computes its gradient is wrong as their consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.core.arrays import Array, Cotangents, Parameters, Pullback
from gradcli.core.op import Initializer, InitializerChoice, Loss, NodeOp, Op, Options
from gradcli.core.traits import LayerTraits
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.model import INPUTS, Model, generator
from gradcli.spec.plan import (
    ArrayPlan,
    LossPlan,
    NodePlan,
    ParameterPlan,
    Plan,
    WeightingPlan,
)

__all__ = ["Culprit", "explain_failures", "find_culprits"]


@dataclass(frozen=True)
class Culprit:
    """A node, a loss or a weighting whose own pullback is wrong.

    `slot` is the slot that a node writes, or that a loss reads; `operands` are the network's
    tensors whose gradient it makes wrong itself.
    """

    name: str
    op: Op
    slot: int
    operands: frozenset[str]
    findings: tuple[Finding, ...]


def find_culprits(model: Model, options: CheckOptions, required: float) -> list[Culprit]:
    """Every node and loss of a network whose pullback alone is proven wrong."""
    found = []
    slots = model.forward().slots
    for index, node in enumerate(model.plan.nodes):
        alone = _node_alone(model, index, slots, options.seed)
        found.append(_examined(alone, node.name, node.op, index + 1, node, options, required))
    for position, loss in enumerate(model.plan.losses):
        alone = _loss_alone(model, loss, slots)
        found.append(_examined(alone, loss.name, loss.op, loss.slot, loss, options, required))
        if loss.weighting is not None:
            values, _, _ = model.network.run_loss(position, loss, slots, model.parameters)
            weighting = _weighting_as_loss(loss.weighting, loss)
            alone = _loss_alone(model, weighting, [values])
            own = weighting.name, loss.weighting.op, loss.slot
            found.append(_examined(alone, *own, weighting, options, required))
    return [culprit for culprit in found if culprit is not None]


def explain_failures(
    plan: Plan, culprits: list[Culprit], failures: Mapping[str, list[Finding]]
) -> list[Finding]:
    """Findings of failing tensors, consequences marked as such, after those of the culprits."""
    findings = [found for culprit in culprits for found in culprit.findings]
    for name, own in failures.items():
        causes = [culprit.name for culprit in culprits if _is_behind(culprit, name, plan)]
        if any(name in culprit.operands for culprit in culprits):
            continue
        if not causes:
            findings += own
            continue
        names = " and ".join(causes) if len(causes) < 3 else f"{len(causes)} nodes behind it"
        message = f"wrong only because the gradient passes through {names}"
        line = own[0].line if own else 0
        findings.append(finding("GC204", name, message, line=line, data={"culprits": causes}))
    return findings


def _is_behind(culprit: Culprit, name: str, plan: Plan) -> bool:
    """Whether a tensor's gradient passes through a culprit that does not read the tensor itself."""
    reading = {i + 1 for i, node in enumerate(plan.nodes) if name in node.parameters.values()}
    reached = {0} if name == INPUTS else set(reading)
    for index, node in enumerate(plan.nodes):
        if reached.intersection(node.inputs):
            reached.add(index + 1)
    own = reading if isinstance(culprit.op, NodeOp) else ()
    return culprit.slot in reached.difference(own)


def _examined(
    alone: Model,
    name: str,
    op: Op,
    slot: int,
    part: NodePlan | LossPlan,
    options: CheckOptions,
    required: float,
) -> Culprit | None:
    network = NetworkTensors(alone, options.replace(only=(), skip=(), wrt="all", entries=None))
    errors: list[Finding] = []
    operands = set()
    for tensor, kind in network.names():
        result, findings, _ = examine(network.subject(tensor, kind), options, required)
        if result.verdict != "fail":
            continue
        operand = "its input" if tensor == INPUTS else tensor
        operands.add(part.parameters.get(tensor, tensor))
        for found in findings:
            if found.severity == "error":
                message = f"{op.name}'s own pullback, with respect to {operand}: {found.message}"
                data = {**found.data, "op": op.name, "operand": tensor}
                errors.append(found.replace(where=name, message=message, line=part.line, data=data))
    if not errors:
        return None
    return Culprit(name, op, slot, frozenset(operands - {INPUTS}), tuple(errors))


def _node_alone(model: Model, index: int, slots: list[Array], seed: int) -> Model:
    """A network of one node; its further inputs count as parameters."""
    node = model.plan.nodes[index]
    x, *others = (slots[slot] for slot in node.inputs)
    extra = {f"input_{position}": value for position, value in enumerate(others, 2)}
    own = {local: model.parameters[full] for local, full in node.parameters.items()}
    buffers = {full: model.buffers[full] for full in node.buffers.values()}
    op = node.op if not extra else _Wired(name=node.op.name, function=len, inner=node.op,
                                          extra=tuple(extra))  # fmt: skip
    cotangent = generator(seed, f"cotangent of {node.name}").standard_normal(node.shape)
    single = node.replace(op=op, inputs=(0,), parameters={name: name for name in (*own, *extra)})
    return _model(
        model,
        x,
        {"cotangent": cotangent.astype(model.dtype)},
        {**own, **extra},
        buffers,
        (single,),
        LossPlan(node.name, _PROJECTION, {}, 1, "cotangent"),
    )


def _loss_alone(model: Model, loss: LossPlan, slots: list[Array]) -> Model:
    targets = {} if loss.target is None else {loss.target: model.targets[loss.target]}
    own = {local: model.parameters[full] for local, full in loss.parameters.items()}
    single = loss.replace(slot=0, parameters={name: name for name in own}, weighting=None)
    return _model(model, slots[loss.slot], targets, own, {}, (), single)


def _weighting_as_loss(weighting: WeightingPlan, loss: LossPlan) -> LossPlan:
    """A task's weighting as a loss that reads the values of the task's own."""
    op = Loss(name=weighting.op.name, function=weighting.op.function)
    name = f"{op.name}.{loss.name.removeprefix('loss.')}"
    return LossPlan(
        name, op, weighting.options, 0, None, loss.weight, weighting.parameters, loss.line
    )


def _model(
    model: Model,
    x: Array,
    targets: Mapping[str, Array],
    parameters: Mapping[str, Array],
    buffers: Mapping[str, Array],
    nodes: tuple[NodePlan, ...],
    loss: LossPlan,
) -> Model:
    plan = model.plan
    plans = {name: ParameterPlan(name, value.shape, _GIVEN) for name, value in parameters.items()}
    alone = plan.replace(
        inputs=ArrayPlan(x.shape, x),
        targets={name: ArrayPlan(value.shape, value) for name, value in targets.items()},
        nodes=nodes,
        outputs={"outputs": len(nodes)},
        losses=(loss,),
        terms=(),
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
