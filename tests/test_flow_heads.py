"""Flow through a network with several heads: each head's own chain, as if it were alone."""

from __future__ import annotations

from typing import Any

import pytest

import gradcli
from gradcli.analysis.flow import FlowOptions, FlowResult, analyse_flow
from gradcli.analysis.flow.heads import by_head
from gradcli.errors import ExitCode
from gradcli.report.render import render
from gradcli.report.surface import FILE
from gradcli.spec import load_plan

DEEP: list[Any] = [{"repeat": {"times": 12, "layers": [{"dense": 16}, "sigmoid"]}}, {"dense": 1}]
SHALLOW: list[Any] = [{"dense": 16}, "tanh", {"dense": 3}]
TASKS = {"depth": "mse", "label": "cross_entropy"}


def spec(trunk: list[Any], depth: list[Any], label: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "gradcli": 1,
        "name": "two",
        "data": {"inputs": {"shape": [32, 16]}, "targets": "auto"},
        "network": {"trunk": trunk, "heads": {"depth": depth, "label": label}},
        "loss": {"multi_task": {"weighting": "uncertainty", "tasks": TASKS}},
        **more,
    }


BOTH = spec([{"dense": 16}, "tanh"], DEEP, SHALLOW)


def results(source: dict[str, Any]) -> dict[str | None, FlowResult]:
    report = analyse_flow(load_plan(source), FlowOptions(seeds=2))
    return {result.head: result for result in report.results}


def test_each_head_is_judged_by_itself_and_the_worst_counts() -> None:
    found = results(BOTH)
    assert {head: result.verdict for head, result in found.items()} == {
        "depth": "vanishing", "label": "healthy",
    }  # fmt: skip
    assert [layer.name for layer in found["label"].layers] == ["dense_1", "label.dense_1"]
    assert [layer.name for layer in found["depth"].layers] == [
        "dense_1", *(f"depth.dense_{i}" for i in range(1, 13)),
    ]  # fmt: skip
    assert gradcli.flow(BOTH, seeds=2).verdict == "vanishing"


def test_a_head_flows_as_the_same_chain_without_the_other() -> None:
    """With the trunk's activation in the heads, both of which read the bare dense layer."""
    source = spec([{"dense": 16}], ["tanh", *SHALLOW], ["relu", {"dense": 3}])
    alone = {
        **source,
        "network": {"trunk": [{"dense": 16}], "heads": {"depth": ["tanh", *SHALLOW]}},
        "loss": "mse",
    }
    depth = results(source)["depth"]
    (only,) = analyse_flow(load_plan(alone), FlowOptions(seeds=2)).results
    assert only.head is None
    assert depth.layers[0].activation == "tanh"
    assert [layer.name for layer in depth.layers] == [layer.name for layer in only.layers]
    for here, there in zip(depth.layers, only.layers, strict=True):
        assert here.gain == pytest.approx(there.gain, rel=1e-12)
        assert here.log10_bound == pytest.approx(there.log10_bound, rel=1e-12)


def test_the_plan_of_a_head_has_its_nodes_and_its_loss_alone() -> None:
    plans = by_head(load_plan(BOTH))
    label = plans["label"]
    assert [node.name for node in label.nodes] == [
        "dense_1", "tanh_1", "label.dense_1", "label.tanh_1", "label.dense_2",
    ]  # fmt: skip
    assert [node.inputs for node in label.nodes] == [(0,), (1,), (2,), (3,), (4,)]
    assert [(loss.name, loss.slot) for loss in label.losses] == [("loss.label", 5)]
    assert set(label.targets) == {"label"}
    single = load_plan({**BOTH, "network": SHALLOW, "loss": "mse"})
    assert by_head(single) == {None: single}


@pytest.mark.parametrize(
    ("expected", "code"), [("vanishing", ExitCode.OK), ("healthy", ExitCode.WRONG)]
)
def test_an_expectation_is_of_the_worst_verdict(expected: str, code: ExitCode) -> None:
    assert gradcli.flow({**BOTH, "expect": {"flow": expected}}, seeds=2).exit_code == code


def test_progress_counts_the_draws_of_all_heads() -> None:
    told: list[tuple[int, int]] = []
    analyse_flow(load_plan(BOTH), FlowOptions(seeds=2), lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_every_report_says_which_head(form: str) -> None:
    report = gradcli.flow(BOTH, seeds=1)
    text = render(report, form, FILE)
    for head in ("depth", "label"):
        assert (f'"head": "{head}"' if form == "json" else f"two, head {head}") in text
        assert f"two, head {head}: " in str(report)
