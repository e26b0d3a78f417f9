"""Numeric cotangents of a network's slots, without any pullback.

Rows of a batch are independent unless a node couples them. So one unit's output is perturbed in
all rows at once and the forward pass is resumed from there; what arrives at the losses, by row, is
that column of ∂L/∂z: a copy of the network per unit instead of one per weight. A node that couples
rows is gone through entry by entry, but alone: what is behind it is known by then. All derivatives
are complex steps, exact to rounding, except through a node that takes real numbers only.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Activation
from gradcli.engine.cost import CALLS
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import COMPLEX_STEP, generator
from gradcli.engine.opaque import Projection
from gradcli.engine.replicas import Point, chunks
from gradcli.engine.summands import Summand
from gradcli.engine.tangents import Tangents, one_hot

__all__ = ["EPS", "TERM_ULPS", "NumericCotangents"]

EPS = float(np.finfo(np.float64).eps)
TERM_ULPS = 16
"""Rounding of one summand of a sum, itself the result of a forward pass."""


class NumericCotangents:
    """∂L/∂(slot) at a point, rows included, with an uncertainty per entry."""

    def __init__(self, point: Point, seed: int) -> None:
        self.point = point
        self._seed = seed
        self.network = point.network
        self._coupling = [
            index
            for index, node in enumerate(self.network.nodes)
            if node.op.layer_traits(node.options).couples_rows
        ]
        self._known: dict[int, Estimate] = {}
        self._arriving: dict[int, dict[int, Estimate]] = {}
        self._losses: dict[int, Estimate] = {}
        self._slopes: dict[int, Array] = {}

    def of_slot(self, slot: int) -> Estimate:
        """The cotangent of a slot, shaped like it."""
        if slot not in self._known:
            # from the end, so that none waits for another
            for index in reversed([index for index in self._coupling if index >= slot]):
                self._at_node(index)
            self._known[slot] = self._by_unit(slot)
        return self._known[slot]

    def through_node(self, index: int, tensor: Array, run: Callable[[Array], Array]) -> Estimate:
        """The cotangent of a tensor through one node alone, flat: a copy an entry, or a row.

        `run` evaluates the node with copies of the tensor, complex unless it is opaque.
        """
        behind = self.of_slot(index + 1)
        weight = TERM_ULPS * EPS * np.abs(behind.value) + behind.uncertainty
        node = self.network.nodes[index]
        if node.op.opaque:
            rng = generator(self._seed, f"noise of {node.name}")
            y = self.point.slots[index + 1]
            counted = self._counted(index, run)
            return Projection(counted, tensor, y, behind.value, weight, rng).slopes()
        # where features keep to themselves, all of them are moved at once
        apart = node.op.layer_traits(node.options).keeps_features
        own = tensor.shape[:-1] if apart else tensor.shape
        together = tensor.shape[-1] if apart else 1
        value = np.zeros((prod(own), together))
        doubt = np.zeros_like(value)
        for part in chunks(len(value), self.point.copy_bytes([index], tensor.size, 16)):
            places = one_hot(part, own)
            moved = tensor + 1j * COMPLEX_STEP * (places[..., None] if apart else places)
            tangents = run(moved).imag / COMPLEX_STEP
            self.point.evaluations += len(moved)
            axes = tuple(range(1, tangents.ndim - apart))
            value[part] = (tangents * behind.value).sum(axis=axes).reshape(-1, together)
            doubt[part] = _root_sum_square(tangents * weight, axes).reshape(-1, together)
            self.point.worked(len(moved) * self.point.costs.nodes[index])
        largest = np.abs(value).max(initial=0.0)
        return _with_rounding(value.ravel(), doubt.ravel(), largest)

    def _counted(self, index: int, run: Callable[[Array], Array]) -> Callable[[Array], Array]:
        def counted(copies: Array) -> Array:
            self.point.evaluations += len(copies)
            self.point.worked(len(copies) * self.point.costs.nodes[index] / CALLS)
            return run(copies)

        return counted

    def through_loss(self, position: int) -> Estimate:
        """The cotangent of the slot that a loss reads, through that loss alone."""
        if position not in self._losses:
            self._losses[position] = self._at_loss(position)
        return self._losses[position]

    def _at_node(self, index: int) -> dict[int, Estimate]:
        """Cotangents of the slots that a node reads, through it alone."""
        if index not in self._arriving:
            found = {}
            for slot in dict.fromkeys(self.network.nodes[index].inputs):
                x = self.point.slots[slot]
                through = self.through_node(index, x, self._runner(index, slot))
                found[slot] = Estimate(
                    through.value.reshape(x.shape), through.uncertainty.reshape(x.shape)
                )
            self._arriving[index] = found
        return self._arriving[index]

    def _at_loss(self, position: int) -> Estimate:
        loss = self.network.plan.losses[position]
        p = self.point.slots[loss.slot]
        if loss.op.elementwise:
            values = self._summand(position, p + 1j * COMPLEX_STEP)
            slopes = np.imag(values.values * values.share) / COMPLEX_STEP
            self.point.evaluations += 1
            return Estimate(slopes, TERM_ULPS * EPS * np.abs(slopes))
        coupled = loss.op.couples_rows
        own = p.shape if coupled else p.shape[-1:]  # else each value reads its own features alone
        columns = np.zeros((prod(own), p.size // prod(own)))
        for part in chunks(len(columns), 16 * (8 * p.size + 2 * self.point.pairs)):
            places = one_hot(part, own)
            if not coupled:
                places = places.reshape(-1, *(1,) * (p.ndim - 1), p.shape[-1])
            summand = self._summand(position, p + 1j * COMPLEX_STEP * places)
            arrived = summand.total if coupled else summand.values * summand.share
            columns[part] = np.imag(arrived).reshape(len(places), -1) / COMPLEX_STEP
            self.point.evaluations += len(places)
        largest = np.abs(columns).max(axis=0, initial=0.0)
        return _by_slot(_with_rounding(columns, np.zeros_like(columns), largest), p.shape)

    def _summand(self, position: int, p: Array) -> Summand:
        slots = list(self.point.slots)
        slots[self.network.plan.losses[position].slot] = p
        return self.network.summand(position, slots, self.point.parameters)

    def _route(self, slot: int) -> tuple[list[int], list[tuple[int, Estimate]]]:
        """Nodes through which a slot's tangents are carried, and the cotangents they end at."""
        touched, path = {slot}, []
        ends: list[tuple[int, Estimate]] = []
        for index, node in enumerate(self.network.nodes):
            reached = touched.intersection(node.inputs)
            if not reached:
                continue
            if index in self._coupling:
                arriving = self._at_node(index)
                ends += [(at, arriving[at]) for at in sorted(reached)]
            else:
                path.append(index)
                touched.add(index + 1)
        for position, loss in enumerate(self.network.plan.losses):
            if loss.slot in touched:
                ends.append((loss.slot, self.through_loss(position)))
        return path, ends

    def _by_unit(self, slot: int) -> Estimate:
        shape = self.point.slots[slot].shape
        path, ends = self._route(slot)
        weights = [TERM_ULPS * EPS * np.abs(end.value) + end.uncertainty for _, end in ends]
        columns = np.zeros((prod(shape[1:]), shape[0]))
        doubts = np.zeros_like(columns)
        for part in chunks(len(columns), self.point.copy_bytes(path, prod(shape), 8)):
            tangents = {slot: Tangents.of_units(part, shape)}
            for index in path:
                tangents[index + 1] = self._carry(index, tangents)
            for (at, end), weight in zip(ends, weights, strict=True):
                columns[part] += tangents[at].dot(end.value)
                doubts[part] = np.hypot(doubts[part], tangents[at].spread(weight))
            self.point.evaluations += part.stop - part.start
            share = (part.stop - part.start) / len(columns)
            self.point.worked(share * self.point.costs.by_unit(slot))
        largest = np.abs(columns).max(axis=0, initial=0.0)
        return _by_slot(_with_rounding(columns, doubts, largest), shape)

    def _carry(self, index: int, tangents: dict[int, Tangents]) -> Tangents:
        """Tangents of a node's output: all copies have the same real part, so these are all.

        Through an elementwise node they are multiplied by its slopes, a node that is affine in its
        input is linear in them, and any other node takes them as a complex step.
        """
        node = self.network.nodes[index]
        if isinstance(node.op, Activation) and node.op.elementwise:
            return tangents[node.inputs[0]].scaled(self._slopes_of(index))
        traits = node.op.layer_traits(node.options)
        if traits.homogeneous_with is not None and "x" in traits.affine and len(node.inputs) == 1:
            own = self.network.own(index, self.point.parameters)
            for local in traits.homogeneous_with:
                own[local] = np.zeros_like(own[local])
            return tangents[node.inputs[0]].mapped(
                lambda pattern: node.op.evaluate((pattern,), own, node.rank, node.options)[0]
            )
        moved = {
            slot: self.point.slots[slot] + 1j * COMPLEX_STEP * tangents[slot].full
            for slot in set(node.inputs) & tangents.keys()
        }
        return Tangents(np.asarray(self._run(index, moved).imag / COMPLEX_STEP))

    def _slopes_of(self, index: int) -> Array:
        """Slopes of an elementwise node at its units."""
        if index not in self._slopes:
            slot = self.network.nodes[index].inputs[0]
            moved = self.point.slots[slot] + 1j * COMPLEX_STEP
            self._slopes[index] = self._run(index, {slot: moved}).imag / COMPLEX_STEP
        return self._slopes[index]

    def _runner(self, index: int, slot: int) -> Callable[[Array], Array]:
        return lambda copies: self._run(index, {slot: copies})

    def _run(self, index: int, changed: dict[int, Array]) -> Array:
        slots = list(self.point.slots)
        for slot, value in changed.items():
            slots[slot] = value
        return self.network.run_node(index, slots, self.point.parameters)[0]


def _root_sum_square(terms: Array, axes: tuple[int, ...]) -> Array:
    """What independent doubts add up to; relative to the largest, so that no square vanishes."""
    most = float(np.abs(terms).max(initial=0.0)) or 1.0
    return np.asarray(most * np.sqrt(np.square(terms / most).sum(axis=axes)))


def _with_rounding(value: Array, doubt: Array, largest: Array | float) -> Estimate:
    """The doubt and the rounding of sums of this size; an exact zero is of slopes that are zero."""
    exact = (value == 0) & (doubt == 0)
    return Estimate(value, np.where(exact, 0.0, doubt + TERM_ULPS * EPS * largest))


def _by_slot(columns: Estimate, shape: tuple[int, ...]) -> Estimate:
    """From columns (units, rows), or (entries, 1), to a slot's own shape."""
    return Estimate(columns.value.T.reshape(shape), columns.uncertainty.T.reshape(shape))
