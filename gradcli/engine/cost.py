"""What numeric gradients cost, before any is computed: multiply-adds, counted from shapes.

The operations are those that each op states; of users' Python, which states none, a matrix with two
or more axes counts as multiplied with every row that its node reads. What is done element by
element is bound by memory; such an operation counts as many multiply-adds as a product could have
done meanwhile. These are estimates for a budget, of the right order, not measurements.
"""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate
from math import prod

from gradcli.core.op import Activation, Shape
from gradcli.engine.model import INPUTS
from gradcli.engine.network import Network
from gradcli.spec.plan import LossPlan

__all__ = ["CALLS", "Costs", "Part"]

_OPERATION = 4  # multiply-adds that an operation on an element takes the time of
_ELEMENT = 4 * _OPERATION  # and an element of something that is not counted
_CALL = 60_000  # and a call of users' Python, beside what it works out
CALLS = 8
"""Real differences that stand for one complex step where users' Python takes none."""

Part = tuple[str, int, str]
"""One piece of the work, which several tensors may need: (kind, place, name)."""


class Costs:
    """Costs of a network's numeric gradients, in multiply-adds; `nodes` are those of each node."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes = [self._node(index) for index in range(len(network.nodes))]
        self._before = [0, *accumulate(self.nodes)]
        self._needed: dict[str, dict[Part, int]] = {}
        self._coupling = [
            index
            for index, node in enumerate(network.nodes)
            if node.op.layer_traits(node.options).couples_rows
        ]

    @cached_property
    def forward(self) -> int:
        """One forward pass, losses included."""
        return self._before[-1] + sum(map(self._loss, self.network.plan.losses))

    def _loss(self, loss: LossPlan) -> int:
        """A loss; one that states no cost may look at every row with every two others (triples)."""
        shape = self.network.slot_shape(loss.slot)
        if loss.op.couples_rows and loss.op.cost_at(shape, loss.options) is None:
            return _OPERATION * int(prod(shape[:-1])) ** 3
        return _ELEMENT * prod(shape)

    def needed(self, name: str) -> dict[Part, int]:
        """The pieces of work that every entry of a tensor's numeric gradient takes."""
        if name not in self._needed:
            self._needed[name] = self._pieces(name)
        return self._needed[name]

    def _pieces(self, name: str) -> dict[Part, int]:
        pieces: dict[Part, int] = {}
        for index, node in enumerate(self.network.nodes):
            if name == INPUTS:
                own = ["x"] * (0 in node.inputs)
            else:
                own = [local for local, full in node.parameters.items() if full == name]
            affine = node.op.layer_traits(node.options).affine
            for local in own:
                if local in affine:
                    pieces["contraction", index, local] = self.nodes[index]
                    pieces |= self.cotangent(index + 1)
                elif name == INPUTS:
                    pieces |= self.cotangent(0)
                else:
                    copies = self._copies(index, self.network.plan.parameters[name].shape)
                    pieces["entries", index, local] = copies * self.nodes[index]
                    pieces |= self.cotangent(index + 1)
        return pieces

    def cotangent(self, slot: int) -> dict[Part, int]:
        """The pieces of a slot's cotangent: its units, and the nodes behind that couple rows."""
        pieces: dict[Part, int] = {("slot", slot, ""): self.by_unit(slot)}
        for index in self._coupling:
            if index >= slot:
                pieces["node", index, ""] = self.nodes[index] * sum(
                    self._copies(index, self.network.slot_shape(at))
                    for at in self.network.nodes[index].inputs
                )
                pieces["slot", index + 1, ""] = self.by_unit(index + 1)
        for position, loss in enumerate(self.network.plan.losses):
            if not loss.op.elementwise:  # each of what it reads for one value in a copy of its own
                shape = self.network.slot_shape(loss.slot)
                copies = prod(shape) if loss.op.couples_rows else shape[-1]
                pieces["loss", position, ""] = copies * self._loss(loss)
        return pieces

    def _copies(self, index: int, shape: Shape) -> int:
        """Copies in which a node's operand of this shape is moved, all entries in turn."""
        node = self.network.nodes[index]
        apart = node.op.layer_traits(node.options).keeps_features
        return prod(shape[:-1] if apart else shape)

    def _node(self, index: int) -> int:
        node = self.network.nodes[index]
        own = self._own(index)
        return CALLS * (_CALL + own) if node.op.opaque else own

    def _own(self, index: int) -> int:
        """What a node's products and elements take, whoever works them out."""
        node = self.network.nodes[index]
        if node.cost is not None:
            forward = node.cost.forward
            return forward.products // 2 + _OPERATION * forward.elements
        read = [self.network.slot_shape(slot) for slot in node.inputs]
        matrices = sum(
            prod(self.network.plan.parameters[full].shape)
            for full in node.parameters.values()
            if len(self.network.plan.parameters[full].shape) > 1
        )
        elements = max(prod(node.shape), *map(prod, read))
        return prod(read[0][:-1]) * matrices + _ELEMENT * elements

    def by_unit(self, slot: int) -> int:
        """The cotangent of a slot by a copy a unit, up to the next node that couples rows.

        One unit's move is cheap up to and through the first product; see `Tangents`.
        """
        shape = self.network.slot_shape(slot)
        end = next((index for index in self._coupling if index >= slot), len(self.nodes))
        start, cheap = slot, 0
        while start < end:
            node = self.network.nodes[start]
            cheap += self.nodes[start] // max(1, shape[0])
            start += 1
            if not (isinstance(node.op, Activation) and node.op.elementwise):
                break
        return prod(shape[1:]) * (cheap + self._before[end] - self._before[start])
