"""Kinks at the point itself: the slope chosen there is validated where it arises.

A unit whose branch flips within one ulp sits at a kink. If the slope that its op chose lies
between the one-sided slopes it is a valid subgradient (Rockafellar, "Convex Analysis", section
23, and its local reading for other functions); the unit is then replaced by the line of that
slope, so that everything upstream can be compared tightly with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import record_branches
from gradcli.core.op import Activation
from gradcli.core.record import Record
from gradcli.engine.model import COMPLEX_STEP, INPUTS, Model
from gradcli.engine.network import Patch
from gradcli.engine.replicas import Point

__all__ = ["SettledKink", "settle_kinks"]

_SLOPE_TOLERANCE = 1e-10  # relative, or this many ulps where the precision is lower:
_SLOPE_ULPS = 256
_REACH_ULPS = 4  # within which an op of lower precision may take another branch
Function = Callable[[Array], tuple[Array, Callable[[Array], Array]]]


class SettledKink(Record):
    """Where a network sits at a kink: the node, loss or term, and its units' indices (n, axes)."""

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


def settle_kinks(point: Point, model: Model) -> list[SettledKink]:
    """Patch every unit at a kink whose chosen slope is valid; returns where they are.

    The slopes are those that the `model` chose in its own precision. In float32 a unit can fall on
    the other side of a kink than in the float64 of the `point`, so a kink counts as met wherever
    it lies between the two.
    """
    network, own = point.network, point
    if model.dtype != point.inputs.dtype:
        own = Point(model.network, model.parameters, model.inputs[INPUTS])
    settled: list[SettledKink] = []

    def settle(where: str, line: int, exact: _Unit, chosen: _Unit) -> Patch | None:
        patch = _patch(exact, chosen)
        if patch is not None:
            settled.append(SettledKink(where, line, np.argwhere(patch.mask)))
        return patch

    for index, node in enumerate(network.nodes):
        if isinstance(node.op, Activation) and node.op.elementwise:
            units = (_of_node(point, index), _of_node(own, index))
            patch = settle(node.name, node.line, *units)
            if patch is not None:
                network.node_patches[index] = patch
    for position, loss in enumerate(network.plan.losses):
        if loss.op.elementwise:
            units = (_of_loss(point, position), _of_loss(own, position))
            patch = settle(loss.name, loss.line, *units)
            if patch is not None:
                network.loss_patches[position] = patch
    for position, term in enumerate(network.plan.terms):
        for name in term.parameters:
            units = (_of_term(point, position, name), _of_term(own, position, name))
            patch = settle(term.name, term.line, *units)
            if patch is not None:
                network.term_patches[position, name] = patch
    return settled


class _Unit(Record):
    """An elementwise function and the values it is evaluated at."""

    function: Function
    x: Array


def _of_node(point: Point, index: int) -> _Unit:
    node = point.network.nodes[index]
    own = point.network.own(index, point.parameters)

    def function(x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y, pullback = node.op.evaluate((x,), own, node.rank, node.options)
        return y, lambda g: pullback(g)[0][0]

    return _Unit(function, point.slots[node.inputs[0]])


def _of_loss(point: Point, position: int) -> _Unit:
    loss = point.network.plan.losses[position]

    def function(p: Array) -> tuple[Array, Callable[[Array], Array]]:
        slots = [*point.slots[: loss.slot], p, *point.slots[loss.slot + 1 :]]
        values, _, pull = point.network.run_loss(position, loss, slots, point.parameters)
        return values, lambda g: pull(g)[0]

    return _Unit(function, point.slots[loss.slot])


def _of_term(point: Point, position: int, name: str) -> _Unit:
    return _Unit(
        lambda w: point.network.run_term(position, name, w), np.asarray(point.parameters[name])
    )


def _patch(exact: _Unit, own: _Unit) -> Patch | None:
    x, eps = exact.x, np.finfo(own.x.dtype).eps
    reach = np.abs(np.spacing(x))
    if own.x.dtype != x.dtype:
        reach = np.abs(x - own.x) + _REACH_ULPS * eps * np.abs(x) + reach
    mask = flips_within(exact.function, x, reach)
    if not mask.any():
        return None
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
    mask &= (chosen >= low) & (chosen <= high)
    # a branch of one smooth function (both slopes equal) is no kink
    mask &= np.abs(left - right) > slack
    return Patch(mask, x, y, chosen) if mask.any() else None
