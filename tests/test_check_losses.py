"""The check of every loss of the catalogue: alone, behind a network, and exactly at its kinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.op import Loss, OutputTerm
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode, SpecError
from gradcli.spec import load_plan
from gradcli.testing import Case, cases

CASES = [case for op in CATALOGUE.all(Loss) for case in cases(op)]
LAST = {"probability": "sigmoid", "log-probabilities": "log_softmax"}
"""The activation that makes of outputs what a loss reads, by its argument."""

every_loss = pytest.mark.parametrize("case", CASES, ids=str)
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def written(case: Case) -> dict[str, Any]:
    if isinstance(case.op, OutputTerm):
        return {"sum": [{case.op.name: {"weight": -0.5, **case.options}}]}
    return {case.op.name: dict(case.options)}


def passes(spec: dict[str, Any], case: Case) -> gradcli.CheckReport:
    report = gradcli.check({"gradcli": 1, **spec})
    assert report.verdict == "pass", report
    found = [found.code for found in report.findings if found.severity != "note"]
    flat = case.subject.traits is not None and case.subject.traits.outlier == "none"
    assert found == ["SP107"] * flat, report
    learned = [tensor.name for tensor in report.tensors if tensor.kind == "loss-parameter"]
    assert isinstance(case.op, Loss)
    expected = case.op.weights(**case.options) if case.op.weights else {}
    assert learned == [f"loss.{name}" for name in expected]
    return report


@dtypes
@every_loss
def test_alone(case: Case, dtype: str, rng: np.random.Generator) -> None:
    assert isinstance(case.op, Loss)
    traits = case.op.traits_at(case.options)
    low, high = (-3.0, 3.0) if traits is None else traits.domain
    inputs = rng.uniform(max(low, -3.0), min(high, 3.0), (12, 4))
    data = {"inputs": {"values": inputs}, "targets": "auto"}
    passes({"dtype": dtype, "data": data, "loss": written(case)}, case)


@dtypes
@every_loss
def test_behind_a_network(case: Case, dtype: str) -> None:
    argument = case.subject.traits.argument if case.subject.traits else None
    data = {"inputs": {"shape": [12, 5]}, "targets": "auto"}
    last = [LAST[argument]] if argument in LAST else []
    network = [{"dense": 6}, "tanh", {"dense": 4}, *last]
    passes({"dtype": dtype, "data": data, "network": network, "loss": written(case)}, case)


@dtypes
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.subject.kinks and case.subject.elementwise], ids=str
)
def test_exactly_at_a_kink(case: Case, dtype: str) -> None:
    """Every element at its kink; beside it there is a dense layer to look through."""
    target = -1.0 if case.subject.reads == "signs" else 0.5
    kink = case.subject.kinks[0]
    at = kink * target if case.subject.reads == "signs" else kink + target
    data = {"inputs": {"values": [[at]] * 3}, "targets": {"values": [target] * 3}}
    for network in ([], [{"dense": {"units": 1, "init": "ones", "bias": False}}]):
        spec = {"dtype": dtype, "data": data, "loss": written(case), "network": network}
        if not network:
            del spec["network"]
        report = passes(spec, case)
        (note,) = [found for found in report.findings if found.code == "GC201"]
        assert note.data["count"] == 3


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"adaptive_robust": {"alpha": 2, "learn": "all"}}, "cannot start at 2"),
        ({"adaptive_robust": {"alpha": -1, "learn": "scale"}}, "no likelihood"),
    ],
)
def test_options_that_do_not_go_together(loss: dict[str, Any], expected: str) -> None:
    data = {"inputs": {"shape": [4, 2]}, "targets": "auto"}
    with pytest.raises(SpecError) as caught:
        gradcli.load({"gradcli": 1, "data": data, "loss": loss})
    (problem,) = caught.value.errors
    assert (problem.code, problem.key) == ("SP009", "loss.adaptive_robust")
    assert expected in problem.message


def test_learned_parameters_of_several_losses_are_told_apart() -> None:
    summands = [{"gaussian_nll": {"learn": True}}, {"gaussian_nll": {"variance": 2, "learn": True}}]
    data = {"inputs": {"shape": [4, 2]}, "targets": "auto"}
    report = gradcli.check({"gradcli": 1, "data": data, "loss": {"sum": summands}})
    assert report.verdict == "pass", report
    names = [tensor.name for tensor in report.tensors if tensor.kind == "loss-parameter"]
    assert names == ["loss.gaussian_nll.log_variance", "loss.gaussian_nll_2.log_variance"]


def test_a_wrong_gradient_of_a_learned_parameter_is_found() -> None:
    op = CATALOGUE.find("gaussian_nll", Loss)
    assert op is not None

    def doubled(*arguments: Any, **options: Any) -> Any:
        value, pull = op.function(*arguments, **options)

        def pullback(g: Any) -> Any:
            dp, dlearned = pull(g)
            return dp, 2 * dlearned

        return value, pullback

    catalogue = CATALOGUE.extended([op.replace(name="doubled_nll", function=doubled)])
    data = {"inputs": {"shape": [8, 2]}, "targets": "auto"}
    spec = {"gradcli": 1, "data": data, "loss": {"doubled_nll": {"learn": True}}}
    result = check_plan(load_plan(spec, catalogue=catalogue), CheckOptions())
    assert result.verdict == "fail"
    (wrong,) = [tensor.name for tensor in result.tensors if tensor.verdict == "fail"]
    assert wrong == "loss.log_variance"
    (found,) = [found for found in result.findings if found.severity == "error"]
    assert found.code == "GC102"
    assert found.data["factor"] == pytest.approx(2)


def test_terms_on_outputs_stand_in_a_sum_with_a_weight() -> None:
    data = {"inputs": {"shape": [6, 3]}, "targets": "auto"}
    for loss, code, hint in (
        ("entropy", "SP007", "entropy is the name of a term"),
        ({"sum": ["cross_entropy", "entropy"]}, "SP008", "write `entropy: {weight: 0.1}`"),
    ):
        with pytest.raises(SpecError) as caught:
            gradcli.load({"gradcli": 1, "data": data, "loss": loss})
        (problem,) = caught.value.errors
        assert (problem.code, problem.hint) == (code, hint)


@pytest.mark.parametrize("weight", [-0.1, 0.25])
def test_entropy_adds_to_the_loss_with_the_sign_of_its_weight(weight: float) -> None:
    """Equal logits have the entropy log(features), and there its slope is zero."""
    data = {"inputs": {"values": [[2.0, 2.0, 2.0]] * 2}, "targets": {"values": [0, 1]}}
    summands = ["cross_entropy", {"entropy": {"weight": weight}}]
    model = gradcli.load({"gradcli": 1, "data": data, "loss": {"sum": summands}})
    value, gradients = model.value_and_grad()
    assert value == pytest.approx(np.log(3) * (1 + weight), rel=1e-15)
    expected = (np.full((2, 3), 1 / 3) - np.eye(3)[:2]) / 2
    np.testing.assert_allclose(gradients["inputs"], expected, rtol=1e-15)


def test_a_loss_without_slope_is_vacuous_and_strict_says_so() -> None:
    data = {"inputs": {"shape": [8, 3]}, "targets": "auto"}
    spec = {"gradcli": 1, "data": data, "network": [{"dense": 3}], "loss": "zero_one"}
    report = gradcli.check(spec)
    assert report.exit_code == ExitCode.OK
    assert all(tensor.vacuous for tensor in report.tensors)
    assert gradcli.check(spec, strict=True).exit_code == ExitCode.UNDECIDED


# Loss, rows and targets of one group, and whether it lies at a kink.
GROUPS: dict[str, tuple[Any, list[list[float]], list[float], bool]] = {
    "similar-rows-coincide": ("contrastive", [[1.5, -2], [1.5, -2]], [0], False),
    "dissimilar-rows-coincide": ("contrastive", [[1.5, -2], [1.5, -2]], [1], True),
    "dissimilar-rows-of-zeros": ("contrastive", [[0, 0], [0, 0]], [1], True),
    "dissimilar-rows-at-the-margin": (
        {"contrastive": {"margin": 5}}, [[3, 0], [0, 4]], [1], False,
    ),
    "triple-at-the-margin": ({"triplet": {"margin": 7}}, [[0, 0], [3, 0], [0, 4]], [], True),
    "triple-at-the-margin-of-lengths": (
        {"triplet": {"margin": 1, "distance": "euclidean"}}, [[0, 0], [3, 0], [0, 4]], [], True,
    ),
    "positive-coincides": (
        {"triplet": {"distance": "euclidean"}}, [[0.5, 1], [0.5, 1], [1, 1]], [], True,
    ),
    "negative-coincides": (
        {"triplet": {"distance": "euclidean"}}, [[0.5, 1], [1, 2], [0.5, 1]], [], True,
    ),
    "all-coincide": ({"triplet": {"distance": "euclidean"}}, [[0.5, 1]] * 3, [], True),
    "coinciding-squares": ("triplet", [[0.5, 1]] * 3, [], False),
}  # fmt: skip


def of_one_group(name: str, dtype: str = "float64") -> dict[str, Any]:
    loss, rows, targets, _ = GROUPS[name]
    data: dict[str, Any] = {"inputs": {"values": rows}}
    if targets:
        data["targets"] = {"values": targets}
    return {"gradcli": 1, "dtype": dtype, "data": data, "loss": loss}


@dtypes
@pytest.mark.parametrize("name", GROUPS)
def test_a_group_of_rows_at_a_kink(name: str, dtype: str) -> None:
    """The kink is seen and named, and the slope chosen there passes."""
    report = gradcli.check(of_one_group(name, dtype))
    assert report.verdict == "pass", report
    notes = [found for found in report.findings if found.code == "GC201"]
    assert [note.data["units"] for note in notes] == [[[0]]] * GROUPS[name][3]


@dtypes
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", GROUPS)
def test_rounding_may_take_another_side_of_a_kink(name: str, seed: int, dtype: str) -> None:
    """Behind a rotation a margin is met up to rounding only, which differs between precisions."""
    spec = of_one_group(name, dtype)
    spec["network"] = [{"dense": {"units": 2, "init": "orthogonal"}}]
    report = gradcli.check(spec, seed=seed)
    assert report.verdict == "pass", report


# Of the chosen slope: outside of those on either side, which are at most 2 for the pair.
BEYOND: dict[str, Callable[[Any], Any]] = {
    "dissimilar-rows-coincide": lambda slope: slope + np.array([[3.0, 0], [-3, 0]]),
    "triple-at-the-margin": lambda slope: 1.5 * slope,
    "triple-at-the-margin-of-lengths": lambda slope: -slope,
    "positive-coincides": lambda slope: slope + 5,
}


@pytest.mark.parametrize("name", BEYOND)
def test_a_slope_beyond_those_of_both_sides_is_no_choice(name: str) -> None:
    spec = of_one_group(name)
    called, options = next(iter(spec["loss"].items())) if isinstance(spec["loss"], dict) else (
        spec["loss"], {},
    )  # fmt: skip
    op = CATALOGUE.find(called, Loss)
    assert op is not None

    def wrong(*arguments: Any, **options: Any) -> Any:
        value, pull = op.function(*arguments, **options)
        return value, lambda g: g * BEYOND[name](pull(np.ones_like(g)))

    catalogue = CATALOGUE.extended([op.replace(name="wrong", function=wrong)])
    spec["loss"] = {"wrong": options}
    result = check_plan(load_plan(spec, catalogue=catalogue), CheckOptions())
    assert result.verdict in ("fail", "inconclusive")
    assert not [found for found in result.findings if found.code == "GC201"]


@pytest.mark.parametrize("slope", [-1.2, -1.5, 0.5])
def test_nor_is_one_of_an_element_at_its_margin(slope: float) -> None:
    """Nudged, the element leaves its margin, which must not count as the claim's own noise."""
    op = CATALOGUE.find("hinge", Loss)
    assert op is not None

    def wrong(p: Any, y: Any) -> Any:
        value, pull = op.function(p, y)
        return value, lambda g: np.where(y * p == 1, g * y * slope, pull(g))

    catalogue = CATALOGUE.extended([op.replace(name="wrong", function=wrong)])
    data = {"inputs": {"values": [[1], [-1], [1]]}, "targets": {"values": [1, -1, 1]}}
    plan = load_plan({"gradcli": 1, "data": data, "loss": "wrong"}, catalogue=catalogue)
    result = check_plan(plan, CheckOptions())
    assert result.verdict in ("fail", "inconclusive")
