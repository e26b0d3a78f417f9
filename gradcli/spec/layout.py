"""From entries to nodes: names, slots, shapes and parameters, with no array allocated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from gradcli.core.copies import CHANGE, CLEAN, NOISY_COPY
from gradcli.core.op import (
    Activation,
    Buffer,
    InitializerChoice,
    Learned,
    Macro,
    NodeOp,
    Shape,
)
from gradcli.core.record import Record
from gradcli.core.registry import Catalogue
from gradcli.errors import UserCodeError
from gradcli.spec.fields import Context
from gradcli.spec.memory import in_bytes
from gradcli.spec.nodes import Node
from gradcli.spec.plan import NodePlan, ParameterPlan
from gradcli.spec.read_network import RESERVED, Entry, Tree
from gradcli.spec.read_ops import AUTO, choose_initializer

__all__ = ["MAX_NODES", "Copy", "OUTPUTS", "Layout", "lay_out", "plan_parameter"]

MAX_NODES: Final = 100_000
"""Nodes of a network, with everything written out."""

OUTPUTS: Final = "outputs"
"""What the output of a network without heads is called."""

_ITEM: Final = 8
"""Bytes of a number on which users' Python is tried."""

_NO_ACTIVATION: Final = "xavier_normal"
"""What `auto` draws where no activation follows."""


class Copy(Record):
    """A noisy copy of the batch, of this standard deviation, and where the spec asks for it."""

    std: float
    node: Node


class Layout(Record):
    """Nodes in topological order, the slots of the outputs, all parameters and buffers.

    `shapes` are those of the slots; None from where on they could not be worked out. `entries`
    are where the spec writes each node. `change` is the slot of what a noisy copy of the batch
    changes in the output, where there is a copy.
    """

    nodes: tuple[NodePlan, ...]
    outputs: dict[str, int]
    parameters: dict[str, ParameterPlan]
    buffers: dict[str, Buffer]
    shapes: tuple[Shape | None, ...]
    entries: tuple[Entry, ...]
    change: int | None = None


class _Placed(Record):
    """An entry with its name and the slots that it reads."""

    name: str
    entry: Entry
    op: NodeOp | None
    inputs: tuple[int, ...]


def lay_out(tree: Tree, inputs: Shape | None, context: Context, copy: Copy | None) -> Layout | None:
    """The network's layout for inputs of this shape; None where it is too large to write out.

    With a noisy `copy` of the batch, a network without heads runs on both and gives the clean half.
    """
    placer = _Placer(context)
    heads = tree.heads or {}
    count = placer.count(tree.trunk) + sum(placer.count(head) for head in heads.values())
    if count > MAX_NODES:
        largest = max(
            (entry for part in (tree.trunk, *heads.values()) for entry in part),
            key=lambda entry: placer.count([entry]),
        )
        context.problems.add(
            "SP004", f"the network has more than {MAX_NODES:,} nodes", largest.node, at_key=True
        )
        return None
    if copy is not None and not heads:
        noisy = placer.add(NOISY_COPY, {"std": copy.std}, 0, copy)
        both = placer.chain(tree.trunk, noisy, "", {})
        outputs = {OUTPUTS: placer.add(CLEAN, {}, both, copy)}
        change = placer.add(CHANGE, {}, both, copy)
        return _shaped(placer.placed, [change], inputs, outputs, context).replace(change=change)
    trunk = placer.chain(tree.trunk, 0, "", {})
    ends = [len(placer.placed)]
    outputs = {} if heads else {OUTPUTS: trunk}
    for name, head in heads.items():
        outputs[name] = placer.chain(head, trunk, f"{name}.", {})
        ends.append(len(placer.placed))
    return _shaped(placer.placed, ends, inputs, outputs, context)


class _Placer:
    """Writes entries out, one after the other, and names them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.placed: list[_Placed] = []
        self.taken: dict[str, Entry] = {}
        self.counted: dict[int, int] = {}

    def count(self, entries: Iterable[Entry]) -> int:
        """How many nodes these become; counting stops soon after there are too many."""
        total = 0
        for entry in entries:
            if id(entry) not in self.counted:
                if isinstance(entry.op, Macro) and not entry.is_broken:
                    own = self.count(self.written_out(entry))
                else:
                    own = 1 + sum(self.count(branch) for branch in entry.branches.values())
                self.counted[id(entry)] = own
            total += self.counted[id(entry)]
            if total > MAX_NODES:
                break
        return total

    def written_out(self, entry: Entry) -> Iterable[Entry]:
        assert isinstance(entry.op, Macro)
        entries: Iterable[Entry] = entry.op.function(**entry.options, **entry.branches)
        return entries

    def chain(
        self, entries: Iterable[Entry], slot: int, prefix: str, numbers: dict[str, int]
    ) -> int:
        """Place entries one behind the other from a slot on; returns the slot of the last."""
        for entry in entries:
            if entry.is_broken:
                slot = self.skip(entry, slot, numbers)
            elif isinstance(entry.op, Macro):
                slot = self.chain(self.written_out(entry), slot, prefix, numbers)
            elif isinstance(entry.op, NodeOp):
                slot = self.place(entry, entry.op, slot, prefix, numbers)
        return slot

    def skip(self, entry: Entry, slot: int, numbers: dict[str, int]) -> int:
        """Leave room for a broken entry, so that those behind it can be read."""
        if isinstance(entry.op, NodeOp):
            numbers[entry.op.name] = numbers.get(entry.op.name, 0) + 1
        self.placed.append(_Placed("", entry, None, (slot,)))
        return len(self.placed)

    def place(
        self, entry: Entry, op: NodeOp, slot: int, prefix: str, numbers: dict[str, int]
    ) -> int:
        numbers[op.name] = numbers.get(op.name, 0) + 1
        name = prefix + (entry.name or f"{op.name}_{numbers[op.name]}")
        if name in self.taken:
            self.report_taken(name, entry)
        self.taken[name] = entry
        branches = [self.chain(branch, slot, f"{name}.", {}) for branch in entry.branches.values()]
        self.placed.append(_Placed(name, entry, op, (slot, *branches)))
        return len(self.placed)

    def add(self, op: NodeOp, options: dict[str, Any], slot: int, copy: Copy) -> int:
        """Place a node that the loss needs; its name is none that a layer can have."""
        entry = Entry(op, options, {}, frozenset(), None, copy.node)
        self.placed.append(_Placed(f"{RESERVED[0]}.{op.name}", entry, op, (slot,)))
        return len(self.placed)

    def report_taken(self, name: str, entry: Entry) -> None:
        other = self.taken[name]
        if entry.name is None and other.name is not None:
            entry, other = other, entry
        hint = f"the layer on line {other.node.place.line} has it"
        if other is entry:
            hint = "every repetition would have it: leave the name out"
        node = entry.node.value.get("name", entry.node) if entry.node.is_mapping else entry.node
        self.context.problems.add("SP011", f"two layers are called {name}", node, hint=hint)


def _shaped(
    placed: list[_Placed],
    ends: list[int],
    inputs: Shape | None,
    outputs: dict[str, int],
    context: Context,
) -> Layout:
    shapes: list[Shape | None] = [inputs]
    nodes: list[NodePlan] = []
    parameters: dict[str, ParameterPlan] = {}
    buffers: dict[str, Buffer] = {}
    entries: list[Entry] = []
    tried: set[tuple[Any, ...]] = set()
    for index, item in enumerate(placed):
        read = tuple(shapes[slot] for slot in item.inputs)
        known = tuple(shape for shape in read if shape is not None)
        if len(known) < len(read) or item.op is None:
            # an activation keeps the shape, whatever is wrong with it
            keeps = known and isinstance(item.entry.op, Activation)
            shapes.append(known[0] if keeps else None)
            continue
        op = _placed(item.op, item, known[0], context)
        shape = None if op is None else _output_shape(op, item, known, context)
        shapes.append(shape)
        if op is None or shape is None:
            continue
        end = next(end for end in ends if index < end)
        options = _initialized(op, placed, index, end, context)
        learned = op.learned(known[0], options)
        names = {name: f"{item.name}.{name}" for name in learned}
        held = op.buffered(known[0], options)
        held_names = {name: f"{item.name}.{name}" for name in held}
        buffers.update((held_names[name], own) for name, own in held.items())
        line = item.entry.node.key_place.line
        entries.append(item.entry)
        for name, own in learned.items():
            plan = plan_parameter(names[name], own, options, line, context.catalogue)
            parameters[names[name]] = plan
            trial = (plan.init.op.name, *plan.init.options.values(), own.fan_in, len(own.shape))
            if not own.drawn_as and trial not in tried:
                tried.add(trial)
                _try_drawing(plan, item.entry.node, context)
        nodes.append(
            NodePlan(
                item.name,
                op,
                options,
                item.inputs,
                names,
                shape,
                len(known[0]),
                line,
                held_names,
                op.cost_at(known[0], options),
            )
        )
    return Layout(tuple(nodes), outputs, parameters, buffers, tuple(shapes), tuple(entries))


def _placed(op: NodeOp, item: _Placed, shape: Shape, context: Context) -> NodeOp | None:
    """The op as a node; None, with the problem noted, where its Python cannot be run."""
    needed = _ITEM * math.prod(shape) if op.opaque else 0
    if needed > context.max_memory:
        message = f"the input of {item.name} needs about {in_bytes(needed)} of memory"
        hint = f"{in_bytes(context.max_memory)} are allowed"
        context.problems.add("SP016", message, item.entry.node, hint=hint, at_key=True)
        return None
    try:
        return op.placed(item.name, shape, item.entry.options)
    except UserCodeError as error:
        hint = f"it was tried on numbers between 0 and 1 of shape {list(shape)}"
        context.problems.add("SP021", str(error), item.entry.node, hint=hint, at_key=True)
        return None


def _output_shape(
    op: NodeOp, item: _Placed, shapes: tuple[Shape, ...], context: Context
) -> Shape | None:
    try:
        return op.output_shape(shapes, item.entry.options)
    except ValueError as error:
        words = " and ".join(str(list(shape)) for shape in shapes)
        message = f"{item.name}: {error}"
        if not all(str(shape) in message for shape in shapes):
            message += f": shapes {words}" if len(shapes) > 1 else f": its input has shape {words}"
        context.problems.add("SP012", message, item.entry.node, at_key=True)
        return None


def _initialized(
    op: NodeOp, placed: list[_Placed], index: int, end: int, context: Context
) -> dict[str, Any]:
    """The options with `auto` resolved, and biases as their weight's initializer has them."""
    entry = placed[index].entry
    options = dict(entry.options)
    for param in op.params:
        if param.kind == "initializer" and options[param.name] == AUTO:
            options[param.name] = choose_initializer(_suited(placed, index, end), context.catalogue)
    for param in op.params:
        choice, bias = options.get(param.name), f"bias_{param.name}"
        if (
            isinstance(choice, InitializerChoice)
            and choice.op.bias is not None
            and bias in options
            and bias not in entry.written
        ):
            options[bias] = choose_initializer(choice.op.bias, context.catalogue)
    return options


def _suited(placed: list[_Placed], index: int, end: int) -> str:
    """The initializer that suits the next activation, unless other weights come first."""
    for position in range(index + 1, end):
        follower = placed[position]
        if isinstance(follower.op, Activation):
            return follower.op.init
        if follower.op is None or any(param.kind == "initializer" for param in follower.op.params):
            break
    return _NO_ACTIVATION


def _try_drawing(plan: ParameterPlan, node: Node, context: Context) -> None:
    """Draw a single entry, so that what cannot be drawn is noted before anything is."""
    rng, one = np.random.default_rng(0), (1,) * len(plan.shape)
    try:
        with np.errstate(over="raise", invalid="raise"):
            plan.init.draw(rng, one, plan.fan_in, plan.fan_out)
    except (ValueError, ArithmeticError) as error:
        overflows = isinstance(error, ArithmeticError)
        reason = "its spread is beyond the largest number" if overflows else str(error)
        message = f"{plan.name} of shape {list(plan.shape)} cannot be drawn: {reason}"
        context.problems.add("SP009", message, node, at_key=True)


def plan_parameter(
    name: str, learned: Learned, options: Mapping[str, Any], line: int, catalogue: Catalogue
) -> ParameterPlan:
    """How a learned parameter is drawn: by an initializer in the options, or as one number."""
    if isinstance(learned.init, InitializerChoice):
        init = learned.init
    elif isinstance(learned.init, str):
        init = options[learned.init]
    else:
        init = choose_initializer("constant", catalogue)
        init = init.replace(options={init.op.params[0].name: float(learned.init)})
    fan_in = learned.fan_in
    if init.op.pytorch_fan and learned.pytorch_fan is not None:
        fan_in = learned.pytorch_fan
    return ParameterPlan(name, learned.shape, init, fan_in, learned.fan_out, line, learned.drawn_as)
