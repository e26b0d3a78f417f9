"""Kinks at the point itself: the slope chosen there is validated where it arises.

A unit whose branch flips within one ulp sits at a kink. If the slope that its op chose lies
between the one-sided slopes it is a valid subgradient (Rockafellar, "Convex Analysis", section
23, and its local reading for other functions); the unit is then replaced by the line of that
slope, so that everything upstream can be compared tightly with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.branches import record_branches
from gradcli.core.op import Activation
from gradcli.engine.model import COMPLEX_STEP
from gradcli.engine.network import Patch
from gradcli.engine.replicas import Point

__all__ = ["SettledKink", "flips_within_an_ulp", "settle_kinks"]

_SLOPE_TOLERANCE = 1e-10
Function = Callable[[Array], tuple[Array, Callable[[Array], Array]]]


@dataclass(frozen=True)
class SettledKink:
    """Where a network sits at a kink: the node, loss or term, and its units' indices (n, axes)."""

    where: str
    line: int
    units: Array


def flips_within_an_ulp(evaluate: Callable[[Array], object], x: Array) -> Mask:
    """Elements of x beside which an elementwise function takes different branches."""
    with record_branches() as below, np.errstate(all="ignore"):
        evaluate(np.nextafter(x, -np.inf))
    with record_branches() as above, np.errstate(all="ignore"):
        evaluate(np.nextafter(x, np.inf))
    flips = np.zeros(x.shape, bool)
    for left, right in zip(below, above, strict=True):
        if left.shape == x.shape:
            flips |= left != right
    return flips


def settle_kinks(point: Point) -> list[SettledKink]:
    """Patch every unit at a kink whose chosen slope is valid; returns where they are."""
    network = point.network
    settled: list[SettledKink] = []

    def settle(where: str, line: int, function: Function, x: Array) -> Patch | None:
        patch = _patch(function, x)
        if patch is not None:
            settled.append(SettledKink(where, line, np.argwhere(patch.mask)))
        return patch

    for index, node in enumerate(network.nodes):
        if not (isinstance(node.op, Activation) and node.op.elementwise):
            continue
        patch = settle(
            node.name, node.line, _node_function(point, index), point.slots[node.inputs[0]]
        )
        if patch is not None:
            network.node_patches[index] = patch
    for position, loss in enumerate(network.plan.losses):
        if loss.op.elementwise:
            patch = settle(
                loss.name, loss.line, _loss_function(point, position), point.slots[loss.slot]
            )
            if patch is not None:
                network.loss_patches[position] = patch
    for position, term in enumerate(network.plan.terms):
        for name in term.parameters:
            patch = settle(
                term.name, term.line, _term_function(point, position, name), point.parameters[name]
            )
            if patch is not None:
                network.term_patches[position, name] = patch
    return settled


def _node_function(point: Point, index: int) -> Function:
    node = point.network.nodes[index]
    own = {local: point.parameters[full] for local, full in node.parameters.items()}

    def function(x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y, pullback = node.op.evaluate((x,), own, node.rank, node.options)
        return y, lambda g: pullback(g)[0][0]

    return function


def _loss_function(point: Point, position: int) -> Function:
    loss = point.network.plan.losses[position]

    def function(p: Array) -> tuple[Array, Callable[[Array], Array]]:
        slots = [*point.slots[: loss.slot], p, *point.slots[loss.slot + 1 :]]
        values, _, pull = point.network.run_loss(position, loss, slots, point.parameters)
        return values, lambda g: pull(g)[0]

    return function


def _term_function(point: Point, position: int, name: str) -> Function:
    return lambda w: point.network.run_term(position, name, w)


def _patch(function: Function, x: Array) -> Patch | None:
    mask = flips_within_an_ulp(function, x)
    if not mask.any():
        return None
    y, pull = function(x)
    chosen = np.real(pull(np.ones_like(y)))
    with np.errstate(all="ignore"):
        left, right = (
            function(np.nextafter(x, toward) + 1j * COMPLEX_STEP)[0].imag / COMPLEX_STEP
            for toward in (-np.inf, np.inf)
        )
    slack = _SLOPE_TOLERANCE * np.maximum(np.abs(left), np.abs(right))
    low, high = np.minimum(left, right) - slack, np.maximum(left, right) + slack
    mask &= (chosen >= low) & (chosen <= high)
    # a branch of one smooth function (both slopes equal) is no kink
    mask &= np.abs(left - right) > slack
    return Patch(mask, x, y, chosen) if mask.any() else None
