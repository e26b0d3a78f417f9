"""What a report says of a training run, from steps written by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from training_runs import layer, steps

from gradcli.analysis.training.approximations import Approximation
from gradcli.analysis.training.embeddings import Embeddings
from gradcli.analysis.training.report import (
    CheckedStep,
    ClipStep,
    Hardest,
    TrainReport,
    TrainResult,
)
from gradcli.analysis.training.tasks import TaskStep
from gradcli.diagnostics.rules import finding
from gradcli.report import train_words as words


def result(**known: Any) -> TrainResult:
    plain = {"optimizer": "sgd", "schedule": "constant", "precision": "float64", "examples": 64,
             "batch": 8, "parameters": 1, "first_loss": 2.0, "last_loss": 0.5}  # fmt: skip
    if "steps" in known:
        known["steps"] = tuple(known["steps"])
    return TrainResult("net", **{"verdict": "learning", **plain, **known})


def said(run: TrainResult, heading: str) -> str | None:
    return dict(words.summary(run)).get(heading)


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ({}, "✓ learning good"),
        ({"checks": (CheckedStep(1, "fail", 0.5, ("w",)),)}, "✗ learning bad"),
        ({"verdict": "plateau"}, "! plateau doubt"),
        ({"verdict": "rising", "fail_on": ("rising",)}, "! rising bad"),
        ({"verdict": "diverged"}, "✗ DIVERGED bad"),
        ({"verdict": "invalid"}, "✗ INVALID bad"),
    ],
)
def test_status(known: dict[str, Any], status: str) -> None:
    found = words.train_status(result(**known))
    assert f"{found} {found.style}" == status


def test_what_was_trained_and_how() -> None:
    assert words.makeup(result()) == (
        "1 parameter; 64 examples in batches of 8; sgd, learning rate –; float64"
    )
    run = result(steps=steps([1.0]), parameters=1234, accumulate=3, schedule="cosine",
                 clipping="norm 1", curriculum="self_paced", precision="mixed")  # fmt: skip
    assert words.makeup(run) == (
        "1,234 parameters; 64 examples in batches of 8; 3 of them a step; sgd, learning rate 0.1; "
        "cosine; clipped by norm 1; self_paced; mixed"
    )


def test_a_run_without_steps_has_a_loss_and_nothing_else() -> None:
    assert words.summary(result()) == [("loss", "2 to 0.5 on all data, in 0 steps")]
    assert words.layer_rows(result()) == words.step_rows(result()) == []


def test_figures_of_the_whole_run() -> None:
    run = steps([1.0, 1.0, 1.0], gradient_norm=[2.0, 5.0, 0.25])
    assert said(result(steps=run, started=1200), "loss") == (
        "2 to 0.5 on all data, in 3 steps after the 1,200 before"
    )
    assert said(result(steps=run), "gradient") == "norm 2 to 0.25, at most 5"
    assert said(result(accuracy=(0.125, 0.9)), "accuracy") == "12.5% to 90.0%"
    checks = (CheckedStep(5, "pass", 1e-9, ()), CheckedStep(10, "fail", 0.5, ("w",)))
    assert said(result(checks=checks), "checked") == "step 5 pass (1.0e-09), step 10 fail (5.0e-01)"


@pytest.mark.parametrize(("kind", "other"), [("norm", "value"), ("value", "norm")])
def test_clipping_beside_the_other_kind(kind: str, other: str) -> None:
    """Means over the steps that are cut: 0.3 of the norm at 60°, and none by the other kind."""
    clips = [ClipStep(0.2, 0.5, 1.0, 1.0), ClipStep(0.4, 0.5, 1.0, 1.0), ClipStep(1.0, 1, 1.0, 1.0)]
    run = result(steps=steps([1.0] * 3, clip=clips), clipping=f"{kind} 1")
    assert said(run, "clipped") == (
        f"by {kind}: 2 of 3 steps, to 30% of the norm, turned by 60°; "
        f"at the same limit by {other} it would be 0 of 3 steps"
    )


def test_loss_scales() -> None:
    run = steps([1.0] * 3, loss_scale=[2.0**16, 2.0**15, 2.0**15], skipped=[True, False, False])
    assert said(result(steps=run), "loss scale") == "2^16 to 2^15, 1 step skipped"
    (column,) = [each for each in words.step_columns(result(steps=run))
                 if each.heading == "loss scale"]  # fmt: skip
    assert [column.text(step) for step in run] == ["2^16 skipped", "2^15", "2^15"]


def test_tasks_embeddings_and_numbers_that_change() -> None:
    tasks = [(TaskStep("a", 1.0, 4.0, 1.0, {}),), (TaskStep("a", 1.0, 3.0, 0.5, {}),)]
    embeddings = [Embeddings(1.0, None, 2.0), Embeddings(0.25, None, 0.5)]
    run = steps(
        [1.0] * 2, tasks=tasks, embeddings=embeddings, annealed=[{"mse": 1.0}, {"mse": 0.1}]
    )
    assert said(result(steps=run), "weights") == "a 0.5 (gradient 3)"
    assert said(result(steps=run), "annealed") == "mse 1 to 0.1"
    assert said(result(steps=run), "embeddings") == "active 100% to 25%, spread 2 to 0.5"
    mined = steps([1.0] * 2, embeddings=[each.replace(hardness=0.5) for each in embeddings])
    assert said(result(steps=mined), "embeddings") == (
        "active 100% to 25%, spread 2 to 0.5, hardness 0.5 to 0.5 margins"
    )
    columns = words.step_columns(result(steps=run))
    assert [each.heading for each in columns] == (
        ["step", "loss", "gradient", "lr", "active", "zeros", "w a", "‖g‖ a"]
    )
    assert [each.text(run[1]) for each in columns[-2:]] == ["0.5", "3"]


@pytest.mark.parametrize("count", [12, 13, 100])
def test_the_first_and_last_steps_are_shown_and_those_of_findings(count: int) -> None:
    found = (finding("GT103", "loss", "", data={"steps": [7, 11]}),
             finding("GT102", "loss", "", data={"step": 10}))  # fmt: skip
    shown = [step.number for step in words.step_rows(result(steps=steps([1.0] * count)))]
    dated = words.step_rows(result(steps=steps([1.0] * count), findings=found))
    assert len(shown) == 12
    assert (shown[0], shown[-1]) == (1, count)
    assert {step.number for step in dated} == {*shown, 7, 10, 11}
    gaps = {after - before for before, after in pairwise(shown)}
    assert max(gaps) - min(gaps) <= 1


def test_layers() -> None:
    layers = [
        (layer(gradient_norm=1.0, update_ratio=0.3, dead=0.0, saturated=0.25),),
        (layer(gradient_norm=2.0, update_ratio=math.nan, dead=0.5, saturated=0.25),),
        (layer(gradient_norm=4.0, update_ratio=0.1, dead=0.5, saturated=0.25),),
        (layer(gradient_norm=8.0, update_ratio=0.2, dead=0.5, saturated=0.25),),
    ]
    ((name, bars, *rest),) = words.layer_rows(result(steps=steps([1.0] * 4, layers=layers)))
    assert (name, len(bars)) == ("dense_1", 4)
    assert rest == ["1", "8", "0.2", "0 to 50%", "25%"]
    ((*_, dead, saturated),) = words.layer_rows(result(steps=steps([1.0])))
    assert (dead, saturated) == ("–", "–")


def test_stand_ins_for_the_gradient() -> None:
    one = Approximation(name="top 1%", bias=0.123, variance=0.0, cosine=0.5, bytes=4096, draws=1)
    drawn = one.replace(name="random", bias=1e-13, variance=0.25, draws=64)
    assert words.approximation_rows(result(approximations=(one, drawn))) == [
        ("top 1%", "0.12", "–", "0.5000", "4,096"),
        ("random", "0", "0.25", "0.5000", "4,096"),
    ]


def test_the_hardest_examples() -> None:
    hardest = (Hardest(3, 1.0, 2.5, 1, 1200), Hardest(7, 1.0, 0.5, 0, None))
    assert words.hardest_rows(result(hardest=hardest)) == [
        ("3", "1", "2.5", "once", "1,200"),
        ("7", "1", "0.5", "0 times", "–"),
    ]


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({}, "exit 0: learning"),
        ({"verdict": "plateau"}, "exit 0: plateau"),
        ({"verdict": "plateau", "fail_on": ("plateau",)}, "exit 1: --fail-on plateau"),
        ({"checks": (CheckedStep(1, "fail", 0.5, ()),)},
         "exit 1: a gradient is wrong at the trained point"),
        ({"checks": (CheckedStep(1, "inconclusive", 0.5, ()),)},
         "exit 3: a gradient could not be decided at the trained point"),
        ({"verdict": "invalid"}, "exit 2: the spec is invalid"),
    ],
)  # fmt: skip
def test_the_outcome(known: dict[str, Any], line: str) -> None:
    assert words.exit_line(TrainReport((result(**known),))) == line


def test_the_outcome_of_what_was_interrupted() -> None:
    report = TrainReport((result(),), interrupted=True)
    assert words.exit_line(report) == "exit 130: interrupted; what is known by then is above"
