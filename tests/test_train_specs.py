"""The specs that are shipped with a `train:` section show what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.training.report import TrainReport, TrainResult
from gradcli.spec import find_specs, load_plan

SPECS = Path(__file__).parent.parent / "specs"
ALL = [Path(path) for path in find_specs([str(SPECS)])]
TRAINED = [path for path in ALL if load_plan(path, allow_python=True).sections.get("train")]


def only(report: TrainReport) -> TrainResult:
    (result,) = report.results
    return result


def test_some_are_meant_to_be_trained() -> None:
    assert {path.stem for path in TRAINED} >= {"mixed_precision", "two_tasks_gradnorm"}


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_it_learns_without_a_warning(path: Path) -> None:
    result = only(gradcli.train(path))
    assert result.verdict == "learning"
    assert result.last_loss < 0.75 * result.first_loss
    assert {found.severity for found in result.findings} <= {"note"}


def changed(path: Path, folder: Path, words: dict[str, str]) -> Path:
    """A copy of the spec in which each of these words is another."""
    text = path.read_text("utf-8").replace("file: data/", f"file: {path.parent.as_posix()}/data/")
    for before, after in words.items():
        assert before in text
        text = text.replace(before, after)
    copy = folder / path.name
    copy.write_text(text, "utf-8")
    return copy


def test_gradients_that_float16_loses_are_saved_by_the_scale(tmp_path: Path) -> None:
    path = SPECS / "mixed_precision.yaml"
    exact = only(gradcli.train(path, precision="float64"))
    assert only(gradcli.train(path)).last_loss == pytest.approx(exact.last_loss, rel=0.05)
    lost = gradcli.train(path, loss_scale=1)
    assert lost.verdict == "plateau"
    (found,) = [each for each in lost.findings if each.code == "GT108"]
    assert found.data["lost"] == 1.0


def test_gradnorm_levels_what_fixed_weights_do_not(tmp_path: Path) -> None:
    """The two weighted gradients on the trunk, over the last twenty steps."""
    path = SPECS / "two_tasks_gradnorm.yaml"

    def apart(path: Path) -> float:
        ratios = [
            np.log(tasks[0].weight * tasks[0].gradient_norm)
            - np.log(tasks[1].weight * tasks[1].gradient_norm)
            for tasks in (step.tasks for step in only(gradcli.train(path)).steps[-20:])
        ]
        return float(abs(np.median(ratios)))

    assert apart(path) < 1.0
    fixed = changed(path, tmp_path, {"weighting: gradnorm": "weighting: manual"})
    assert apart(fixed) > 3.0
