"""Networks too large for every entry: samples, projections, and the search for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import SpecResult, TensorResult
from gradcli.core.arrays import Array
from gradcli.core.op import Layer
from gradcli.core.registry import CATALOGUE
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

SMALL_BUDGET = 1e6
WEIGHT = "dense_1.weight"

Change = Callable[[Array], Array]


def network(widths: list[int], **more: Any) -> dict[str, Any]:
    layers: list[Any] = []
    for width in widths[1:-1]:
        layers += [{"dense": width}, "relu"]
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [32, widths[0]]}, "targets": "auto"},
        "network": [*layers, {"dense": widths[-1]}],
        "loss": "cross_entropy",
        **more,
    }


def with_wrong_weight_gradient(change: Change, widths: list[int], **more: Any) -> Plan:
    """The network's plan; the first layer's pullback changes the gradient of its weight."""
    dense = CATALOGUE.find("dense", Layer)
    assert dense is not None
    right = dense.function

    def wrong(x: Array, **options: Any) -> tuple[Array, Any]:
        y, pull = right(x, **options)

        def pullback(g: Array) -> tuple[Array, dict[str, Array]]:
            dx, gradients = pull(g)
            return dx, {**gradients, "weight": change(gradients["weight"])}

        return y, pullback

    plan = load_plan(network(widths, **more))
    first = plan.nodes[0].replace(op=dense.replace(function=wrong))
    return plan.replace(nodes=(first, *plan.nodes[1:]))


def tensor_of(result: SpecResult, name: str = WEIGHT) -> TensorResult:
    return next(tensor for tensor in result.tensors if tensor.name == name)


def at(index: tuple[int, ...], factor: float) -> Change:
    def change(gradient: Array) -> Array:
        changed = gradient.copy()
        changed[index] *= factor
        return changed

    return change


def test_one_entry_of_four_hundred_thousand_is_found_and_named() -> None:
    plan = with_wrong_weight_gradient(at((137, 600), 1.1), [784, 512, 10])
    result = check_plan(plan, CheckOptions())
    tensor = tensor_of(result)
    assert (tensor.entries, tensor.checked) == (784 * 512, 784 * 512)
    _only_one_is_named(result, (137, 600))


def test_one_entry_is_found_by_projections() -> None:
    plan = with_wrong_weight_gradient(at((137, 77), 1.1), [128, 256, 10])
    result = check_plan(plan, CheckOptions(budget=SMALL_BUDGET))
    tensor = tensor_of(result)
    assert tensor.checked < tensor.entries
    _only_one_is_named(result, (137, 77))


def _only_one_is_named(result: SpecResult, index: tuple[int, int]) -> None:
    tensor = tensor_of(result)
    assert (tensor.verdict, tensor.wrong) == ("fail", 1)
    assert tensor.worst is not None
    assert tensor.worst.index == index
    errors = [found for found in result.findings if found.severity == "error"]
    assert [(found.where, found.code) for found in errors] == [("dense_1", "GC109")]
    assert str(list(index)) in errors[0].message


def test_exchanged_entries_are_found() -> None:
    def exchange(gradient: Array) -> Array:
        changed = gradient.copy()
        changed[3, 5], changed[200, 90] = gradient[200, 90], gradient[3, 5]
        return changed

    plan = with_wrong_weight_gradient(exchange, [128, 256, 10])
    tensor = tensor_of(check_plan(plan, CheckOptions(budget=SMALL_BUDGET)))
    assert tensor.verdict == "fail"
    assert tensor.wrong == 2


def test_a_mistake_in_every_entry_shows_in_the_sample() -> None:
    plan = with_wrong_weight_gradient(lambda gradient: 2 * gradient, [128, 256, 10])
    result = check_plan(plan, CheckOptions(budget=SMALL_BUDGET))
    tensor = tensor_of(result)
    assert tensor.checked < tensor.entries
    assert [f.code for f in result.findings if f.severity == "error"] == ["GC102"]


def test_a_difference_within_the_grade_is_a_warning() -> None:
    plan = with_wrong_weight_gradient(lambda gradient: (1 + 1e-7) * gradient, [128, 256, 10])
    result = check_plan(plan, CheckOptions(budget=SMALL_BUDGET))
    assert tensor_of(result).verdict == "pass"
    assert ("GC113", WEIGHT) in [(found.code, found.where) for found in result.findings]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(3))
def test_a_correct_network_passes_by_sample_and_projections(dtype: str, seed: int) -> None:
    report = gradcli.check(network([128, 256, 10], dtype=dtype), budget=SMALL_BUDGET, seed=seed)
    assert report.verdict == "pass", report
    assert not [found for found in report.findings if found.severity != "note"]
    weight = tensor_of(report.results[0])
    assert 0 < weight.checked < weight.entries
    shown = report.to_dict()["results"][0]["tensors"][0]
    assert shown["projections"] > 0
    assert shown["checked"] == weight.checked
    # small tensors near the output are cheap, and whole
    assert tensor_of(report.results[0], "dense_2.bias").checked == 10


def test_detectable_error_covers_what_projections_let_through() -> None:
    right = gradcli.check(network([128, 256, 10]), budget=SMALL_BUDGET)
    limit = tensor_of(right.results[0]).detectable_error
    assert 0 < limit < 1e-6

    def beyond(gradient: Array) -> Array:
        changed = gradient.copy()
        changed[17, 3] += 2 * limit
        return changed

    plan = with_wrong_weight_gradient(beyond, [128, 256, 10])
    result = check_plan(plan, CheckOptions(budget=SMALL_BUDGET))
    told = [found for found in result.findings if found.severity != "note"]
    assert told, result.tensors


def test_all_entries_can_be_asked_for() -> None:
    report = gradcli.check(network([128, 256, 10]), budget=SMALL_BUDGET, entries="all")
    assert all(tensor.checked == tensor.entries for tensor in report.tensors)
    assert not any(tensor.projections for tensor in report.tensors)


@pytest.mark.parametrize("oracle", ["ladder", "central", "forward"])
def test_differences_entry_by_entry_keep_to_the_budget_too(oracle: str) -> None:
    """They cost a pass or more for each entry, where complex steps go through a node at once."""
    spec = network([12, 24, 24, 4])
    (whole,) = gradcli.check(spec, budget=3e7).results
    (part,) = gradcli.check(spec, budget=3e7, oracle=oracle).results
    weights = [next(t for t in r.tensors if t.name == "dense_2.weight") for r in (whole, part)]
    assert weights[0].checked == 576
    assert 32 <= weights[1].checked <= 256
    assert part.evaluations < 40 * sum(tensor.checked for tensor in part.tensors)
    assert part.verdict == "pass"


def test_projections_that_differ_where_no_entry_does_are_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search that finds nothing does not make a difference go away."""
    monkeypatch.setattr("gradcli.analysis.gradcheck.examine.search", lambda *_: np.zeros(0, int))
    plan = with_wrong_weight_gradient(at((137, 77), 1.5), [128, 256, 10])
    result = check_plan(plan, CheckOptions(budget=SMALL_BUDGET))
    assert tensor_of(result).verdict == "inconclusive"
    assert any("projections" in found.message for found in result.findings)


def softplus_sum(x: Array) -> float:
    return float(np.sum(np.log1p(np.exp(x))))


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_large_array_of_a_callable_passes_by_sample_and_projections(
    dtype: type, rng: np.random.Generator
) -> None:
    x = rng.standard_normal(20_000).astype(dtype)
    (tensor,) = gradcli.gradcheck(softplus_sum, sigmoid, x).tensors
    assert tensor.verdict == "pass"
    assert 0 < tensor.checked < tensor.entries
    assert tensor.projections


def test_one_wrong_entry_of_a_large_array_is_found(rng: np.random.Generator) -> None:
    report = gradcli.gradcheck(
        softplus_sum,
        lambda x: at((12_345,), 1.1)(sigmoid(x)),
        rng.standard_normal(20_000),
    )
    (tensor,) = report.tensors
    assert tensor.verdict == "fail"
    assert tensor.worst is not None
    assert tensor.worst.index == (12_345,)
    assert [found.code for found in report.findings] == ["GC109"]


def test_many_kinks_of_a_large_array_do_not_make_it_wrong(rng: np.random.Generator) -> None:
    x = rng.standard_normal(20_000)
    x[::3] = 0.0
    report = gradcli.gradcheck(
        lambda x: float(np.maximum(x, 0).sum()), lambda x: np.asarray(x > 0, float), x
    )
    assert report.verdict == "pass", report


def test_all_entries_of_a_callable_can_be_asked_for(rng: np.random.Generator) -> None:
    x = rng.standard_normal(300)
    small, whole = (
        gradcli.gradcheck(softplus_sum, sigmoid, x, budget=1e6, **more).tensors[0]
        for more in ({}, {"entries": "all"})
    )
    assert (small.checked < 300, whole.checked) == (True, 300)
