"""What a gradient runs through: the layers of a network, where they end, what must be kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gradcli.core.op import Activation
from gradcli.core.traits import LayerTraits
from gradcli.engine.segments import even_segments
from gradcli.errors import UsageError
from gradcli.spec.plan import Plan

__all__ = ["LayerPlace", "Structure", "structure_of"]

_KEPT: Final = 256 * 2**20
"""Bytes of values and weights that a backward pass may keep; beyond, they are computed again."""

_VALUES: Final = 2
"""Arrays like its output that a backward pass holds of a node: the value, and a cotangent."""


@dataclass(frozen=True)
class LayerPlace:
    """A layer that mixes units, and where it ends: indices of nodes, and a slot.

    `slot` holds a^l: the output of its activation, or of the residual block that it closes, or of
    the node itself. `activation` is the first elementwise activation that its output meets.
    """

    node: int
    activation: int | None
    slot: int


@dataclass(frozen=True)
class Structure:
    """The layers inside the products, in order, and the bookkeeping of the passes.

    `cuts` are the slots through which the whole signal passes; a part of it goes around any other.
    The last layer ends at one. `elementwise[i]` says that node i is an elementwise activation.
    `frees[i]` are the slots that no node after i reads. `segments` are ranges of nodes; a backward
    pass keeps the values of one range at a time, and about `memory` bytes in all.
    """

    layers: tuple[LayerPlace, ...]
    cuts: frozenset[int]
    traits: tuple[LayerTraits, ...]
    elementwise: tuple[bool, ...]
    frees: tuple[tuple[int, ...], ...]
    segments: tuple[range, ...]
    memory: int


def structure_of(plan: Plan) -> Structure:
    """Find the layers of a network of one output, without running it.

    Inside the products is every mixing node except the head: a mixing node without an elementwise
    activation whose output goes to the losses with no other node that mixes units or joins two
    inputs in between. (If that leaves none, all of them are inside.)
    Raises UsageError for a spec without a network, a loss, or a layer.
    """
    if plan.inputs is None or not plan.losses:
        raise UsageError(f"{plan.name} has no network with a loss, so no gradient flows through it")
    traits = tuple(node.op.layer_traits(node.options) for node in plan.nodes)
    elementwise = tuple(
        isinstance(node.op, Activation) and node.op.elementwise for node in plan.nodes
    )
    read_by = _readers(plan)
    ends = [loss.slot for loss in plan.losses]
    places: list[LayerPlace] = []
    heads: list[LayerPlace] = []
    for index, own in enumerate(traits):
        if own.mixing is not None:
            place, is_head = _walk(index, plan, traits, elementwise, read_by)
            (heads if is_head else places).append(place)
    layers = tuple(places or heads)
    if not layers:
        raise UsageError(f"{plan.name} has no layer that mixes units")
    last_use = [max(nodes, default=-1) for nodes in read_by]
    for slot in ends:
        last_use[slot] = len(plan.nodes)
    cuts = _cuts(last_use)
    frees: list[list[int]] = [[] for _ in plan.nodes]
    for slot, node in enumerate(last_use):
        if node < len(plan.nodes):
            frees[max(node, slot - 1, 0)].append(slot)
    segments, memory = _segments(plan)
    end = min((cut for cut in cuts if cut >= layers[-1].slot), default=layers[-1].slot)
    return Structure(
        (*layers[:-1], replace(layers[-1], slot=end)),
        cuts,
        traits,
        elementwise,
        tuple(map(tuple, frees)),
        segments,
        memory,
    )


def _readers(plan: Plan) -> list[list[int]]:
    read_by: list[list[int]] = [[] for _ in range(len(plan.nodes) + 1)]
    for index, node in enumerate(plan.nodes):
        for slot in node.inputs:
            read_by[slot].append(index)
    return read_by


def _walk(
    index: int,
    plan: Plan,
    traits: tuple[LayerTraits, ...],
    elementwise: tuple[bool, ...],
    read_by: list[list[int]],
) -> tuple[LayerPlace, bool]:
    """Follow a layer's output to the next layer or fork; the place, and whether it is a head."""
    activation, slot, at, joined = None, index + 1, index + 1, False
    while len(read_by[at]) == 1 and traits[read_by[at][0]].mixing is None:
        node = read_by[at][0]
        at = node + 1
        joins = len(plan.nodes[node].inputs) > 1
        joined = joined or joins
        if elementwise[node] and activation is None:
            activation = node
        if elementwise[node] or joins:
            slot = at
    ends = not _goes_on(at, plan, traits, elementwise, read_by)
    return LayerPlace(index, activation, slot), ends and activation is None and not joined


def _goes_on(
    slot: int,
    plan: Plan,
    traits: tuple[LayerTraits, ...],
    elementwise: tuple[bool, ...],
    read_by: list[list[int]],
) -> bool:
    """Whether more than copies of a slot's rows reaches the losses."""
    waiting = list(read_by[slot])
    while waiting:
        node = waiting.pop()
        joins = len(plan.nodes[node].inputs) > 1
        if elementwise[node] or joins or traits[node].mixing is not None:
            return True
        waiting += read_by[node + 1]
    return False


def _cuts(last_use: list[int]) -> frozenset[int]:
    """Slots through which everything passes. Node i reads slots up to i, and writes slot i + 1."""
    cuts, furthest = [], -1
    for slot, use in enumerate(last_use):
        if furthest < slot:
            cuts.append(slot)
        furthest = max(furthest, use)
    return frozenset(cuts)


def _segments(plan: Plan) -> tuple[tuple[range, ...], int]:
    """Ranges of nodes of about equal size, one if all fits; and the bytes a pass then holds."""
    item = np.dtype(plan.dtype).itemsize
    values = [item * math.prod(node.shape) for node in plan.nodes]
    sizes = [
        _VALUES * value
        + item * node.kept
        + item * sum(math.prod(plan.parameters[name].shape) for name in node.parameters.values())
        + item * sum(math.prod(plan.buffers[name].shape) for name in node.buffers.values())
        for value, node in zip(values, plan.nodes, strict=True)
    ]
    total = sum(sizes)
    count = 1 if total <= _KEPT else max(-(-total // _KEPT), math.isqrt(len(sizes)))
    segments = even_segments(sizes, count)
    largest = max((sum(sizes[segment.start : segment.stop]) for segment in segments), default=0)
    return segments, largest + len(segments) * max(values, default=0)
