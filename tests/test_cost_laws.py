"""Costs: stated numbers equal counts by hand, and the laws about them catch mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planted import Mutants, breaches, original

from gradcli.core.copies import CHANGE, CLEAN, NOISY_COPY
from gradcli.core.cost import Cost, Operations, per_element
from gradcli.core.op import Activation, Layer, Loss, Op, Term, Weighting
from gradcli.core.special import erfc
from gradcli.testing import LAWS, cases
from gradcli.testing.counting import Counting, count_operations

BATCH, STEPS, FEATURES, UNITS = 32, 7, 20, 12
ROWS = BATCH * STEPS


def cost_of(name: str, shape: tuple[int, ...], **options: Any) -> Cost:
    op = original(name, Layer)
    cost = op.cost_at(shape, {**op.defaults(), **options})
    assert isinstance(cost, Cost)
    return cost


def test_dense_by_hand() -> None:
    cost = cost_of("dense", (BATCH, FEATURES), units=UNITS)
    # each output a product of 20 terms, 19 additions of them, and the bias
    assert cost.forward.total == BATCH * UNITS * (20 + 19 + 1)
    to_input = BATCH * FEATURES * (12 + 11)
    to_weight = UNITS * FEATURES * (32 + 31)
    to_bias = UNITS * 31
    assert cost.backward == Operations(to_input + to_weight, to_bias)
    without = cost_of("dense", (BATCH, FEATURES), units=UNITS, bias=False)
    assert without.forward == Operations(BATCH * UNITS * 39, 0)
    assert without.backward == Operations(to_input + to_weight, 0)


def test_lstm_by_hand() -> None:
    cost = cost_of("lstm", (BATCH, STEPS, FEATURES), units=UNITS)
    gates = 4 * UNITS
    # W_ih x_t and W_hh h_t in every step
    assert cost.forward.products == ROWS * gates * (2 * FEATURES - 1) + ROWS * gates * (
        2 * UNITS - 1
    )
    sigmoid, tanh = 9, 1
    cell = (
        4 * 3  # b_ih, b_hh, and the sum of both parts, for four gates
        + 3 * sigmoid + tanh  # i, f, o, and g
        + 3  # c = f·c + i·g
        + tanh + 1  # h = o·tanh(c)
    )  # fmt: skip
    assert cost.forward.elements == ROWS * UNITS * cell
    to_input = ROWS * FEATURES * (2 * gates - 1)
    to_state = ROWS * UNITS * (2 * gates - 1)
    to_weights = gates * (FEATURES + UNITS) * (2 * ROWS - 1)
    assert cost.backward.products == to_input + to_state + to_weights
    of_sigmoid, of_tanh = 3, 11
    cell = (
        1 + of_tanh + 1  # dc + pull(dh·o)
        + 3 * (1 + of_sigmoid) + 1 + of_tanh  # each gate its product, and its slope
        + 1  # dc·f
        + 1  # what the state of the next step adds
    )  # fmt: skip
    biases = 2 * gates * (ROWS - 1)
    outputs = BATCH * (STEPS - 1) * UNITS  # cotangents of the outputs but the last
    assert cost.backward.elements == ROWS * UNITS * cell + biases + outputs


def test_layer_norm_by_hand() -> None:
    cost = cost_of("layer_norm", (BATCH, FEATURES))
    size = BATCH * FEATURES
    statistics = (
        BATCH * (FEATURES - 1) + BATCH  # mean
        + size  # x - mean
        + size + BATCH * (FEATURES - 1) + BATCH  # its square, and the mean of that
        + 3 * BATCH  # 1/√(variance + eps)
    )  # fmt: skip
    assert cost.forward == Operations(0, statistics + size + 2 * size)  # ·scale·weight + bias
    parameters = size + FEATURES * (BATCH - 1) + FEATURES * (BATCH - 1) + size
    means = 2 * (BATCH * (FEATURES - 1) + BATCH)
    assert cost.backward == Operations(0, parameters + means + 5 * size)
    assert cost.kept == size + BATCH  # y before its weight, and the scale


def test_a_backward_pass_takes_twice_the_products_of_a_forward_pass() -> None:
    for name, shape in (("dense", (512, 300)), ("lstm", (64, 50, 300)), ("rnn", (64, 50, 300))):
        cost = cost_of(name, shape, units=200)
        assert cost.backward.products == pytest.approx(2 * cost.forward.products, rel=0.01)


def test_products_grow_with_both_widths_and_with_time_steps() -> None:
    """O(n_i·n_{i+1}) for each example, and O(T·h²) for a recurrent layer."""
    one = cost_of("dense", (8, 500), units=300).forward.products
    assert cost_of("dense", (8, 1000), units=900).forward.products == pytest.approx(
        6 * one, rel=1e-2
    )
    assert cost_of("dense", (80, 500), units=300).forward.products == 10 * one
    one = cost_of("rnn", (8, 10, 300), units=300).forward.products
    assert cost_of("rnn", (8, 30, 300), units=300).forward.products == 3 * one
    assert cost_of("rnn", (8, 10, 600), units=600).forward.products == pytest.approx(
        4 * one, rel=1e-2
    )


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: x + 1, Operations(0, 12)),
        (lambda x: np.exp(-x) * 2, Operations(0, 36)),
        (lambda x: np.where(x > 0, x, 0), Operations(0, 24)),
        (lambda x: x.sum(), Operations(0, 11)),
        (lambda x: x.sum(axis=0), Operations(0, 8)),
        (lambda x: x.mean(axis=-1), Operations(0, 9 + 3)),
        (lambda x: x.max(axis=-1, keepdims=True), Operations(0, 9)),
        (lambda x: np.argmax(x, axis=-1), Operations(0, 9)),
        (lambda x: x @ x.T, Operations(9 * 7, 0)),
        (lambda x: np.ones((5, 2, 3)) @ x, Operations(5 * 2 * 4 * 5, 0)),
        (lambda x: np.concatenate([x, x]).reshape(2, -1).T, Operations(0, 0)),
        (lambda x: (x.astype(int) + 1) * 2, Operations(0, 0)),
        (lambda x: erfc(x) * 0.5, Operations(0, 24)),
        (lambda x: [np.add.at(np.zeros((3, 4)), 0, x[0]), x][1], Operations(0, 4)),
    ],
)
def test_counting(compute: Callable[[Any], Any], expected: Operations) -> None:
    x = Counting.of(np.arange(12.0).reshape(3, 4))
    with count_operations() as tally:
        found = compute(x)
    assert tally.operations == expected
    assert np.array_equal(np.asarray(found), compute(np.asarray(x)))


def test_nothing_is_counted_outside() -> None:
    with count_operations() as tally:
        pass
    Counting.of(np.ones(3)) + 1
    assert tally.operations == Operations()


@pytest.mark.parametrize("op", [NOISY_COPY, CLEAN, CHANGE], ids=lambda op: op.name)
@pytest.mark.parametrize("law", ["operations", "memory"])
def test_layers_that_no_spec_names_keep_the_laws(op: Op, law: str) -> None:
    for case in cases(op):
        LAWS[law].check(case)


def test_an_op_whose_cost_depends_on_the_data_states_none() -> None:
    triplet = original("triplet", Loss)
    options = triplet.defaults()
    assert triplet.cost_at((6, 4), options) is not None
    assert triplet.cost_at((6, 4), {**options, "mining": "hard"}) is None


mutant = Mutants()


def costing(name: str, kind: type[Op], **changed: Any) -> Op:
    """An op that states another cost: of each field what `changed` makes of it."""
    op = original(name, kind)

    def cost(shape: tuple[int, ...], **options: Any) -> Cost:
        right = op.cost(shape, **options)
        assert isinstance(right, Cost)
        return right.replace(**{field: to(getattr(right, field)) for field, to in changed.items()})

    return op.replace(cost=cost)  # type: ignore[no-any-return]


def more(operations: Operations) -> Operations:
    return operations + Operations(elements=1)


CHANGES: dict[str, tuple[str, Op]] = {
    "dense_one_operation_more": ("operations", costing("dense", Layer, forward=more)),
    "lstm_with_one_product_backward": (
        "operations",
        costing("lstm", Layer, backward=lambda o: Operations(o.products // 2, o.elements)),
    ),
    "relu_that_takes_nothing": (
        "operations",
        costing("relu", Activation, forward=lambda o: Operations()),
    ),
    "softmax_without_its_sums": (
        "operations",
        original("softmax", Activation).replace(
            cost=per_element(8, 11, kept=(2, 1), flags=1, scratch=(2, 2))
        ),
    ),
    "mse_one_operation_more": ("operations", costing("mse", Loss, backward=more)),
    "l2_one_operation_more": ("operations", costing("l2", Term, forward=more)),
    "weighting_one_operation_more": (
        "operations",
        costing("multi_task", Weighting, backward=more),
    ),
    "tanh_without_a_cost": ("operations", original("tanh", Activation).replace(cost=None)),
    "sigmoid_that_keeps_nothing": ("memory", costing("sigmoid", Activation, kept=lambda k: 0)),
    "relu_without_its_flags": ("memory", costing("relu", Activation, flags=lambda k: 0)),
    "lstm_that_keeps_a_gate_less": (
        "memory",
        costing("lstm", Layer, kept=lambda k: k * 16 // 17),
    ),
    "cross_entropy_that_keeps_more": (
        "memory",
        costing("cross_entropy", Loss, kept=lambda k: 2 * k),
    ),
    "flatten_as_a_copy": ("memory", costing("flatten", Layer, is_view=lambda v: False)),
    "tanh_as_a_view": ("memory", costing("tanh", Activation, is_view=lambda v: True)),
    "gelu_without_scratch": ("memory", costing("gelu", Activation, scratch=lambda s: (0, 0))),
    "gru_with_twice_the_scratch": (
        "memory",
        costing("gru", Layer, scratch=lambda s: (s[0], 9 * s[1])),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_false_cost_is_caught(name: str) -> None:
    law, op = CHANGES[name]
    assert breaches(law, op)


@mutant("memory")
def a_pullback_that_keeps_what_it_does_not_need() -> Op:
    correct = original("tanh", Activation)

    def tanh(x: Any) -> Any:
        y, pull = correct.function(x)
        unneeded = x + 1

        def pullback(g: Any) -> Any:
            return pull(g) + 0 * unneeded.sum()

        return y, pullback

    tanh.__doc__ = "A mistake."
    return correct.replace(function=tanh)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", mutant)
def test_a_wasteful_computation_is_caught(name: str) -> None:
    law, make = mutant[name]
    assert breaches(law, make())
