"""`gradcli.graph`: structure and operations of networks, against counts of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from graph_specs import ALL, HEADS, LOSS_ALONE, MIXED, RECURRENT, graph_of, mlp, node

import gradcli
from gradcli.engine.model import Model
from gradcli.errors import ExitCode, UsageError
from gradcli.report.render import render
from gradcli.report.surface import Surface
from gradcli.testing.counting import Counting, count_operations


def test_nodes_stand_in_topological_order_with_what_they_read() -> None:
    result = graph_of(MIXED)
    seen: set[str] = set()
    for found in result.nodes:
        assert seen.issuperset(found.reads), found.name
        seen.add(found.name)
    assert len(seen) == len(result.nodes)
    assert node(result, "dense_1").reads == ("inputs",)
    assert node(result, "residual_1").reads == ("layer_norm_1", "residual_1.residual_1")
    assert node(result, "residual_1.residual_1").reads == (
        "residual_1.tanh_1",
        "residual_1.residual_1.dense_1",
    )
    assert node(result, "loss").reads == ("loss.mse", "loss.l2", "loss.l1")
    assert node(result, "dense_2").shape == (16, 4)
    assert node(result, "dense_1").parameters == 10 * 12 + 12
    assert result.parameters == sum(
        found.parameters for found in result.nodes if found.kind != "penalty"
    )


@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
def test_operations_are_those_of_the_program(
    spec: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted while it runs, but for what is done with single numbers: means, weights, the sum."""
    full = np.full
    monkeypatch.setattr(np, "full", lambda *given: Counting.of(full(*given)))  # cotangents
    result, model = graph_of(spec), gradcli.load(spec)
    for arrays in (model.parameters, model.buffers, model.inputs, model.targets):
        arrays.update({name: Counting.of(array) for name, array in arrays.items()})
    with model.network.rounded(Counting.of), count_operations() as tally:
        model.value_and_grad()
    stated = result.forward + result.backward
    assert tally.operations.products == stated.products
    plan = model.plan
    summands = len(plan.losses) + sum(len(term.parameters) for term in plan.terms)
    assert tally.operations.elements + 2 * summands - 1 == stated.elements


def test_a_backward_pass_takes_about_twice_the_forward_pass() -> None:
    result = graph_of(mlp(20, width=64, rows=64))
    assert result.backward.total / result.forward.total == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("spec", "depth", "in_time", "width"),
    [
        (mlp(7), 16, 16, 2),
        (MIXED, 13, 13, 4),
        (HEADS, 6, 6, 3),
        (RECURRENT, 5, 9 + 2 + 2, 2),
        (LOSS_ALONE, 1, 1, 1),
    ],
    ids=["mlp", "mixed", "heads", "recurrent", "loss alone"],
)
def test_depth_and_width(spec: Any, depth: int, in_time: int, width: int) -> None:
    """Depth: the longest path to a loss. Width: values alive while a node is run, by hand.

    Three recurrent layers over nine steps: the last runs two steps behind the first.
    In `mixed`, two shortcuts wait while the inner branch turns one value into another.
    """
    result = graph_of(spec)
    assert (result.depth, result.depth_in_time, result.live.values) == (depth, in_time, width)


def longest_path(edges: dict[Any, list[Any]]) -> int:
    """In nodes, by trying every path: `edges` are from each node to those that it reads."""
    return max(1 + longest_path_to(node, edges) for node in edges)


def longest_path_to(node: Any, edges: dict[Any, list[Any]]) -> int:
    return max((1 + longest_path_to(read, edges) for read in edges[node]), default=0)


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize(
    "between", [[], ["tanh"], [{"batch_norm": {}}]], ids=["nothing", "tanh", "batch_norm"]
)
def test_depth_in_time_is_that_of_the_unrolled_graph(steps: int, between: list[Any]) -> None:
    spec = {**RECURRENT, "network": [{"lstm": 3}, *between, {"gru": 3}, "flatten", {"dense": 2}]}
    spec = {**spec, "data": {"inputs": {"shape": [4, steps, 5]}, "targets": "auto"}}
    edges: dict[Any, list[Any]] = {}
    before: list[list[Any]] = [[] for _ in range(steps)]
    for layer, op in enumerate(spec["network"][:-2]):
        if isinstance(op, dict) and "batch_norm" in op:  # one node, which reads all steps
            edges[layer] = [node for reads in before for node in reads]
            before = [[layer]] * steps
            continue
        for t in range(steps):
            previous = [(layer, t - 1)] if t and isinstance(op, dict) else []
            edges[layer, t] = [*before[t], *previous]
        before = [[(layer, t)] for t in range(steps)]
    edges["flatten"] = [node for reads in before for node in reads]
    edges.update({"dense": ["flatten"], "loss": ["dense"]})
    assert graph_of(spec).depth_in_time == longest_path(edges)


def test_what_is_alive_is_far_less_than_width_times_depth() -> None:
    result = graph_of(mlp(50))
    assert result.live.bytes == 2 * 4 * 8 * 8
    assert result.stored > 25 * result.live.bytes


def test_activation_memory_is_what_pullbacks_find() -> None:
    result = graph_of(mlp(1, width=10, rows=6, activation="sigmoid"))
    values = 6 * 10 * 8
    assert node(result, "dense_1").memory == values
    assert node(result, "sigmoid_1").memory == 3 * values  # the output, exp(-|x|), and 1/(1 + that)
    assert node(result, "dense_2").memory == 6 * 8
    relu = graph_of({**mlp(1, 10, 6, "relu"), "dtype": "float32"})
    assert node(relu, "relu_1").memory == 6 * 10 * 4 + 6 * 10  # a byte for each truth value


def test_flattening_takes_no_memory() -> None:
    spec = {**RECURRENT, "network": [{"rnn": 4}, "flatten", {"dense": 2}]}
    assert node(graph_of(spec), "flatten_1").memory == 0


@pytest.mark.parametrize(
    ("features", "units", "better"), [(3, 40, "forward"), (40, 3, "reverse"), (7, 7, "either")]
)
def test_the_mode_follows_from_inputs_and_outputs(features: int, units: int, better: str) -> None:
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [5, features]}, "targets": "auto"},
        "network": [{"dense": 20}, "tanh", {"dense": units}],
        "loss": "mse",
    }
    loss, outputs, by_parameters = graph_of(spec).modes
    assert (loss.inputs, loss.outputs, loss.better) == (graph_of(spec).parameters, 1, "reverse")
    assert (outputs.inputs, outputs.outputs, outputs.better) == (features, units, better)
    assert outputs.by_row
    assert (by_parameters.outputs, by_parameters.by_row) == (5 * units, False)
    coupled = {**spec, "network": [{"dense": 20}, {"batch_norm": {}}, {"dense": units}]}
    _, outputs, _ = graph_of(coupled).modes
    assert (outputs.inputs, outputs.outputs, outputs.by_row) == (5 * features, 5 * units, False)


def test_modes_give_one_jacobian() -> None:
    """As many passes as stated, of either mode, and the same matrix (of a row, all at once)."""
    spec = mlp(2, width=5, rows=6)
    (mode,) = (mode for mode in graph_of(spec).modes if mode.by == "the inputs")
    model = gradcli.load(spec)
    columns = []
    for feature in range(mode.inputs):
        v = np.zeros((6, 5))
        v[:, feature] = 1
        columns.append(model.jvp({"inputs": v}))
    rows = []
    for unit in range(mode.outputs):
        u = np.zeros((6, 1))
        u[:, unit] = 1
        rows.append(model.vjp(u)["inputs"])
    assert np.stack(columns, axis=-1) == pytest.approx(np.stack(rows, axis=1), rel=1e-9, abs=1e-12)


def test_numeric_gradients_cost_two_evaluations_a_parameter() -> None:
    result = graph_of(mlp(3))
    numeric = result.numeric
    assert numeric is not None
    assert numeric.evaluations == 2 * result.parameters
    assert numeric.central == 2 * result.parameters * result.forward.total
    assert numeric.analytic == (result.forward + result.backward).total
    assert numeric.ratio == numeric.central / numeric.analytic


def test_what_depends_on_the_data_is_not_counted() -> None:
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [12, 4]}, "targets": "auto"},
        "network": [{"dense": 3}],
        "loss": {"triplet": {"mining": "hard"}},
    }
    result = graph_of(spec)
    assert result.uncounted == ("loss.triplet",)
    assert node(result, "loss.triplet").forward is None
    assert result.forward == node(result, "dense_1").forward
    assert result.forward.products > 0
    assert "memory       at least" in render(gradcli.graph(spec), "table", Surface())


def test_a_loaded_model_has_the_graph_of_its_spec() -> None:
    model = gradcli.load(MIXED)
    assert isinstance(model, Model)
    assert gradcli.graph(model).results == gradcli.graph(MIXED).results
    with pytest.raises(UsageError, match="a loaded model has its own"):
        gradcli.graph(model, seed=3)
    with pytest.raises(UsageError, match="no spec"):
        gradcli.graph()


def test_a_spec_without_a_network_has_no_graph() -> None:
    spec = {
        "gradcli": 1,
        "define": {"cube": {"kind": "activation", "forward": "x**3", "derivative": "3*x**2"}},
    }
    report = gradcli.graph(spec)
    assert (report.verdict, report.exit_code) == ("invalid", ExitCode.INVALID)
    assert "has definitions only" in str(report)


def test_precision_halves_bytes_and_no_operations() -> None:
    double, single = graph_of(MIXED), graph_of(MIXED, dtype="float32")
    assert single.forward == double.forward
    assert single.parameter_bytes * 2 == double.parameter_bytes
    assert single.live.bytes * 2 == double.live.bytes
