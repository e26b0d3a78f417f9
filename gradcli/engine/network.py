"""A planned network run forward and backward: one loop over its nodes, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from gradcli.core.arrays import Array, Cotangents, Parameters, Pullback, rows
from gradcli.core.branches import FixedBranch, fixed_branches
from gradcli.core.op import Activation, Shape
from gradcli.core.record import Record
from gradcli.engine.patches import Patch, Planes
from gradcli.engine.summands import (
    LossValue,
    Summand,
    add_to,
    loss_pullback,
    term_pullback,
)
from gradcli.engine.watch import Place, Watch
from gradcli.spec.plan import LossPlan, Plan, WeightingPlan

__all__ = ["Network", "Trace"]


@dataclass(eq=False, repr=False)
class Trace:
    """What a forward pass leaves: the value of every slot and the pullback of every node run."""

    slots: list[Array]
    pullbacks: dict[int, Pullback]


class _Call(Record):
    """Arguments for the function of a loss, and the number of own axes of its values."""

    arguments: tuple[Array, ...]
    named: Mapping[str, Any]
    own_rank: int


class Network:
    """The nodes, losses and terms of a plan with its buffers and the targets.

    Arrays may carry replica axes in front of their own and may be complex; everything is
    evaluated for all replicas at once.
    """

    def __init__(
        self, plan: Plan, targets: Mapping[str, Array], buffers: Parameters = MappingProxyType({})
    ) -> None:
        self.plan = plan
        self.nodes = plan.nodes
        self.targets = targets
        self.buffers = buffers
        self.node_patches: dict[int, Patch] = {}
        self.node_branches: dict[int, Sequence[FixedBranch | None]] = {}
        self.loss_patches: dict[int, Patch | Planes] = {}
        self.term_patches: dict[tuple[int, str], Patch] = {}
        self._watch: Watch | None = None
        self._rounding: Callable[[Array], Array] | None = None

    def slot_shape(self, slot: int) -> Shape:
        if slot == 0:
            assert self.plan.inputs is not None
            return self.plan.inputs.shape
        return self.nodes[slot - 1].shape

    def downstream(self, slots: Collection[int], parameters: Collection[str] = ()) -> list[int]:
        """Nodes whose output depends on these slots or parameters, in order."""
        touched = set(slots)
        found = []
        for index, node in enumerate(self.nodes):
            if touched.intersection(node.inputs) or any(
                name in parameters for name in node.parameters.values()
            ):
                touched.add(index + 1)
                found.append(index)
        return found

    def forward(self, parameters: Parameters, inputs: Array) -> Trace:
        """Run every node."""
        trace = Trace([inputs], {})
        for index in range(len(self.nodes)):
            y, trace.pullbacks[index] = self.run_node(index, trace.slots, parameters)
            trace.slots.append(y)
        return trace

    def resume(
        self,
        base: list[Array],
        parameters: Parameters,
        nodes: Sequence[int],
        changed: Mapping[int, Array] | None = None,
    ) -> list[Array]:
        """Slots after `changed` slots are put in place and only `nodes` are run again.

        What is new of them is kept for the losses only, so that copies of a deep network take the
        memory of a shallow one; the others are as in `base`.
        """
        slots = list(base)
        for slot, value in (changed or {}).items():
            slots[slot] = value
        for index, finished in zip(nodes, self.finished(nodes), strict=True):
            slots[index + 1], _ = self.run_node(index, slots, parameters)
            for slot in finished:
                slots[slot] = base[slot]
        return slots

    def finished(self, nodes: Sequence[int]) -> list[list[int]]:
        """The slots that neither another of these nodes nor a loss reads after each of them."""
        last_reader = {
            slot: i for i, index in enumerate(nodes) for slot in self.nodes[index].inputs
        }
        for loss in self.plan.losses:
            last_reader.pop(loss.slot, None)
        found: list[list[int]] = [[] for _ in nodes]
        for slot, i in last_reader.items():
            found[i].append(slot)
        return found

    def own(self, index: int, parameters: Parameters) -> dict[str, Array]:
        """Parameters and buffers of a node by the op's own names."""
        node = self.nodes[index]
        learned = {name: parameters[full] for name, full in node.parameters.items()}
        return learned | {name: self.buffers[full] for name, full in node.buffers.items()}

    def run_node(
        self, index: int, slots: list[Array], parameters: Parameters
    ) -> tuple[Array, Pullback]:
        node = self.nodes[index]
        own = self.own(index, parameters)
        inputs = tuple(slots[slot] for slot in node.inputs)
        patch = self.node_patches.get(index)
        branches = self.node_branches.get(index)
        fixed = fixed_branches(branches) if branches else nullcontext()
        with fixed, self._watching(("node", index, ""), patch):
            y, pullback = node.op.evaluate(inputs, own, node.rank, node.options)
        if patch is not None:
            y, pullback = patch(inputs[0], y), _patched(patch, pullback)
        return self._round(y), pullback

    @contextmanager
    def rounded(self, nudge: Callable[[Array], Array]) -> Iterator[None]:
        """Nudge every value and every cotangent of runs in the block, as other rounding would."""
        self._rounding = nudge
        try:
            yield
        finally:
            self._rounding = None

    def _round(self, value: Array) -> Array:
        return value if self._rounding is None else self._rounding(value)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Collect the branches that everything run in the block takes."""
        self._watch = Watch({}, {})
        try:
            yield self._watch
        finally:
            self._watch = None

    @contextmanager
    def holding(self, taken: Watch) -> Iterator[None]:
        """Let nodes that are not elementwise take the same branches as then in the block."""
        for (kind, index, _), conditions in taken.conditions.items():
            op = self.nodes[index].op if kind == "node" else None
            if op is not None and not (isinstance(op, Activation) and op.elementwise):
                self.node_branches[index] = [FixedBranch(np.ones_like(c), c) for c in conditions]
        try:
            yield
        finally:
            self.node_branches.clear()

    def _watching(self, place: Place, patch: Patch | Planes | None) -> AbstractContextManager[None]:
        if self._watch is None:
            return nullcontext()
        return self._watch.over(place, None if patch is None else patch.mask)

    def backward(
        self, trace: Trace, seeds: Mapping[int, Array]
    ) -> tuple[dict[int, Array], dict[str, Array]]:
        """Cotangents of all slots and parameters from those of some slots (reverse mode)."""
        cotangents = dict(seeds)
        gradients: dict[str, Array] = {}
        for index in reversed(range(len(self.nodes))):
            g = cotangents.get(index + 1)
            if g is None:
                continue
            node = self.nodes[index]
            to_inputs, to_parameters = trace.pullbacks[index](self._round(g))
            for slot, cotangent in zip(node.inputs, to_inputs, strict=True):
                add_to(cotangents, slot, cotangent)
            for name, cotangent in to_parameters.items():
                add_to(gradients, node.parameters[name], cotangent)
        return cotangents, gradients

    def loss(self, slots: list[Array], parameters: Parameters) -> LossValue:
        """The whole loss: Σ weight · mean(values) over the losses, and the terms."""
        total: Array | None = None
        pulls: list[Callable[[dict[int, Array], dict[str, Array]], None]] = []
        for position, loss in enumerate(self.plan.losses):
            summand = self.summand(position, slots, parameters)
            total = _sum(total, summand.total)
            pulls.append(loss_pullback(loss, summand, self._round))
        for position, term in enumerate(self.plan.terms):
            for name in term.parameters:
                w = parameters[name]
                values, pull_term = self.run_term(position, name, w)
                own_axes = tuple(range(w.ndim - len(self.plan.parameters[name].shape), w.ndim))
                weight = w.dtype.type(term.weight)
                total = _sum(total, values.sum(axis=own_axes) * weight)
                pulls.append(term_pullback(name, pull_term, values, weight))

        def pullback() -> tuple[dict[int, Array], dict[str, Array]]:
            seeds: dict[int, Array] = {}
            gradients: dict[str, Array] = {}
            for pull in pulls:
                pull(seeds, gradients)
            return seeds, gradients

        return LossValue(np.asarray(0.0 if total is None else total), pullback)

    def summand(self, position: int, slots: list[Array], parameters: Parameters) -> Summand:
        """One loss of the whole: weight · mean(values).

        A weighting is affine in the loss that it weights, so it is taken before the mean.
        """
        loss = self.plan.losses[position]
        values, own_rank, pull = self.run_loss(position, loss, slots, parameters)
        if loss.weighting is not None:
            values, pull = _weighted(loss.weighting, values, own_rank, pull, parameters)
        own_axes = tuple(range(values.ndim - own_rank, values.ndim))
        count = float(np.prod(values.shape[values.ndim - own_rank :], dtype=float))
        return Summand(values, own_axes, values.dtype.type(loss.weight / count), pull)

    def run_term(
        self, position: int, name: str, w: Array
    ) -> tuple[Array, Callable[[Array], Array]]:
        """Values of one penalty, elementwise, on one parameter, and their pullback."""
        term = self.plan.terms[position]
        patch = self.term_patches.get((position, name))
        with self._watching(("term", position, name), patch):
            values, pull = term.op.function(w, **term.options)
        if patch is None:
            return values, pull
        return patch(w, values), lambda g: patch.pull(g, pull(patch.outside(g)))

    def run_loss(
        self, position: int, loss: LossPlan, slots: list[Array], parameters: Parameters
    ) -> tuple[Array, int, Callable[[Array], tuple[Array, ...]]]:
        """Values of one loss before the mean, the number of their own axes, and their pullback."""
        call = self._call(loss, slots, parameters)
        own_rank, own = call.own_rank, self.slot_shape(loss.slot)
        patch = self.loss_patches.get(position)
        with self._watching(("loss", position, ""), patch):
            values, pull = loss.op.function(*call.arguments, **call.named)

        def pull_all(g: Array) -> tuple[Array, ...]:
            dp, *dlearned = _cotangents(pull(g), own_rank)
            if loss.op.couples_rows:
                dp = dp.reshape(*dp.shape[:-2], *own)
            return (dp, *dlearned)

        if patch is None:
            return values, own_rank, pull_all

        def pull_patched(g: Array) -> tuple[Array, ...]:
            dp, *dlearned = pull_all(patch.outside(g))
            return (patch.pull(g, dp), *dlearned)

        return patch(slots[loss.slot], values), own_rank, pull_patched

    def details(self, slots: list[Array], parameters: Parameters) -> dict[str, dict[str, Any]]:
        """What the losses have to say of themselves at a point, by name; most have nothing."""
        found = {}
        for loss in self.plan.losses:
            if loss.op.details is not None:
                call = self._call(loss, slots, parameters)
                found[loss.name] = loss.op.details(*call.arguments, **call.named)
        return {name: said for name, said in found.items() if said}

    def _call(self, loss: LossPlan, slots: list[Array], parameters: Parameters) -> _Call:
        """What the function of a loss is given; all rows in one axis where it couples them."""
        p = slots[loss.slot]
        rank = len(self.slot_shape(loss.slot))
        own_rank = rank if loss.op.elementwise else rank - 1
        target = [] if loss.target is None else [self.targets[loss.target]]
        if loss.op.couples_rows:
            p, own_rank = rows(p, rank), 1
            target = [y.reshape(-1) for y in target]
        learned = _learned(loss.parameters, parameters, own_rank)
        held = {name: self.buffers[full] for name, full in loss.buffers.items()}
        return _Call((p, *target, *learned), {**held, **loss.options}, own_rank)


def _patched(patch: Patch, pullback: Pullback) -> Pullback:
    """A node's pullback through the slopes chosen at its kinks."""

    def pulled(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
        (dx, *rest), cotangents = pullback(patch.outside(g))
        return (patch.pull(g, dx), *rest), cotangents

    return pulled


def _learned(own: Mapping[str, str], parameters: Parameters, own_rank: int) -> list[Array]:
    """Learned numbers, shaped to broadcast against values of `own_rank` axes."""
    found = (parameters[full] for full in own.values())
    return [number.reshape(*number.shape[:-1], *(1,) * own_rank) for number in found]


def _cotangents(pulled: Array | tuple[Array, ...], own_rank: int) -> tuple[Array, ...]:
    """The cotangent of the argument, and of each learned number, summed over the own axes."""
    if not isinstance(pulled, tuple):
        return (pulled,)
    argument, *learned = pulled
    axes = tuple(range(-own_rank, 0))
    return (argument, *(each.sum(axis=axes)[..., None] for each in learned))


def _weighted(
    weighting: WeightingPlan,
    values: Array,
    own_rank: int,
    pull: Callable[[Array], tuple[Array, ...]],
    parameters: Parameters,
) -> tuple[Array, Callable[[Array], tuple[Array, ...]]]:
    """A task's values as weighted; the cotangents of what that learns come last."""
    learned = _learned(weighting.parameters, parameters, own_rank)
    weighted, pull_weighting = weighting.op.function(values, *learned, **weighting.options)

    def pull_all(g: Array) -> tuple[Array, ...]:
        dvalues, *dlearned = _cotangents(pull_weighting(g), own_rank)
        return (*pull(dvalues), *dlearned)

    return weighted, pull_all


def _sum(total: Array | None, value: Array) -> Array:
    return value if total is None else total + value
