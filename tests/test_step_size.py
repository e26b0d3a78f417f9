"""The measured error of differences over their step has the shape that theory gives it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.step_size import StepCurve, measure_step_sizes
from gradcli.cli.main import main
from gradcli.errors import SpecError, UsageError
from gradcli.spec import load_plan

SPECS = Path(__file__).parent.parent / "specs"

CURVED: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [8, 3]}, "targets": "auto"},
    "network": [{"dense": 4}, "tanh", {"dense": 2}],
    "loss": "mse",
}


def curve_of(source: Any) -> StepCurve:
    return measure_step_sizes(load_plan(source), 0)


def growth(curve: StepCurve, method: str, first: float, last: float) -> float:
    """The power of the step with which the error grows between two steps."""
    steps, errors = curve.steps, getattr(curve, method)
    ends = [
        min(range(len(steps)), key=lambda i: abs(math.log(steps[i] / h))) for h in (first, last)
    ]
    low, high = ends
    return math.log(errors[high] / errors[low]) / math.log(steps[high] / steps[low])


def test_truncation_grows_with_the_step_and_with_its_square() -> None:
    curve = curve_of(CURVED)
    assert growth(curve, "forward", 1e-5, 1e-2) == pytest.approx(1, abs=0.1)
    assert growth(curve, "central", 1e-4, 1e-2) == pytest.approx(2, abs=0.2)


def test_rounding_grows_as_the_step_shrinks() -> None:
    curve = curve_of(CURVED)
    for method in ("forward", "central"):
        assert growth(curve, method, 1e-13, 1e-10) == pytest.approx(-1, abs=0.35)


def test_the_best_steps_are_near_the_rules_of_thumb() -> None:
    curve = curve_of(CURVED)
    for method, thumb in curve.rules_of_thumb.items():
        assert abs(math.log10(curve.best(method)[0] / thumb)) < 1.5
    assert curve.best("central")[1] < curve.best("forward")[1] / 10


def test_a_formula_is_measured_where_there_is_no_network() -> None:
    curve = curve_of(SPECS / "course-notes" / "swish.yaml")
    assert curve.entries == 32
    assert curve.best("central")[1] < 1e-9


def test_a_spec_of_functions_alone_is_refused() -> None:
    with pytest.raises(SpecError, match="no network, loss or formula"):
        curve_of(SPECS / "course-notes" / "backward_pass.yaml")


def test_only_the_step_size_is_measured() -> None:
    with pytest.raises(UsageError, match="only step-size is measured"):
        gradcli.explain("huber", sources=[SPECS / "quickstart.yaml"])


@pytest.mark.parametrize("width", ["60", "80", "120"])
def test_the_curve_is_drawn_and_both_optima_are_marked(width: str) -> None:
    arguments = ["explain", "step-size", str(SPECS / "quickstart.yaml")]
    shown = CliRunner().invoke(main, arguments, env={"COLUMNS": width}).stdout
    assert max(map(len, shown.splitlines())) <= int(width) + 40  # a path may run over
    rows = [line for line in shown.splitlines() if "←" in line]
    marks = " ".join(rows)
    assert all(mark in marks for mark in ("best forward", "best central", "√ε", "ε^(1/3)"))


def test_every_number_is_in_the_json() -> None:
    report = gradcli.explain("step-size", sources=[CURVED]).to_dict()["results"]
    assert [card["kind"] for card in report] == ["concept", "measurement"]
    assert len(report[1]["steps"]) == len(report[1]["forward"]) == len(report[1]["central"])
    assert set(report[1]["best"]) == {"forward", "central"}
