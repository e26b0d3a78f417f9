"""Copies of a network take the memory and the work of what they need, and give the same loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.core.formula import Formula
from gradcli.core.formula_passages import passages
from gradcli.engine.cotangents import NumericCotangents
from gradcli.engine.model import INPUTS
from gradcli.engine.replicas import Point


def point_of(network: list[Any], shape: list[int], loss: Any = "mse") -> Point:
    data = {"inputs": {"shape": shape}, "targets": "auto"}
    model = gradcli.load({"gradcli": 1, "data": data, "network": network, "loss": loss})
    return Point(model.network, model.parameters, model.inputs[INPUTS])


def deep(blocks: int) -> Point:
    layers = [{"dense": 12}, "batch_norm", "relu"]
    return point_of([{"repeat": {"times": blocks, "layers": layers}}, {"dense": 1}], [16, 12])


def test_copies_of_a_deep_network_take_the_memory_of_a_shallow_one() -> None:
    shallow, far = (point.pass_bytes(["dense_1.weight"], 8) for point in (deep(2), deep(40)))
    masks = 16 * 12 * 3 * 38  # a byte for each condition that a node may note
    assert shallow < far <= shallow + masks


def test_what_a_shortcut_still_needs_is_kept(rng: np.random.Generator) -> None:
    block = {"residual": {"layers": [{"dense": 5}, "tanh", {"dense": 5}]}}
    point = point_of([{"dense": 5}, block, block, "relu", {"dense": 2}], [6, 4])
    weights = rng.standard_normal((3, 5, 4))
    copies = point.loss_with({"dense_1.weight": weights}, point.nodes_after("dense_1.weight"))
    for weight, total in zip(weights, copies.total, strict=True):
        moved = {**point.parameters, "dense_1.weight": weight}
        slots = point.network.forward(moved, point.inputs).slots
        assert total == pytest.approx(point.network.loss(slots, moved).total, rel=1e-14)
    assert point.network.finished(range(5))[:4] == [[0], [], [2], [3]]  # the shortcut reads slot 1


@pytest.mark.parametrize(
    "loss", ["cross_entropy", {"cross_entropy": {"label_smoothing": 0.1}}], ids=str
)
def test_a_loss_on_sequences_takes_a_copy_for_each_class(loss: Any) -> None:
    point = point_of([{"dense": 3}], [4, 7, 5, 2], loss)
    logits = point.slots[1]
    before = point.evaluations
    numeric = NumericCotangents(point, 0).through_loss(0)
    assert point.evaluations - before == 3
    seeds, _ = point.network.loss(point.slots, point.parameters).pullback()
    assert numeric.value.shape == logits.shape
    np.testing.assert_allclose(numeric.value, seeds[1], rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize(
    ("text", "parts"), [("x*exp(x)", 3), ("-" * 9000 + "x", 11), ("+".join("x" * 900), 111)]
)
def test_parts_of_a_formula_are_as_many_as_can_be_looked_at(text: str, parts: int) -> None:
    found = list(passages(Formula.parse(text, {"x"}), "x"))
    assert len(found) == parts
