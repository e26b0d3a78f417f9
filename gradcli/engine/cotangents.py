"""Numeric gradients of a whole network without any pullback: numeric cotangents.

Rows of a batch are independent unless a node couples them. So one unit's output is perturbed in
all rows at once, the forward pass is resumed from there, and the losses by row give that column
of ∂L/∂z: a copy of the network per unit instead of one per weight. Where a node is affine in an
operand, the operand's gradient is a contraction of the cotangent with the other operands (a claim
of the op that the laws verify), and for each tensor it is proved here against direct derivatives
along random directions. All derivatives are complex steps: exact to rounding.
"""

from __future__ import annotations

from math import prod

import numpy as np

from gradcli.core.arrays import Array, rows
from gradcli.core.op import Activation
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import COMPLEX_STEP, INPUTS, generator
from gradcli.engine.network import LossValue
from gradcli.engine.replicas import Point, chunks
from gradcli.engine.tangents import Tangents

__all__ = ["NumericGradients"]

_EPS = float(np.finfo(np.float64).eps)
_TERM_ULPS = 16  # rounding of one summand of a contraction, itself the result of a forward pass
_UNDERFLOW = float(np.finfo(np.float64).tiny) / COMPLEX_STEP / _EPS  # of a derivative's digits
_PROOFS = 2  # random directions per tensor
_PROOF_ULPS = 4096


class NumericGradients:
    """Numeric gradients of every tensor at a point, computed when asked for.

    `gradient(name)` is flat, with an uncertainty per entry.
    """

    def __init__(self, point: Point, seed: int) -> None:
        self.point = point
        self.network = point.network
        self._seed = seed
        self._cotangents: dict[int, tuple[Array, Array]] = {}
        self._known_slopes: dict[int, Array] = {}

    def gradient(self, name: str) -> Estimate:
        """Every entry of ∂L/∂tensor: contracted where that is proved, else one copy an entry."""
        contracted = self._contract(name)
        if contracted is not None and self._proved(name, *contracted):
            value, uncertainty = contracted
            return Estimate(value.ravel(), uncertainty.ravel() + _UNDERFLOW)
        found = self._entry_by_entry(name)
        return Estimate(found.value, found.uncertainty + _UNDERFLOW)

    def _uses(self, name: str) -> list[tuple[int, str]] | None:
        """(node, operand) for every use of a tensor; None if one has no contraction."""
        uses = []
        for index, node in enumerate(self.network.nodes):
            own = [local for local, full in node.parameters.items() if full == name]
            if name == INPUTS:
                own = ["x"] * (0 in node.inputs[:1])
                if 0 in node.inputs[1:]:
                    return None
            affine = node.op.layer_traits(node.options).affine
            if any(operand not in affine for operand in own):
                return None
            uses += [(index, operand) for operand in own]
        return uses

    def _contract(self, name: str) -> tuple[Array, Array] | None:
        plan = self.network.plan
        read_by_loss = any(
            (loss.slot == 0 and name == INPUTS) or name in loss.parameters.values()
            for loss in plan.losses
        )
        uses = self._uses(name)
        if uses is None or read_by_loss:
            return None
        shape = self.point.tensor(name).shape
        value, size = np.zeros(shape), np.zeros(shape)
        for index, operand in uses:
            cotangent, doubt = self._cotangent(index + 1)
            node = self.network.nodes[index]
            subscripts, *others = node.op.layer_traits(node.options).affine[operand]
            operands = [self._operand(index, other) for other in others]
            g = rows(cotangent, cotangent.ndim)
            value += _einsum(subscripts, g, *operands).reshape(shape)
            bound = np.abs(g) + rows(doubt, doubt.ndim) / (_TERM_ULPS * _EPS)
            size += _einsum(subscripts, bound, *map(np.abs, operands)).reshape(shape)
        for position, term in enumerate(plan.terms):
            if name in term.parameters:
                w = self.point.parameters[name]
                values, _ = self.network.run_term(position, name, w + 1j * COMPLEX_STEP)
                slope = term.weight * np.imag(values) / COMPLEX_STEP
                value, size = value + slope, size + np.abs(slope)
        return value, _TERM_ULPS * _EPS * size

    def _operand(self, index: int, name: str) -> Array:
        node = self.network.nodes[index]
        if name == "x":
            x = self.point.slots[node.inputs[0]]
            return rows(x, x.ndim)
        return self.point.parameters[node.parameters[name]]

    def _cotangent(self, slot: int) -> tuple[Array, Array]:
        """∂L/∂(slot), rows included, and its uncertainty."""
        if slot not in self._cotangents:
            self._cotangents[slot] = self._perturb_units(slot)
        return self._cotangents[slot]

    def _perturb_units(self, slot: int) -> tuple[Array, Array]:
        nodes = self.network.downstream([slot])
        shape = self.point.slots[slot].shape
        by_row = not self.network.couples_rows(nodes)
        count = prod(shape[1:] if by_row else shape)
        columns = np.zeros((count, shape[0] if by_row else 1))
        for part in chunks(count, self.point.copy_bytes(nodes, prod(shape), 8)):
            moved = (Tangents.of_units if by_row else Tangents.of_entries)(part, shape)
            loss = self._push(slot, moved, nodes)
            self.point.evaluations += part.stop - part.start
            found = loss.by_row if by_row and loss.by_row is not None else loss.total[..., None]
            columns[part] = np.imag(found) / COMPLEX_STEP
        cotangent = np.moveaxis(columns, -1, 0).reshape(shape)
        largest = np.abs(columns).max(axis=0, initial=0.0)
        doubt = np.broadcast_to(largest.reshape(-1, *(1,) * (len(shape) - 1)), shape)
        # an exact zero comes from a slope that is zero, not from a sum that cancels
        return cotangent, np.where(cotangent == 0, 0.0, _TERM_ULPS * _EPS * doubt)

    def _push(self, slot: int, moved: Tangents, nodes: list[int]) -> LossValue:
        """The loss, perturbed along the tangents of a slot: its imaginary part.

        All copies have the same real part, so only tangents are carried: through an elementwise
        node they are multiplied by its slopes, a node that is affine in its input is linear in
        them, and any other node takes them as a complex step.
        """
        base = self.point.slots
        tangents = {slot: moved}
        for index in nodes:
            tangents[index + 1] = self._push_node(index, tangents)
        slots = list(base)
        for loss in self.network.plan.losses:
            if loss.slot in tangents:
                slots[loss.slot] = base[loss.slot] + 1j * COMPLEX_STEP * tangents[loss.slot].full
        return self.network.loss(slots, self.point.parameters)

    def _push_node(self, index: int, tangents: dict[int, Tangents]) -> Tangents:
        node = self.network.nodes[index]
        if isinstance(node.op, Activation) and node.op.elementwise:
            return tangents[node.inputs[0]].scaled(self._slopes(index))
        traits = node.op.layer_traits(node.options)
        if traits.homogeneous_with is not None and "x" in traits.affine and len(node.inputs) == 1:
            own = {local: self.point.parameters[full] for local, full in node.parameters.items()}
            for local in traits.homogeneous_with:
                own[local] = np.zeros_like(own[local])
            return tangents[node.inputs[0]].mapped(
                lambda pattern: node.op.evaluate((pattern,), own, node.rank, node.options)[0]
            )
        slots = list(self.point.slots)
        for slot in set(node.inputs) & tangents.keys():
            slots[slot] = slots[slot] + 1j * COMPLEX_STEP * tangents[slot].full
        value, _ = self.network.run_node(index, slots, self.point.parameters)
        return Tangents(np.asarray(value.imag / COMPLEX_STEP))

    def _slopes(self, index: int) -> Array:
        """Slopes of an elementwise node at its units, by the complex step."""
        if index not in self._known_slopes:
            slots = list(self.point.slots)
            slot = self.network.nodes[index].inputs[0]
            slots[slot] = slots[slot] + 1j * COMPLEX_STEP
            value, _ = self.network.run_node(index, slots, self.point.parameters)
            self._known_slopes[index] = value.imag / COMPLEX_STEP
        return self._known_slopes[index]

    def _proved(self, name: str, value: Array, uncertainty: Array) -> bool:
        """Whether direct derivatives along random directions agree with a contracted gradient."""
        rng = generator(self._seed, f"proof of {name}")
        directions = rng.standard_normal((_PROOFS, *value.shape))
        direct = self.point.slope_along(name, directions)
        axes = tuple(range(1, directions.ndim))
        expected = (directions * value).sum(axis=axes)
        floor = (np.abs(directions) * (uncertainty + _PROOF_ULPS * _EPS * np.abs(value))).sum(axes)
        return bool(np.all(np.abs(direct - expected) <= floor))

    def _entry_by_entry(self, name: str) -> Estimate:
        tensor = self.point.tensor(name)
        nodes = self.point.nodes_after(name)
        value = np.zeros(tensor.size)
        for part in chunks(tensor.size, self.point.copy_bytes(nodes, tensor.size, 16)):
            size = part.stop - part.start
            copies = np.zeros((size, tensor.size), complex)
            copies += tensor.ravel()
            copies[np.arange(size), np.arange(part.start, part.stop)] += 1j * COMPLEX_STEP
            total = self.point.loss_with(name, copies.reshape(size, *tensor.shape), nodes).total
            value[part] = np.imag(total) / COMPLEX_STEP
        largest = np.abs(value).max(initial=0.0)
        return Estimate(value, np.full(value.shape, _TERM_ULPS * _EPS * largest))


def _einsum(subscripts: str, *operands: Array) -> Array:
    result: Array = np.einsum(subscripts, *operands, optimize=True)
    return result
