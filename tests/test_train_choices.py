"""Precision, schedules, curricula, task weights, approximations: each against what is known."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.training.approximations import quantised, random_sparse, tabulated, top_k
from gradcli.analysis.training.report import TrainResult
from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Curriculum, Schedule
from gradcli.errors import UsageError

SPECS = Path(__file__).parent.parent / "specs"


def only(report: Any) -> TrainResult:
    (result,) = report.results
    assert isinstance(result, TrainResult)
    return result


def spec(network: Any, loss: Any, data: dict[str, Any], **train: Any) -> dict[str, Any]:
    return {"gradcli": 1, "data": data, "network": network, "loss": loss, "train": train}


DRAWN = {"inputs": {"shape": [32, 4], "distribution": "normal"}, "targets": "auto"}
FAINT = spec(
    [{"dense": 8}, "tanh", {"dense": 1}], {"sum": [{"mse": {"weight": 1e-9}}]}, DRAWN,
    batch="all", lr=2e7, steps=60, precision="mixed",
)  # fmt: skip
"""A loss of 1e-9 times the usual, whose gradients float16 has as zero."""


def test_gradients_below_float16_are_saved_by_a_loss_scale() -> None:
    lost = gradcli.train(FAINT, loss_scale=1.0)
    assert only(lost).last_loss == only(lost).first_loss
    assert all(step.zeros == 1 for step in only(lost).steps)
    (found,) = [each for each in lost.findings if each.code == "GT108"]
    assert found.data["lost"] == 1.0
    for scale in ("dynamic", found.data["loss_scale"]):
        saved = gradcli.train(FAINT, loss_scale=scale)
        assert only(saved).last_loss < 0.5 * only(saved).first_loss
        assert "GT108" not in {each.code for each in saved.findings}
    exact = gradcli.train(FAINT, precision="float64")
    assert only(exact).last_loss == pytest.approx(only(saved).last_loss, rel=0.1)


def test_a_dynamic_scale_backs_off_from_an_overflow_and_skips_that_step() -> None:
    loud = spec([{"dense": 1}], {"sum": [{"mse": {"weight": 1e3}}]}, DRAWN, batch="all", lr=1e-5,
                steps=30, precision="mixed")  # fmt: skip
    result = only(gradcli.train(loud))
    skipped = [step.skipped for step in result.steps]
    assert skipped[0]
    assert not skipped[-1]
    scales = [step.loss_scale for step in result.steps]
    assert scales[0] == 2.0**16
    for before, after, was_skipped in zip(scales, scales[1:], skipped, strict=False):
        assert before is not None
        assert after == (before / 2 if was_skipped else before)
    assert result.last_loss < result.first_loss
    static = gradcli.train(loud, loss_scale=2.0**16)
    assert static.verdict == "non-finite"


@pytest.mark.parametrize("op", CATALOGUE.all(Schedule), ids=lambda op: op.name)
def test_schedules_begin_as_written_and_stay_within_their_ends(op: Schedule) -> None:
    options = {param.name: param.sweep[-1] if param.sweep else param.default for param in op.params}
    factors = [op.function(done, 40, **options) for done in range(41)]
    assert all(0 <= factor <= 1 for factor in factors)
    if op.name == "warm_up":
        assert factors[0] == 0.1
        assert max(factors) == factors[9] == 1.0
        return
    assert factors[0] == 1.0
    assert factors == sorted(factors, reverse=True)
    if "end" in options:
        assert factors[-1] == pytest.approx(options["end"], abs=1e-15)


def test_schedules_in_closed_form() -> None:
    values = {
        "exponential": 0.01**0.25, "linear": 0.75, "cosine": (1 + math.cos(math.pi / 4)) / 2,
    }  # fmt: skip
    for name, expected in values.items():
        op = CATALOGUE.find(name, Schedule)
        assert op is not None
        assert op.function(25, 100, **op.defaults()) == pytest.approx(expected, rel=1e-15)


def test_a_temperature_is_annealed_and_never_reaches_zero() -> None:
    source = spec([{"dense": 3}], {"cross_entropy": {"temperature": 4.0}}, DRAWN, steps=10)
    result = only(gradcli.train(source, anneal={"temperature": {"exponential": {"end": 0.1}}}))
    told = [dict(step.annealed)["temperature"] for step in result.steps]
    np.testing.assert_allclose(told, 4.0 * 0.1 ** (np.arange(10) / 10), rtol=1e-12)
    for reaching in ("linear", "cosine"):
        with pytest.raises(UsageError, match="has to stay above 0"):
            gradcli.train(source, anneal={"temperature": reaching})
    with pytest.raises(UsageError, match="the loss has no 'temprature'"):
        gradcli.train(source, anneal={"temprature": "exponential"})


def test_a_number_is_not_annealed_beyond_what_the_loss_takes() -> None:
    loss = {"cross_entropy": {"label_smoothing": 0.4}}
    source = spec([{"dense": 3}], loss, DRAWN, steps=10)
    with pytest.raises(UsageError, match=r"takes label_smoothing to 1\.7\d*; expected a number"):
        gradcli.train(source, anneal={"label_smoothing": {"exponential": {"end": 5}}})
    assert only(gradcli.train(source, anneal={"label_smoothing": "linear"})).steps


def test_the_weight_of_a_summand_is_annealed() -> None:
    source = spec([{"dense": {"units": 1, "bias": False}}],
                  {"sum": ["mse", {"l2": {"weight": 0.5}}]}, DRAWN, batch="all", lr=1e-300,
                  steps=4)  # fmt: skip
    plain = gradcli.load({**source, "loss": "mse"}).loss()
    result = only(gradcli.train(source, anneal={"l2": "linear"}))
    penalties = [step.loss - plain for step in result.steps]
    np.testing.assert_allclose(penalties, penalties[0] * np.array([1, 0.75, 0.5, 0.25]), rtol=1e-10)


def curriculum(name: str) -> Curriculum:
    op = CATALOGUE.find(name, Curriculum)
    assert op is not None
    return op


def test_curricula_let_in_what_they_say() -> None:
    losses = np.array([0.5, 3.0, 0.1, 1.0, 0.2])
    easy = curriculum("easy_to_hard").function
    assert list(easy(losses, losses, 0.0, start=0.4, until=0.5)) == [0, 0, 1, 0, 1]
    assert list(easy(losses, losses, 0.25, start=0.4, until=0.5)) == [1, 0, 1, 1, 1]
    assert list(easy(losses, losses, 0.5, start=0.4, until=0.5)) == [1, 1, 1, 1, 1]
    paced = curriculum("self_paced").function
    assert list(paced(losses, losses, 0.0, start=0.5, growth=4.0)) == [1, 0, 1, 0, 1]
    assert list(paced(losses, losses, 0.5, start=0.5, growth=4.0)) == [1, 0, 1, 1, 1]
    assert list(paced(losses / 10, losses, 0.0, start=0.5, growth=4.0)) == [1, 1, 1, 1, 1]
    adaptive = curriculum("adaptive").function
    assert list(adaptive(losses, losses, 0.9, factor=1.0)) == [1, 0, 1, 0, 1]
    assert list(adaptive(np.array([2.0, 3.0]), losses, 0.0, factor=0.1)) == [1, 0]


def mislabelled(folder: Path) -> tuple[Path, set[int]]:
    """The digits with a dozen labels moved on by one to nine, and which rows these are."""
    with np.load(SPECS / "data" / "digits.npz") as file:
        x, y = file["x"], file["y"]
    rng = np.random.default_rng(1)
    rows = rng.choice(len(y), 12, replace=False)
    y[rows] = (y[rows] + rng.integers(1, 10, len(rows))) % 10
    np.savez(folder / "digits.npz", x=x, y=y)
    path = folder / "digits.yaml"
    text = (SPECS / "digits.yaml").read_text().replace("data/digits.npz", "digits.npz")
    path.write_text(text)
    return path, {int(row) for row in rows}


@pytest.mark.parametrize("name", ["easy_to_hard", "self_paced", "adaptive"])
def test_wrong_labels_are_found_among_the_hardest(name: str, tmp_path: Path) -> None:
    path, wrong = mislabelled(tmp_path)
    result = only(gradcli.train(path, optimizer="adam", lr=0.01, steps=100, curriculum=name))
    found = {each.row for each in result.hardest}
    assert len(found & wrong) >= 7
    used = {each.row: each.used for each in result.hardest if each.row in wrong}
    assert np.mean(list(used.values())) < 100 * 64 / 512  # they wait while others are used


def test_easy_examples_come_first() -> None:
    result = only(
        gradcli.train(
            SPECS / "digits.yaml", steps=40, lr=0.1,
            curriculum={"easy_to_hard": {"start": 0.25, "until": 1.0}},
        )
    )  # fmt: skip
    shares = [step.trained_on for step in result.steps]
    assert shares[0] == 0.25
    assert all(
        after is not None and before is not None and after >= before
        for before, after in pairwise(shares)
    )


def tasks(weighting: str, scale: float, **train: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 4))
    targets = {
        "one": {"values": (x @ [1.0, -1.0, 0.5, 0.0]).tolist()},
        "two": {"values": (scale * (x @ [0.0, 1.0, 1.0, -1.0])).tolist()},
    }
    return {
        "gradcli": 1,
        "data": {"inputs": {"values": x.tolist()}, "targets": targets},
        "network": {
            "trunk": [{"dense": 8}, "tanh"],
            "heads": {"one": [{"dense": 1}], "two": [{"dense": 1}]},
        },
        "loss": {"multi_task": {"weighting": weighting, "tasks": {"one": "mse", "two": "mse"}}},
        "train": {"batch": "all", **train},
    }


def test_gradnorm_brings_the_gradients_of_tasks_together() -> None:
    """Task two's targets are 30 times larger, so that its gradient is about 900 times."""

    def apart(weighting: str) -> float:
        result = only(gradcli.train(tasks(weighting, 30.0, lr=1e-5, steps=400)))
        ratios = [
            abs(math.log(each[0].weight * each[0].gradient_norm)
                - math.log(each[1].weight * each[1].gradient_norm))
            for each in (step.tasks for step in result.steps[-20:])
        ]  # fmt: skip
        total = sum(task.weight for task in result.steps[-1].tasks)
        assert total == pytest.approx(2.0)
        return float(np.median(ratios))

    assert apart("manual") > 3.0
    assert apart("gradnorm") < 0.7


def test_weights_that_are_written_count() -> None:
    """A weight of 100 on task one is told, is what GradNorm starts from, and is made up for."""
    source = tasks("gradnorm", 1.0, lr=1e-9, steps=400)
    both = source["loss"]["multi_task"]["tasks"]
    both["one"] = {"loss": "mse", "weight": 100.0}
    steps = only(gradcli.train(source)).steps
    assert [task.weight for task in steps[0].tasks] == [100.0, 1.0]
    for step in steps:
        assert sum(task.weight for task in step.tasks) == pytest.approx(101.0)
        assert step.loss == pytest.approx(sum(task.weight * task.loss for task in step.tasks))
    first, second = (task.weight * task.gradient_norm for task in steps[-1].tasks)
    assert first == pytest.approx(second, rel=0.1)
    source["loss"]["multi_task"]["weighting"] = "manual"
    assert only(gradcli.train(source, steps=1)).steps[0].tasks[0].weight == 100.0
    mixed = only(gradcli.train(source, steps=1, precision="mixed", loss_scale=8.0))
    assert mixed.steps[0].tasks[0].weight == 100.0


def test_dynamic_weights_follow_how_fast_losses_fall() -> None:
    """w = 2·softmax(r/2) of the ratios of the last two losses, worked out from the report."""
    result = only(gradcli.train(tasks("dynamic", 3.0, lr=0.02, steps=12)))
    for before, now, after in zip(result.steps, result.steps[1:], result.steps[2:], strict=False):
        ratios = np.array([n.loss / b.loss for n, b in zip(now.tasks, before.tasks, strict=True)])
        expected = 2 * np.exp(ratios / 2) / np.exp(ratios / 2).sum()
        np.testing.assert_allclose([task.weight for task in after.tasks], expected, rtol=1e-12)


def test_uncertainty_converges_to_the_loss_and_not_to_its_root() -> None:
    """Inputs of zero leave a bias, whose best loss is the variance of the targets: 4 and 0.25."""
    y = np.array([-1.0, 1.0] * 8)
    source = {
        "gradcli": 1,
        "data": {
            "inputs": {"values": np.zeros((16, 2)).tolist()},
            "targets": {"a": {"values": (2 * y).tolist()}, "b": {"values": (y / 2).tolist()}},
        },
        "network": {"trunk": ["identity"], "heads": {"a": [{"dense": 1}], "b": [{"dense": 1}]}},
        "loss": {"multi_task": {"weighting": "uncertainty", "tasks": {"a": "mse", "b": "mse"}}},
        "train": {"batch": "all", "lr": 0.1, "steps": 400},
    }
    weights = {task.name: task.weight for task in only(gradcli.train(source)).steps[-1].tasks}
    assert weights["a"] == pytest.approx(1 / 4, rel=1e-6)
    assert weights["b"] == pytest.approx(1 / 0.25, rel=1e-6)


def test_approximations_have_the_moments_that_theory_gives_them(rng: np.random.Generator) -> None:
    """Random-k of n: variance n/k - 1. Eight bits: Σ d²·f(1-f), d the step, f the fraction."""
    g = rng.standard_normal(400)
    sparse = np.array([random_sparse(g, 0.1, rng) for _ in range(4000)])
    np.testing.assert_allclose(sparse.mean(axis=0), g, atol=6 * np.abs(g).max() * 3 / 4000**0.5)
    spread = np.square(sparse - g).sum(axis=1).mean() / (g @ g)
    assert spread == pytest.approx(9.0, rel=0.05)
    coarse = np.array([quantised(g, rng) for _ in range(4000)])
    d = np.abs(g).max() / 127
    f = g / d - np.floor(g / d)
    assert np.square(coarse - g).sum(axis=1).mean() == pytest.approx(
        (d * d * f * (1 - f)).sum(), rel=0.05
    )
    np.testing.assert_allclose(coarse.mean(axis=0), g, atol=6 * d / 4000**0.5)
    assert len(np.unique(np.round(coarse / d))) <= 255
    kept = top_k(g, 0.1)
    largest = np.sort(np.abs(g))[-40:]
    assert np.count_nonzero(kept) == 40
    assert kept @ kept == pytest.approx(largest @ largest)


def test_the_table_of_approximations(rng: np.random.Generator) -> None:
    g = rng.standard_normal(2000)
    rows = {row.name: row for row in tabulated(g, rng, lambda _: g + 1.0, g, 16)}
    assert rows["mixed precision"].bias == 0
    assert rows["mixed precision"].bytes == 4000
    assert rows["batches of 16"].bias == pytest.approx(math.sqrt(2000) / np.linalg.norm(g))
    assert rows["batches of 16"].variance == pytest.approx(0.0, abs=1e-12)
    assert rows["random 10%"].variance == pytest.approx(9.0, rel=0.2)
    assert rows["random 10%"].bias == pytest.approx(math.sqrt(9 / 64), rel=0.2)
    kept = top_k(g, 0.1)
    assert rows["top 10%"].cosine == pytest.approx(np.linalg.norm(kept) / np.linalg.norm(g))
    assert rows["top 10%"].bytes == 200 * 12
    assert rows["8 bits"].bytes == 2008
    assert rows["8 bits"].cosine > 0.999


def test_approximations_of_a_trained_network_are_told() -> None:
    result = only(gradcli.train(SPECS / "digits.yaml", steps=5, approximations=True))
    names = [row.name for row in result.approximations]
    assert "batches of 64" in names
    half = next(row for row in result.approximations if row.name == "mixed precision")
    assert 1e-5 < half.bias < 1e-2  # of float16's 5e-4


def test_schedules_are_drawn_where_they_are_explained() -> None:
    (card,) = gradcli.explain("schedules").to_dict()["results"]
    names = [op.name for op in CATALOGUE.all(Schedule)]
    assert list(card["curves"]) == names
    assert card["curves"]["linear"] == tuple(1 - done / 40 for done in range(41))
    (own,) = gradcli.explain("warm_up").to_dict()["results"]
    assert list(own["curves"]) == ["warm_up"]
