"""Schedules of backpropagation: the same gradients, and the memory that was planned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from graph_specs import ALL, CONSISTENT, HEADS, MIXED, RECURRENT, SPECS, graph_of, mlp, node

import gradcli
from gradcli.analysis.graph import Operations
from gradcli.analysis.graph.execute import execute, measure
from gradcli.analysis.graph.nodes import Skeleton
from gradcli.analysis.graph.schedule import steps_of
from gradcli.engine.segments import even_segments
from gradcli.errors import ExitCode
from gradcli.report.render import render
from gradcli.report.surface import Surface


@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_every_schedule_gives_the_gradient_to_the_last_bit(
    spec: Mapping[str, Any], count: int
) -> None:
    model = gradcli.load(spec)
    skeleton = Skeleton(model.plan)
    segments = even_segments([1] * skeleton.count, count) or (range(0),)
    found = execute(model, steps_of(skeleton, segments))
    _, expected = model.value_and_grad()
    assert list(found) == list(expected)
    for name, gradient in expected.items():
        assert found[name].tobytes() == gradient.tobytes(), name


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_schedule_keeps_nothing_to_its_end(spec: Mapping[str, Any]) -> None:
    skeleton = Skeleton(gradcli.load(spec).plan)
    for segments in (even_segments([1] * skeleton.count, 3) or (range(0),),):
        there: set[int] = set()
        for step in steps_of(skeleton, segments):
            if step.does in ("run", "keep"):
                there.add(step.at + 1)
            elif step.does == "forget":
                there.remove(step.at)
        assert not there


def wide(spec: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """The same with more rows, so that arrays are large beside the objects around them."""
    shape = spec["data"]["inputs"]["shape"]
    return {**spec, "data": {"inputs": {"shape": [rows, *shape[1:]]}, "targets": "auto"}}


LARGE: dict[str, dict[str, Any]] = {
    "mixed": wide(MIXED, 3000),
    "heads": wide(HEADS, 4000),
    "recurrent": wide(RECURRENT, 400),
    "consistent": wide(CONSISTENT, 4000),
    "deep": mlp(60, width=40, rows=100),
    "deep, float32": {**mlp(60, width=60, rows=100, activation="relu"), "dtype": "float32"},
    "residual": {
        **mlp(1, width=40, rows=100),
        "network": [
            {"repeat": {"times": 30, "layers": [{"residual": [{"dense": 40}, "swish"]}]}},
            {"dense": 1},
        ],
    },
    "mostly weights": mlp(6, width=300, rows=4),
    "normalized": {
        **mlp(1, width=40, rows=100),
        "network": [
            {"repeat": {"times": 20, "layers": [{"dense": 40}, "layer_norm", "gelu"]}},
            {"dense": 1},
        ],
    },
}


@pytest.mark.parametrize("spec", LARGE.values(), ids=LARGE)
def test_measured_memory_is_the_planned_one(spec: dict[str, Any]) -> None:
    """Both schedules, run for real: within 20 %, and the same gradients to the last bit."""
    result = graph_of(spec, run=True)
    assert result.measured is not None
    assert result.checkpointing is not None
    assert not result.measured.differs
    assert result.measured.plain_peak == pytest.approx(result.plain_peak, rel=0.2)
    assert result.measured.checkpointed_peak == pytest.approx(result.checkpointing.peak, rel=0.2)


def test_checkpoints_take_memory_like_the_root_of_the_depth() -> None:
    peaks = {}
    for depth in (100, 400, 1600):
        result = graph_of(mlp(depth))
        assert result.checkpointing is not None
        gradients = result.parameter_bytes
        peaks[depth] = result.plain_peak - gradients, result.checkpointing.peak - gradients
        assert result.checkpointing.segments == pytest.approx(math.sqrt(2 * depth + 1), rel=0.25)
        assert 0.25 < result.checkpointing.overhead < 0.4  # about one more forward pass of three
    for less, more in ((100, 400), (400, 1600)):
        assert peaks[more][0] / peaks[less][0] == pytest.approx(4, rel=0.1)
        assert peaks[more][1] / peaks[less][1] == pytest.approx(2, rel=0.2)


def test_recomputed_operations_are_those_of_the_segments_run_twice() -> None:
    result = graph_of(mlp(50))
    plan = result.checkpointing
    assert plan is not None
    names = [found.name for found in result.nodes]
    last = names.index(plan.starts[-1])
    again = sum(found.forward.total for found in result.nodes[1:last] if found.forward)
    assert plan.recomputed.total == again
    assert plan.overhead == again / (result.forward + result.backward).total
    assert plan.checkpoints == tuple(names[names.index(start) - 1] for start in plan.starts[1:])


def test_a_network_that_is_too_short_is_not_cut() -> None:
    result = graph_of(mlp(1))
    assert result.checkpointing is not None
    assert result.checkpointing.peak == result.plain_peak
    assert (result.checkpointing.segments, result.checkpointing.overhead) == (1, 0.0)


def test_every_part_that_is_run_again_saves_memory() -> None:
    for spec in LARGE.values():
        result = graph_of(spec)
        plan = result.checkpointing
        assert plan is not None
        assert plan.segments == 1 or plan.peak < result.plain_peak


def test_a_gradient_that_differs_is_told() -> None:
    """A node that computes something else the second time, as a mask drawn anew would."""
    model = gradcli.load(mlp(4))
    skeleton = Skeleton(model.plan)
    run_node, runs = model.network.run_node, [0]

    def drifting(index: int, slots: Any, parameters: Any) -> Any:
        y, pull = run_node(index, slots, parameters)
        runs[0] += index == 1
        return y + 1e-9 * runs[0], pull

    model.network.run_node = drifting  # type: ignore[method-assign]
    found = measure(model, skeleton, (range(9),), even_segments([1] * 9, 3))
    assert found.differs == "dense_1.weight"
    assert found.to_dict()["identical"] is False


def test_a_part_that_is_not_repeatable_fails(tmp_path: Path) -> None:
    (tmp_path / "drifting.py").write_text(
        "import itertools\n"
        "COUNT = itertools.count()\n"
        "class Drifting:\n"
        "    def forward(self, x, parameters):\n"
        "        return x + 1e-6 * next(COUNT)\n"
        "    def backward(self, x, parameters, output, cotangent):\n"
        "        return cotangent * 1.0\n"
    )
    (tmp_path / "spec.yaml").write_text(
        "gradcli: 1\n"
        "define: {drifting: {kind: layer, python: drifting.py, class: Drifting}}\n"
        "data: {inputs: {shape: [4, 3]}, targets: auto}\n"
        "network: [dense: 3, drifting, tanh, dense: 3, tanh, dense: 1]\n"
        "loss: mse\n"
    )
    report = gradcli.graph(tmp_path / "spec.yaml", run=True, allow_python=True)
    (result,) = report.results
    assert result.uncounted == ("drifting_1",)
    assert result.measured is not None
    assert result.measured.differs
    assert (report.verdict, report.exit_code) == ("fail", ExitCode.WRONG)
    for form in ("table", "markdown"):
        text = render(report, form, Surface())
        assert "differs" in text
        assert "GC005" in text


def test_nothing_is_allocated_for_a_network_beyond_the_memory() -> None:
    spec = mlp(200, width=3000, rows=1000)
    result = graph_of(spec, max_memory=2**28)
    assert result.plain_peak > 2**32
    assert isinstance(result.forward, Operations)
    report = gradcli.graph(spec, max_memory=2**28, run=True)
    assert report.verdict == "invalid"
    assert "of memory" in str(report)
    assert "without --run the graph is worked out from shapes alone" in str(report)


def test_definitions_cost_what_their_formulas_write() -> None:
    """x·sigmoid(2·x) takes three operations; with a claim its backward those of the claim."""
    layers = [{"repeat": {"times": 30, "layers": [{"dense": 40}, "own"]}}, {"dense": 1}]
    own = {"kind": "activation", "forward": "x * sigmoid(2 * x)"}
    claimed = {**own, "derivative": "sigmoid(2 * x) * (1 + 2 * x * (1 - sigmoid(2 * x)))"}
    for definition, backward in ((own, 9), (claimed, 9 + 1)):
        spec = {
            **mlp(1, width=40, rows=200),
            "define": {"own": definition},
            "network": layers,
        }
        result = graph_of(spec, run=True)
        found = node(result, "own_1")
        assert (found.forward, found.backward) == (
            Operations(elements=3 * 200 * 40),
            Operations(elements=backward * 200 * 40),
        )
        assert result.measured is not None
        assert result.checkpointing is not None
        assert result.measured.plain_peak == pytest.approx(result.plain_peak, rel=0.2)
        planned = result.checkpointing.peak
        assert result.measured.checkpointed_peak == pytest.approx(planned, rel=0.2)
