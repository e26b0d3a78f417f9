"""Kinks at the point itself: the slope chosen there is validated where it arises.

A unit whose branch flips within one ulp sits at a kink. If the slope that its op chose lies
between the one-sided slopes it is a valid subgradient (Rockafellar, "Convex Analysis", section
23, and its local reading for other functions); the unit is then replaced by the line of that
slope, so that everything upstream can be compared tightly with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from gradcli.analysis.gradcheck.row_kinks import planes_at
from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import FixedBranch, record_branches
from gradcli.core.op import Activation, X
from gradcli.core.record import Record
from gradcli.engine.lines import Lines, StraightOp, find_lines
from gradcli.engine.model import COMPLEX_STEP, INPUTS, Model, generator
from gradcli.engine.network import Network
from gradcli.engine.patches import Patch, Planes
from gradcli.engine.replicas import Point
from gradcli.engine.watch import Place
from gradcli.spec.plan import LossPlan, NodePlan

__all__ = ["SettledKink", "Settlement", "settle_kinks"]

_SLOPE_TOLERANCE = 1e-10  # relative, or this many ulps where the precision is lower:
_SLOPE_ULPS = 256
_REACH_ULPS = 4  # within which an op of lower precision may take another branch
_INNER_ULPS = 1024  # of what an op reads: fewer may be lost when it adds a number to that
Result = tuple[Array, Callable[[Array], Array]]
Function = Callable[[Array], Result]


class SettledKink(Record):
    """Where a network sits at a kink: the node, loss or term, and its units' indices (n, axes).

    Of a loss on rows the units are its values.
    """

    where: str
    line: int
    units: Array


def flips_within(evaluate: Callable[[Array], object], x: Array, reach: Array) -> Mask:
    """Elements of x around which, within `reach`, an elementwise function takes other branches."""
    with record_branches() as below, np.errstate(all="ignore"):
        evaluate(x - reach)
    with record_branches() as above, np.errstate(all="ignore"):
        evaluate(x + reach)
    flips = np.zeros(x.shape, bool)
    for left, right in zip(below, above, strict=True):
        if left.shape == x.shape:
            flips |= left != right
    return flips


class Settlement(Record):
    """The patches of a network at its kinks, where they are, and whether it stands at any.

    `patches` follow the slopes that were chosen and are valid, `claims` all that were chosen.
    `contested` is whether some unit's branch flips within reach, whatever slope was chosen there:
    without one, every model of the same forward settles alike. `lines` are those of nodes in
    Python, whose branches are not known but whose slopes on either side are. `branches` are those
    that rounding decides inside nodes that are not elementwise: the model's own.
    """

    patches: Mapping[Place, Patch | Planes]
    claims: Mapping[Place, Patch | Planes]
    kinks: tuple[SettledKink, ...]
    contested: bool
    lines: Mapping[int, Lines]
    branches: Mapping[int, Sequence[FixedBranch | None]]

    def install(self, network: Network) -> None:
        """Let the network follow the valid slopes that were chosen."""
        _install(self.patches, network)
        network.node_branches.update(self.branches)
        nodes = list(network.nodes)
        for index, lines in self.lines.items():
            op = StraightOp(name=nodes[index].op.name, function=len, inner=nodes[index].op,
                            lines=lines)  # fmt: skip
            nodes[index] = nodes[index].replace(op=op)
        network.nodes = tuple(nodes)

    @contextmanager
    def within(self, network: Network) -> Iterator[None]:
        """Let a model's own network follow all slopes that it chose, in the block only."""
        _install(self.claims, network)
        try:
            yield
        finally:
            for patches in (network.node_patches, network.loss_patches, network.term_patches):
                patches.clear()

    def same_as(self, other: Settlement) -> bool:
        """Whether the same units are settled with the same slopes."""
        if self.lines.keys() != other.lines.keys():
            return False
        if not all(own.same_as(other.lines[index]) for index, own in self.lines.items()):
            return False
        return self.patches.keys() == other.patches.keys() and all(
            patch.same_as(other.patches[place]) for place, patch in self.patches.items()
        )


def _install(patches: Mapping[Place, Patch | Planes], network: Network) -> None:
    for (kind, index, parameter), patch in patches.items():
        if kind == "loss":
            network.loss_patches[index] = patch
        elif isinstance(patch, Patch) and kind == "node":
            network.node_patches[index] = patch
        elif isinstance(patch, Patch):
            network.term_patches[index, parameter] = patch


def settle_kinks(point: Point, model: Model, seed: int) -> Settlement:
    """Patches for every unit at a kink whose chosen slope is valid; the `point` has none yet.

    The slopes are those that the `model` chose in its own precision. In float32 a unit can fall on
    the other side of a kink than in the float64 of the `point`, so a kink counts as met wherever
    it lies between the two.
    """
    own = point
    if model.dtype != point.inputs.dtype:
        own = Point(model.network, model.parameters, model.inputs[INPUTS])
    patches: dict[Place, Patch | Planes] = {}
    claims: dict[Place, Patch | Planes] = {}
    kinks: list[SettledKink] = []
    contested = False
    for exact, chosen in zip(_units(point), _units(own), strict=True):
        find = _patches if exact.elementwise else partial(_planes, seed=seed)
        flips, valid, claimed = find(exact, chosen)
        contested |= flips
        if claimed is not None:
            claims[exact.place] = claimed
        if valid is not None:
            patches[exact.place] = valid
            kinks.append(SettledKink(exact.name, exact.line, np.argwhere(valid.mask)))
    lines: dict[int, Lines] = {}
    for index, node in enumerate(point.network.nodes):
        if node.op.opaque:
            kinked, found = _lines(point, own, index, seed)
            contested |= kinked
            if found is not None:
                lines[index] = found
                kinks.append(SettledKink(node.name, node.line, np.argwhere(found.outputs)))
    branches: dict[int, list[FixedBranch | None]] = {}
    if own is not point:
        branches = dict(_decided_by_rounding(point, own))
    for index, taken in branches.items():
        node = point.network.nodes[index]
        kinks.append(SettledKink(node.name, node.line, _units_of(taken)))
    return Settlement(patches, claims, tuple(kinks), contested, lines, branches)


def _decided_by_rounding(
    point: Point, own: Point
) -> Iterator[tuple[int, list[FixedBranch | None]]]:
    """Nodes inside which the two precisions take different branches, and those of the own one.

    Both are pieces of the function at a kink that lies between them, so one is as good as the
    other, and the own one is what the model differentiates.
    """
    elementwise = {unit.place for unit in _units(point)}
    taken = own.branches.conditions
    for place, conditions in point.branches.conditions.items():
        kind, index, _ = place
        differs = [a != b for a, b in zip(conditions, taken[place], strict=True)]
        if kind == "node" and place not in elementwise and any(map(np.any, differs)):
            fixed = map(FixedBranch, differs, taken[place])
            yield index, [branch if branch.units.any() else None for branch in fixed]


def _units_of(branches: Sequence[FixedBranch | None]) -> Array:
    """Indices of the units whose branch is fixed: row, number of the branch, and the rest."""
    found = [
        np.insert(np.argwhere(branch.units), 1, number, axis=1)
        for number, branch in enumerate(branches)
        if branch is not None
    ]
    return np.concatenate([units for units in found if units.shape[1] == found[0].shape[1]])


def _lines(point: Point, own: Point, index: int, seed: int) -> tuple[bool, Lines | None]:
    """Whether a node in Python sits at a kink, and the lines of valid slopes it chose there."""
    node, network = point.network.nodes[index], point.network
    local = network.own(index, point.parameters)
    at = {X: point.slots[node.inputs[0]], **local}

    def evaluate(arrays: Mapping[str, Array]) -> Array:
        parameters = {name: value for name, value in arrays.items() if name != X}
        return node.op.evaluate((arrays[X],), parameters, node.rank, node.options)[0]

    x = own.slots[node.inputs[0]]
    _, pullback = own.network.run_node(index, own.slots, own.parameters)

    def pull(g: Array) -> Mapping[str, Array]:
        (dx,), cotangents = pullback(g.astype(x.dtype))
        return {X: dx, **cotangents}

    rng = generator(seed, f"noise at the kinks of {node.name}")
    return find_lines(evaluate, at, point.slots[index + 1], pull, rng)


class _Unit(Record):
    """A function of the network, of entries or of rows, where it stands, and what it is at.

    Of a function of entries `size` is how large the numbers are from which it may take branches.
    """

    place: Place
    name: str
    line: int
    function: Function
    x: Array
    size: Array
    elementwise: bool = True


def _units(point: Point) -> Iterator[_Unit]:
    plan = point.network.plan
    for index, node in enumerate(plan.nodes):
        if isinstance(node.op, Activation) and node.op.elementwise:
            x = point.slots[node.inputs[0]]
            function = partial(_node, point, index, node)
            yield _Unit(("node", index, ""), node.name, node.line, function, x, np.abs(x))
    for index, loss in enumerate(plan.losses):
        function, x = partial(_loss, point, index, loss), point.slots[loss.slot]
        place = "loss", index, ""
        size = np.abs(x)
        if loss.op.elementwise and loss.target is not None:
            size = np.maximum(size, np.abs(point.network.targets[loss.target]))
        yield _Unit(place, loss.name, loss.line, function, x, size, loss.op.elementwise)
    for index, term in enumerate(plan.terms):
        for name in term.parameters:
            function = partial(point.network.run_term, index, name)
            place, w = ("term", index, name), np.asarray(point.parameters[name])
            yield _Unit(place, term.name, term.line, function, w, np.abs(w))


def _node(point: Point, index: int, node: NodePlan, x: Array) -> Result:
    own = point.network.own(index, point.parameters)
    y, pullback = node.op.evaluate((x,), own, node.rank, node.options)
    return y, lambda g: pullback(g)[0][0]


def _loss(point: Point, position: int, loss: LossPlan, p: Array) -> Result:
    slots = [*point.slots[: loss.slot], p, *point.slots[loss.slot + 1 :]]
    values, _, pull = point.network.run_loss(position, loss, slots, point.parameters)
    return values, lambda g: pull(g)[0]


Found = tuple[bool, Patch | Planes | None, Patch | Planes | None]
"""Whether branches flip within reach; patches of valid slopes, and of all that were chosen."""


def _planes(exact: _Unit, own: _Unit, seed: int) -> Found:
    rng = generator(seed, f"kinks of {exact.name}")
    return planes_at(exact.function, exact.x, own.function, own.x, rng)


def _patches(exact: _Unit, own: _Unit) -> Found:
    x, eps = exact.x, np.finfo(own.x.dtype).eps
    reach = _INNER_ULPS * np.spacing(exact.size)
    if own.x.dtype != x.dtype:
        reach = np.abs(x - own.x) + _REACH_ULPS * eps * np.abs(x) + reach
    mask = flips_within(exact.function, x, reach)
    if not mask.any():
        return False, None, None
    with np.errstate(all="ignore"):
        y, _ = exact.function(x)
        own_y, pull = own.function(own.x)
        chosen = np.real(pull(np.ones_like(own_y))).astype(float)
        left, right = (
            exact.function(x + side * reach + 1j * COMPLEX_STEP)[0].imag / COMPLEX_STEP
            for side in (-1, 1)
        )
    tolerance = max(_SLOPE_TOLERANCE, _SLOPE_ULPS * eps)
    slack = tolerance * np.maximum(np.abs(left), np.abs(right))
    low, high = np.minimum(left, right) - slack, np.maximum(left, right) + slack
    # a branch of one smooth function (both slopes equal) is no kink
    mask &= np.abs(left - right) > slack
    valid = mask & (chosen >= low) & (chosen <= high)
    claimed, allowed = (Patch(of, x, y, chosen) if of.any() else None for of in (mask, valid))
    return True, allowed, claimed
