"""Numeric gradients of a network's tensors, from the numeric cotangents of its slots.

Where a node is affine in an operand, the operand's gradient is a contraction of the node's
cotangent with the other operands (a claim of the op that the laws verify); any other operand is
perturbed entry by entry, in that node alone. The sum over all uses, with the direct terms of the
loss, is proved against direct derivatives of the whole network along random directions: complex
steps, or real differences where users' Python lies in between.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gradcli.core.arrays import Array, norm, rows
from gradcli.engine.cotangents import EPS, TERM_ULPS, NumericCotangents
from gradcli.engine.ladder import Estimate, position_scale
from gradcli.engine.line import slope_at_zero
from gradcli.engine.model import COMPLEX_STEP, FAINTEST, INPUTS, generator
from gradcli.engine.opaque import UNKNOWN
from gradcli.engine.replicas import Point, chunks
from gradcli.engine.tangents import one_hot

__all__ = ["NumericGradients"]

_PROOFS = 2  # random directions
_PROOF_ULPS = 4096
_TOGETHER = 1 << 20  # entries of tensors that are worked out and proved together,
_CHEAP = 3e8  # and their multiply-adds, so that an interrupt loses little
_FAINT = 1e-40  # norm of a gradient that is proved alone, as its steps would leave the complex step


class NumericGradients:
    """Numeric gradients of tensors at a point, computed when asked for.

    `gradient(name)` is flat, with an uncertainty per entry. `names` are those that will be asked
    for, in that order: what is next to each other there is worked out together.
    """

    def __init__(self, point: Point, seed: int, names: Sequence[str] = ()) -> None:
        self.point = point
        self.network = point.network
        self._seed = seed
        self._groups = _grouped(names, point)
        self._known: dict[str, Estimate] = {}
        self._cotangents = NumericCotangents(point, seed)

    def gradient(self, name: str) -> Estimate:
        """Every entry of ∂L/∂tensor: composed where that is proved, else one copy an entry."""
        if name not in self._known:
            group = next((group for group in self._groups if name in group), [name])
            self._known = self._proved_or_direct(group)
        return self._known[name]

    def _proved_or_direct(self, names: Sequence[str]) -> dict[str, Estimate]:
        found = {name: self._composed(name) for name in names}
        sizes = {name: norm(made.value) for name, made in found.items()}
        faint = [name for name, size in sizes.items() if 0 < size < _FAINT]
        together = {name: made for name, made in found.items() if name not in faint}
        for name in faint if self._proved(together) else names:
            if not self._proved({name: found[name]}):
                found[name] = self._unproved(name, found[name])
        return found

    def _unproved(self, name: str, composed: Estimate) -> Estimate:
        """One copy of the whole network an entry; where it takes no complex step, no knowledge."""
        if self.passes_opaque(name):
            return Estimate(composed.value, np.full(composed.value.shape, UNKNOWN))
        return self.at(name, np.arange(composed.value.size))

    def _composed(self, name: str) -> Estimate:
        """The gradient of a tensor, use by use."""
        if name == INPUTS and not self._only_mapped():
            whole = self._cotangents.of_slot(0)
            return Estimate(whole.value.ravel(), whole.uncertainty.ravel() + FAINTEST)
        parts = []
        for index, node in enumerate(self.network.nodes):
            if name == INPUTS:
                own = ["x"] * (0 in node.inputs)
            else:
                own = [local for local, full in node.parameters.items() if full == name]
            affine = node.op.layer_traits(node.options).affine
            for operand in own:
                use = self._contracted if operand in affine else self._by_entry
                parts.append(use(index, operand))
        parts += self._direct_terms(name)
        size = self.point.tensor(name).size
        value = sum((part.value for part in parts), np.zeros(size))
        doubt = sum((part.uncertainty for part in parts), np.full(size, FAINTEST))
        return Estimate(value, doubt)

    def _only_mapped(self) -> bool:
        """Whether every node that reads the inputs is affine in them, and nothing else reads them.

        Then they are cheaper than unit by unit.
        """
        if any(loss.slot == 0 for loss in self.network.plan.losses):
            return False
        return all(
            node.inputs == (0,) and "x" in node.op.layer_traits(node.options).affine
            for node in self.network.nodes
            if 0 in node.inputs
        )

    def _contracted(self, index: int, operand: str) -> Estimate:
        """The gradient of an operand in which a node is affine, through that node."""
        node = self.network.nodes[index]
        behind = self._cotangents.of_slot(index + 1)
        subscripts, *others = node.op.layer_traits(node.options).affine[operand]
        operands = [self._operand(index, other) for other in others]
        g = rows(behind.value, behind.value.ndim)
        value = _einsum(subscripts, g, *operands)
        self.point.worked(self.point.costs.nodes[index])
        doubt = rows(behind.uncertainty, behind.uncertainty.ndim)
        bound = TERM_ULPS * EPS * np.abs(g) + doubt
        squares = [_relative_square(each) for each in (bound, *operands)]
        spread = np.sqrt(_einsum(subscripts, *(square for square, _ in squares)))
        uncertainty = spread * math.prod(most for _, most in squares)
        return Estimate(value.ravel(), uncertainty.ravel())

    def _operand(self, index: int, name: str) -> Array:
        node = self.network.nodes[index]
        if name == "x":
            x = self.point.slots[node.inputs[0]]
            return rows(x, x.ndim)
        return self.point.parameters[node.parameters[name]]

    def _by_entry(self, index: int, local: str) -> Estimate:
        """The gradient of a parameter through one node, entry by entry."""
        name = self.network.nodes[index].parameters[local]
        slots, parameters = self.point.slots, self.point.parameters
        return self._cotangents.through_node(
            index,
            parameters[name],
            lambda copies: self.network.run_node(index, slots, {**parameters, name: copies})[0],
        )

    def _direct_terms(self, name: str) -> list[Estimate]:
        """What losses and penalties that read a parameter themselves add to its gradient."""
        plan, parameters = self.network.plan, self.point.parameters
        found = []
        for position, loss in enumerate(plan.losses):
            if name in loss.learned:
                w = parameters[name]
                moved = {
                    **parameters,
                    name: w + 1j * COMPLEX_STEP * one_hot(slice(0, w.size), w.shape),
                }
                found.append(self.network.summand(position, self.point.slots, moved).total)
        for position, term in enumerate(plan.terms):
            if name in term.parameters:
                values, _ = self.network.run_term(
                    position, name, parameters[name] + 1j * COMPLEX_STEP
                )
                found.append(term.weight * values.ravel())
        slopes = [np.imag(each) / COMPLEX_STEP for each in found]
        return [Estimate(slope, TERM_ULPS * EPS * np.abs(slope)) for slope in slopes]

    def _proved(self, gradients: Mapping[str, Estimate]) -> bool:
        """Whether direct derivatives along random directions agree with composed gradients."""
        opaque = {name for name in gradients if self.passes_opaque(name)}
        exact = {name: found for name, found in gradients.items() if name not in opaque}
        rough = {name: found for name, found in gradients.items() if name in opaque}
        return self._agree(exact) and self._agree(rough)

    def _agree(self, gradients: Mapping[str, Estimate]) -> bool:
        """The same, of gradients that are either all exact or all not.

        In such a direction every tensor weighs alike, however small its gradient.
        """
        if not gradients:
            return True
        rng = generator(self._seed, f"proof of {', '.join(gradients)}")
        for _ in range(_PROOFS):
            directions: dict[str, Array] = {}
            expected = floor = 0.0
            for name, found in gradients.items():
                size = norm(found.value)
                weight = 1 / max(size, _FAINT) if size else 1.0
                # of either sign and of all sizes: no two entries can stand in for each other
                direction = weight * (rng.random(found.value.size) - 0.5)
                expected += float(direction @ found.value)
                doubt = norm(found.uncertainty) + _PROOF_ULPS * EPS * size
                floor += norm(direction) * doubt
                directions[name] = direction.reshape(self.point.tensor(name).shape)
            direct, doubt = self.slope_along(directions)
            if not abs(direct - expected) <= floor + doubt:
                return False
        return True

    def passes_opaque(self, *names: str) -> bool:
        """Whether a node that takes real numbers only lies between these tensors and the loss."""
        return any(self.network.nodes[i].op.opaque for i in self.point.nodes_after(*names))

    def slope_along(self, directions: Mapping[str, Array]) -> tuple[float, float]:
        """The loss's slope along a direction in several tensors, and how sure that is."""
        if not self.passes_opaque(*directions):
            return self.point.slope_along(directions), 0.0
        size = max(
            float((np.abs(along).ravel() / position_scale(self.point.tensor(name).ravel())).max())
            for name, along in directions.items()
        )
        scaled = {name: along / size for name, along in directions.items()}

        def along(offsets: Array) -> Array:
            return self.point.probe_along(scaled, offsets.ravel()).reshape(offsets.shape)

        slope, doubt = slope_at_zero(along, self.point.value, EPS)
        return slope * size, doubt * size

    def at(self, name: str, entries: Array) -> Estimate:
        """Some entries of ∂L/∂tensor, by one copy of the whole network an entry."""
        tensor = self.point.tensor(name)
        nodes = self.point.nodes_after(name)
        value = np.zeros(len(entries))
        for part in chunks(len(entries), self.point.pass_bytes([name], 16)):
            picked = entries[part]
            copies = np.empty((len(picked), tensor.size), complex)
            copies[:] = tensor.ravel()
            copies[np.arange(len(picked)), picked] += 1j * COMPLEX_STEP
            moved = {name: copies.reshape(-1, *tensor.shape)}
            value[part] = np.imag(self.point.loss_with(moved, nodes).total) / COMPLEX_STEP
            self.point.worked(len(picked) * self.point.costs.forward)
        largest = np.abs(value).max(initial=0.0)
        return Estimate(value, np.full(value.shape, TERM_ULPS * EPS * largest + FAINTEST))


def _grouped(names: Sequence[str], point: Point) -> list[list[str]]:
    """Neighbouring names, as many as are small and cheap together, but at least one."""
    groups: list[list[str]] = []
    entries = cost = math.inf
    for name in names:
        entries += point.tensor(name).size
        cost += sum(point.costs.needed(name).values())
        if entries > _TOGETHER or cost > _CHEAP:
            groups.append([])
            entries = point.tensor(name).size
            cost = sum(point.costs.needed(name).values())
        groups[-1].append(name)
    return groups


def _relative_square(values: Array) -> tuple[Array, float]:
    """The squares of values relative to the largest, so that none vanishes, and that."""
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    return np.square(values / most), most


def _einsum(subscripts: str, *operands: Array) -> Array:
    result: Array = np.einsum(subscripts, *operands, optimize=True)
    return result
