"""The parts of a spec that depend on each other: definitions, data, network, loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Buffer, Shape
from gradcli.core.record import Record
from gradcli.spec.fields import Context
from gradcli.spec.layout import Layout, lay_out
from gradcli.spec.nodes import Node
from gradcli.spec.plan import ArrayPlan, Definition, ParameterPlan, TermPlan
from gradcli.spec.read_arrays import representable
from gradcli.spec.read_data import TARGETS, Data, read_data, targets_of
from gradcli.spec.read_loss import Losses, noisy_copy, plan_losses, plan_terms, read_loss
from gradcli.spec.read_network import Tree, read_network
from gradcli.spec.targets import plan_targets

if TYPE_CHECKING:
    from gradcli.spec.read_define import Definitions

__all__ = ["Parts", "Values"]


class Values(Record):
    """Everything with values of its own, in memory."""

    inputs: ArrayPlan | None = None
    targets: Mapping[str, ArrayPlan] = MappingProxyType({})
    weights: Mapping[str, Array] = MappingProxyType({})
    definitions: tuple[Definition, ...] = ()


class Parts:
    """Reads the sections in the order in which they need each other, up to their shapes."""

    def __init__(self, known: Mapping[str, Node], context: Context) -> None:
        self.known = known
        self.defined: Definitions | None = None
        if "define" in known:
            # formulas take a while to import, and most specs define nothing
            from gradcli.spec.read_define import read_definitions

            self.defined = read_definitions(known["define"], context)
            context = context.extended(self.defined.ops, self.defined.broken)
        self.context = context
        tree = read_network(known["network"], context) if "network" in known else Tree([])
        heads = None if tree is None else tree.head_names
        self.data: Data | None = (
            read_data(known["data"], heads, context) if "data" in known else None
        )
        summands = read_loss(known["loss"], heads, context) if "loss" in known else []
        self.has_network = "network" in known or "loss" in known
        inputs = None if self.data is None or self.data.inputs is None else self.data.inputs.shape
        copy = noisy_copy(summands, context)
        self.layout: Layout | None = None if tree is None else lay_out(tree, inputs, context, copy)
        self.losses = Losses()
        self.terms: tuple[TermPlan, ...] = ()
        if self.layout is not None and summands and heads is not None:
            with_targets = () if self.data is None else self.data.targets
            self.losses = plan_losses(summands, self.layout, with_targets, context)
            self.terms = plan_terms(summands, self.layout)

    def check_complete(self) -> None:
        """Note what a spec cannot do without."""
        problems = self.context.problems
        if not self.has_network and "define" not in self.known and not len(problems):
            hint = "write a network, a loss or a definition"
            problems.add("SP008", "the spec has nothing to check", hint=hint)
        for name in () if self.has_network else ("data", "weights"):
            if name in self.known and not len(problems):
                message = f"there is no network and no loss that {name} could be for"
                problems.add("SP008", message, self.known[name], at_key=True)
        if self.has_network and "data" not in self.known:
            needs = "network" if "network" in self.known else "loss"
            hint = "write `data: {inputs: {shape: [32, 8]}, targets: auto}`"
            node = self.known[needs]
            problems.add("SP008", f"the {needs} needs data", node, hint=hint, at_key=True)
        if self.defined is not None and self.layout is not None and not len(problems):
            used = {id(entry.op) for entry in self.layout.entries}
            for name, source in self.defined.layers.items():
                if not source.inputs and id(source.op) not in used:
                    message = f"{name} is neither used in the network nor has inputs to check it on"
                    hint = "write `inputs: {x: {shape: [8, 16]}}`"
                    problems.add("SP008", message, source.node, hint=hint, at_key=True)

    def arrays(self) -> Iterator[tuple[str, Shape, Node]]:
        """Name, shape and place of everything that is data, what losses are given included."""
        data = self.data
        if data is not None and data.inputs is not None:
            yield "inputs", data.inputs.shape, data.inputs.node
        for name, target in {} if data is None else data.targets.items():
            if target.source is not None:
                what = name if name == TARGETS else f"targets of {name}"
                yield what, target.source.shape, target.source.node
        for plan, call in zip(self.losses.plans, self.losses.calls, strict=True):
            for name in plan.buffers.values():
                yield name, self.losses.buffers[name].shape, call.node
        for name, source in [] if self.defined is None else self.defined.inputs:
            yield name, source.shape, source.node

    def load(self, seed: int) -> Values:
        """All values, with problems noted where they are wrong."""
        definitions = () if self.defined is None else self.defined.plan(self.context)
        return Values(self._inputs(), self._targets(seed), self._weights(), definitions)

    def _inputs(self) -> ArrayPlan | None:
        source = None if self.data is None else self.data.inputs
        if source is None:
            return None
        if source.drawn is not None:
            return source.drawn if self.has_network else None
        values = source.load()
        if values is None or not self.has_network:
            return None
        values = values.astype(np.float64)
        if not representable(values, source.node, "inputs", self.context):
            return None
        return ArrayPlan(source.shape, values=values)

    def _targets(self, seed: int) -> dict[str, ArrayPlan]:
        if self.layout is None or self.data is None:
            return {}
        plans = {}
        for position, (output, slot) in enumerate(self.layout.outputs.items()):
            losses = [
                (plan.op, call)
                for plan, call in zip(self.losses.plans, self.losses.calls, strict=True)
                if plan.slot == slot
            ]
            shape, name = self.layout.shapes[slot], targets_of(output)
            if shape is not None:
                given = self.data.targets.get(name)
                plans[name] = plan_targets(
                    name, given, losses, shape, (seed, position), self.context
                )
        return {name: plan for name, plan in plans.items() if plan is not None}

    def _weights(self) -> dict[str, Array]:
        if "weights" not in self.known or self.layout is None or None in self.layout.shapes:
            return {}
        # zipfile takes a while to import, and most specs read no file
        from gradcli.spec.data_files import read_weights

        known: dict[str, ParameterPlan | Buffer] = {
            **self.layout.parameters,
            **self.losses.parameters,
            **self.layout.buffers,
            **self.losses.buffers,
        }
        return read_weights(self.known["weights"], known, self.context)
