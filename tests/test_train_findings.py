"""What goes wrong in a run is found, at its step; what goes right is not called wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.training.report import TrainResult
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode


def run(network: Any, loss: Any = "mse", data: Any = None, **train: Any) -> TrainResult:
    data = data or {"inputs": {"shape": [64, 4], "distribution": "normal"}, "targets": "auto"}
    spec = {"gradcli": 1, "data": data, "network": network, "loss": loss, "train": train}
    (result,) = gradcli.train(spec).results
    assert isinstance(result, TrainResult)
    return result


def found(result: TrainResult, code: str) -> Finding:
    (finding,) = [each for each in result.findings if each.code == code]
    return finding


LINEAR = [{"dense": 1}]
MLP = [{"dense": 8}, "tanh", {"dense": 1}]


def test_a_healthy_run_has_nothing_to_tell() -> None:
    result = run(MLP, batch="all", lr=0.05, steps=30)
    assert result.verdict == "learning"
    assert result.findings == ()


def outlier(position: int) -> dict[str, Any]:
    """Rows of a linear task in one batch each; the batch at `position` has a target of 1000."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 4))
    y = x @ [1.0, -1.0, 0.5, 2.0]
    from gradcli.analysis.training.batches import Batches

    spec = {"gradcli": 1, "data": {"inputs": {"values": x.tolist()}, "targets": "auto"},
            "network": LINEAR, "loss": "mse"}  # fmt: skip
    rows = Batches(gradcli.load(spec), 4, 0)
    y[rows.at(position)[0]] = 1000.0
    return {"inputs": {"values": x.tolist()}, "targets": {"values": y[:, None].tolist()}}


@pytest.mark.parametrize("position", [12, 17])
def test_a_spike_is_dated(position: int) -> None:
    """In every pass the batch with the outlier stands out; ten steps before are looked at."""
    data = outlier(position % 10)  # in the second pass the order is another
    result = run(LINEAR, data=data, batch=4, lr=1e-6, steps=20)
    losses = [step.loss for step in result.steps]
    expected = [i + 1 for i in range(10, 20) if losses[i] > 1e4]
    assert len(expected) == 1
    spike = found(result, "GT103")
    assert spike.data["steps"] == expected
    assert spike.where == "dense_1"


def test_divergence_is_dated_by_the_last_step_at_which_all_was_well() -> None:
    """Plain descent on a quadratic above 2/λ_max grows by the same factor every step."""
    result = run(LINEAR, batch="all", lr=5.0, steps=40)
    losses = np.array([step.loss for step in result.steps])
    off = next(i for i, loss in enumerate(losses) if loss > 11 * losses[0])
    assert found(result, "GT102").data["step"] == off
    assert result.verdict == "diverged"
    assert "GT103" not in {each.code for each in result.findings}


def test_numbers_beyond_float64_end_the_run_where_they_begin() -> None:
    result = run([*MLP[:1], "relu", *MLP[2:]], batch="all", lr=1e10, steps=60)
    assert result.verdict == "diverged"
    broken = found(result, "GT101")
    assert broken.data["step"] == len(result.steps) < 60
    assert broken.where in ("dense_1", "dense_2", "loss")


@pytest.mark.parametrize("lr", [1e6, 1e300])
@pytest.mark.parametrize("loss", ["contrastive", "triplet", "tasks"])
def test_numbers_beyond_float64_are_no_crash(loss: str, lr: float) -> None:
    """Neither where distances are taken, nor where a log variance runs off: warnings are errors."""
    inputs = {"shape": [24, 4], "distribution": "normal"}
    data: dict[str, Any] = {"inputs": inputs, "targets": "auto"}
    if loss == "triplet":
        del data["targets"]
    if loss != "tasks":
        result = run([{"dense": 3}], loss, data, lr=lr, batch="all", steps=30)
    else:
        heads = {"a": [{"dense": 1}], "b": [{"dense": 1}]}
        weighted = {"weighting": "uncertainty", "tasks": {"a": "mse", "b": "mse"}}
        data["targets"] = {"a": "auto", "b": "auto"}
        result = run({"trunk": [{"dense": 4}], "heads": heads}, {"multi_task": weighted}, data,
                     lr=lr, batch="all", steps=30)  # fmt: skip
    assert result.verdict == "diverged"


def test_what_is_no_number_from_the_start_is_not_called_divergence() -> None:
    data = {"inputs": {"shape": [8, 4], "distribution": "normal", "std": 1e200}, "targets": "auto"}
    result = run(LINEAR, data=data, lr=1e-3)
    assert result.verdict == "non-finite"
    assert len(result.steps) == 1
    assert found(result, "GT101").where == "loss"


def test_a_plateau_is_told_from_a_minimum() -> None:
    assert run(MLP, batch="all", lr=1e-8).verdict == "plateau"
    settled = run(LINEAR, batch="all", lr=0.2)
    assert settled.verdict == "learning"
    start = found(settled, "GT113").data["from"]
    losses = [step.loss for step in settled.steps]
    assert losses[start - 1] - losses[-1] < 0.02 * losses[0]
    assert losses[0] - losses[start - 1] > 0.1 * losses[0]


def test_zero_weights_never_part_and_nothing_is_learned() -> None:
    zeros = {"init": "zeros", "bias": False}
    result = run([{"dense": {"units": 8, **zeros}}, "tanh", {"dense": {"units": 1, **zeros}}],
                 batch="all", lr=0.5, steps=60)  # fmt: skip
    assert result.verdict == "plateau"
    assert all(step.gradient_norm == 0 for step in result.steps)


def test_units_that_a_step_kills_are_counted_from_that_step() -> None:
    result = run([{"dense": 16}, "relu", {"dense": 1}], batch="all", lr=2.0, steps=20,
                 clip={"norm": 5.0})  # fmt: skip
    lost = found(result, "GT107")
    shares = [step.layers[0].dead for step in result.steps]
    first = shares[0]
    assert first is not None
    assert lost.data["step"] == next(
        step.number
        for step, share in zip(result.steps, shares, strict=True)
        if share is not None and share - first >= 0.2
    )
    assert lost.where == "dense_1"


def test_tasks_that_agree_are_not_called_a_conflict() -> None:
    def heads(sign: float) -> TrainResult:
        data = {
            "inputs": {"values": [[1.0], [2.0], [-1.0]]},
            "targets": {"a": {"values": [3.0, 6.0, -3.0]},
                        "b": {"values": [3.0 * sign, 6.0 * sign, -3.0 * sign]}},
        }  # fmt: skip
        one = {"dense": {"units": 1, "bias": False, "init": "ones"}}
        network = {"trunk": [one], "heads": {"a": [one], "b": [one]}}
        loss = {"multi_task": {"tasks": {"a": "mse", "b": "mse"}}}
        return run(network, loss, data, lr=1e-3, steps=10)

    assert "GT109" not in {each.code for each in heads(1.0).findings}
    conflict = found(heads(-1.0), "GT109")
    assert conflict.where == "a and b"
    # at the start the outputs are x, short of 3x and beyond -3x: the gradients are opposite
    assert conflict.data["cosine"] == pytest.approx(-1.0)


TRIPLES = {
    "inputs": {"values": [[0.0, 0.0], [0.1, 0.0], [9.0, 0.0],
                          [1.0, 1.0], [1.1, 1.0], [1.2, 1.0]]}
}  # fmt: skip


def test_the_share_of_active_triplets_is_counted() -> None:
    """d² of the first triple are 0.01 and 81, of the second 0.01 and 0.04; the margin is 0.5."""
    network = [{"dense": {"units": 2, "init": {"constant": 0.0}}}]
    network = [{"residual": {"layers": network}}]
    result = run(network, {"triplet": {"margin": 0.5}}, TRIPLES, batch="all", lr=1e-9, steps=3)
    first = result.steps[0].embeddings
    assert first is not None
    assert first.active == 0.5
    assert first.hardness == pytest.approx(((0.01 - 81) + (0.01 - 0.04)) / 2 / 0.5)
    x = np.array(TRIPLES["inputs"]["values"])
    spread = np.sqrt(np.square(x - x.mean(axis=0)).sum(axis=1).mean())
    assert first.spread == pytest.approx(spread)


def test_gates_fail_the_run_and_notes_of_a_minimum_do_not() -> None:
    spec = {"gradcli": 1, "data": {"inputs": {"shape": [64, 4]}, "targets": "auto"},
            "network": LINEAR, "loss": "mse", "train": {"batch": "all", "lr": 0.2}}  # fmt: skip
    assert gradcli.train(spec, fail_on=["plateau"]).exit_code == ExitCode.OK
    stuck = gradcli.train(spec, lr=1e-9, fail_on=["plateau"])
    assert stuck.exit_code == ExitCode.WRONG
    assert gradcli.train(spec, lr=1e-9).exit_code == ExitCode.OK
