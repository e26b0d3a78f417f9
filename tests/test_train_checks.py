"""Checks on the way, and what float16 loses: on the batch that the step has used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
import gradcli.ops
from gradcli.analysis.training import train_options
from gradcli.analysis.training.checks import point_of
from gradcli.analysis.training.report import CheckedStep, TrainReport, TrainResult
from gradcli.analysis.training.run import _Run
from gradcli.errors import ExitCode
from gradcli.sources import plan_of

DRAWN = {"inputs": {"shape": [48, 4], "distribution": "normal"}, "targets": "auto"}
SPEC: dict[str, Any] = {
    "gradcli": 1,
    "data": DRAWN,
    "network": [{"dense": 6}, {"dropout": 0.3}, "tanh", {"dense": 3}],
    "loss": {"sum": [{"cross_entropy": {"temperature": 2.0}}, {"l2": {"weight": 0.1}}]},
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate": 3},
        {"curriculum": "adaptive"},
        {"anneal": {"temperature": "exponential", "l2": "linear"}},
        {"precision": "mixed", "loss_scale": 64.0},
    ],
    ids=str,
)
def test_what_is_checked_is_what_the_step_has_seen(options: dict[str, Any]) -> None:
    """Its rows, its dropout mask, its weights and temperature: the loss comes out again."""
    plan = plan_of(SPEC, {}, False, 1 << 30, whole_data=True)
    run = _Run(plan, train_options({"steps": 4, "batch": 8, "lr": 0.1, **options}))
    for number in (1, 2, 3):
        before = run.parameters
        run.step(number)
        assert run.last is not None
        again = point_of(run.last, run.model, before).loss()
        rounded = 2e-3 if run.mixed else 1e-14  # float16 on the way
        assert again == pytest.approx(run.last.loss, rel=rounded)


def test_a_check_that_cannot_decide_is_not_called_passed() -> None:
    def code(*verdicts: str) -> ExitCode:
        checks = tuple(CheckedStep(1, verdict, 0.0, ()) for verdict in verdicts)
        return TrainReport((TrainResult("it", "learning", checks=checks),)).exit_code

    assert code("pass") == ExitCode.OK
    assert code("pass", "inconclusive") == ExitCode.UNDECIDED
    assert code("inconclusive", "fail") == ExitCode.WRONG


def test_underflow_is_measured_on_the_batch_that_a_curriculum_draws() -> None:
    """Half of the rows reach one half of the weights, half the other; no gradient is lost."""
    x = np.zeros((16, 2))
    x[:8, 0] = x[8:, 1] = np.linspace(0.5, 1.0, 8)
    targets = np.r_[np.full(8, 1.0), np.full(8, 50.0)][:, None]
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"values": x.tolist()}, "targets": {"values": targets.tolist()}},
        "network": [{"dense": {"units": 1, "bias": False}}],
        "loss": "mse",
    }
    easy = {"easy_to_hard": {"start": 0.3}}
    report = gradcli.train(
        spec, batch=4, steps=1, precision="mixed", loss_scale=8.0, curriculum=easy
    )
    (result,) = report.results
    assert result.steps[0].zeros == 0.5
    assert "GT108" not in {found.code for found in report.findings}


def test_underflow_after_a_step_that_was_skipped_is_found() -> None:
    """One layer's gradients overflow at 2^16, so that the first step is none to look at."""
    heads = {"loud": [{"dense": 1}], "faint": [{"dense": {"units": 1, "name": "faint_out"}}]}
    spec = {
        "gradcli": 1,
        "data": {**DRAWN, "targets": {"loud": "auto", "faint": "auto"}},
        "network": {"trunk": ["identity"], "heads": heads},
        "loss": {
            "multi_task": {
                "tasks": {
                    "loud": {"loss": "mse", "weight": 100.0},
                    "faint": {"loss": "mse", "weight": 1e-13},
                }
            }
        },
    }
    report = gradcli.train(spec, batch="all", steps=20, lr=1e-6, precision="mixed")
    (result,) = report.results
    assert result.steps[0].skipped
    (found,) = [each for each in report.findings if each.code == "GT108"]
    assert found.where.endswith("faint_out")
    assert not result.steps[found.data["step"] - 1].skipped


def test_underflow_that_comes_with_learning_is_found() -> None:
    """A linear task without noise: the gradient falls with the loss, out of float16."""
    x = np.random.default_rng(0).standard_normal((32, 3))
    targets = (x @ np.array([[0.5], [-0.25], [1.0]])).tolist()
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"values": x.tolist()}, "targets": {"values": targets}},
        "network": [{"dense": {"units": 1, "bias": False}}],
        "loss": {"sum": [{"mse": {"weight": 1e-4}}]},
    }
    report = gradcli.train(spec, batch="all", steps=60, lr=3e3, precision="mixed", loss_scale=1.0)
    (found,) = [each for each in report.findings if each.code == "GT108"]
    assert found.data["step"] > 3
