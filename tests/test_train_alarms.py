"""No false alarms: what looks like trouble in a batch or an annealed run, and is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.training.batches import Batches
from gradcli.analysis.training.report import TrainResult
from gradcli.errors import UsageError

DRAWN = {"inputs": {"shape": [64, 4], "distribution": "normal"}, "targets": "auto"}


def run(network: Any, loss: Any = "mse", data: Any = None, **more: Any) -> TrainResult:
    train = {key: more.pop(key) for key in list(more) if key not in ("define", "seed")}
    spec = {"gradcli": 1, "data": data or DRAWN, "network": network, "loss": loss, "train": train}
    (result,) = gradcli.train({**spec, **more}).results
    assert isinstance(result, TrainResult)
    return result


def codes(result: TrainResult) -> set[str]:
    return {found.code for found in result.findings}


@pytest.mark.parametrize("seed", range(4))
def test_batches_of_one_are_noisy_and_not_divergent_or_dead(seed: int) -> None:
    """One row leaves half of the units off, and its loss may be next to nothing."""
    result = run([{"dense": 8}, "relu", {"dense": 1}], batch=1, lr=1e-4, steps=200, seed=seed)
    assert result.verdict == "learning"
    assert not codes(result) & {"GT102", "GT107", "GT114"}


def test_a_first_batch_that_fits_by_chance_sets_no_scale() -> None:
    """The row of the first batch has a loss of 0, all others of 1; the last three are others."""
    x, y = np.zeros((12, 1)), np.ones((12, 1))
    plain: dict[str, Any] = {
        "inputs": {"values": x.tolist()}, "targets": {"values": y.tolist()}
    }  # fmt: skip
    network = [{"dense": {"units": 1, "init": "zeros"}}]
    source = {"gradcli": 1, "data": plain, "network": network, "loss": "mse"}
    y[Batches(gradcli.load(source), 1, 0).at(0)] = 0.0
    plain["targets"] = {"values": y.tolist()}
    result = run(network, data=plain, batch=1, lr=1e-3, steps=12)
    assert [step.loss for step in result.steps[:2]] == [0.0, 1.0]
    assert result.verdict == "learning"


SQRT = {"root": {"kind": "activation", "forward": "sqrt(x)", "derivative": "0.5 / sqrt(x)"}}


def test_what_has_no_gradient_where_the_run_arrives_is_not_called_divergence() -> None:
    """The second step starts at the root of 0, where the loss is 0 and the slope infinite."""
    data = {"inputs": {"values": [[1.0]]}, "targets": {"values": [[0.0]]}}
    one = {"dense": {"units": 1, "bias": False, "init": "ones"}}
    result = run([one, "root"], data=data, define=SQRT, lr=1.0, steps=5)
    assert [step.loss for step in result.steps] == [1.0, 0.0]
    assert codes(result) == {"GT101"}
    assert result.verdict == "non-finite"


def test_a_logarithm_that_leaves_its_domain_is_not_called_divergence() -> None:
    """w - 0.9 v begins at 0.1 and falls by 0.057 a step, below 0, with w and v hardly changed."""
    data = {"inputs": {"values": [[1.0, -0.9]]}, "targets": {"values": [[-9.0]]}}
    define = {"ln": {"kind": "activation", "forward": "log(x)", "derivative": "1 / x"}}
    one = {"dense": {"units": 1, "bias": False, "init": "ones"}}
    result = run([one, "ln"], data=data, define=define, lr=0.03, optimizer="adam", steps=9)
    first, second, last = (step.loss for step in result.steps)
    assert first > second
    assert np.isnan(last)
    assert result.verdict == "non-finite"
    assert "GT102" not in codes(result)


def test_a_loss_that_a_schedule_raises_has_not_diverged() -> None:
    """The penalty's weight grows a thousandfold; at the weight written the loss falls."""
    loss = {"sum": ["mse", {"l2": {"weight": 1e-3}}]}
    result = run([{"dense": 4}, "tanh", {"dense": 1}], loss, batch="all", lr=1e-3, steps=40,
                 anneal={"l2": {"exponential": {"end": 1e4}}})  # fmt: skip
    assert result.steps[-1].loss > 11 * result.steps[0].loss
    assert not codes(result) & {"GT102", "GT114"}


def test_a_loss_that_rises_is_not_called_learning() -> None:
    """Above 2/λ_max, but for too few steps to run off."""
    result = run([{"dense": 1}], batch="all", lr=1.0, steps=2)
    assert 1.02 < result.last_loss / result.first_loss < 11
    assert result.verdict == "rising"
    (found,) = [each for each in result.findings if each.code == "GT114"]
    assert found.data == {"before": result.first_loss, "after": result.last_loss}
    gated = {"gradcli": 1, "data": DRAWN, "network": [{"dense": 1}], "loss": "mse"}
    report = gradcli.train(gated, batch="all", lr=1.0, steps=4, fail_on=["rising"])
    assert report.exit_code == 1


@pytest.mark.parametrize(
    "counts", [(3, 3, 3), (9, 4, 2, 1), (40, 3), (10, 10), (2, 2), (30, 7, 7, 5)], ids=str
)
@pytest.mark.parametrize("size", [4, 8])
def test_every_batch_to_mine_in_has_two_classes(counts: tuple[int, ...], size: int) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [len(classes), 4]}, "targets": {"values": classes.tolist()}},
        "network": [{"dense": 3}],
        "loss": {"triplet": {"mining": "hard"}},
    }
    batches = Batches(gradcli.load(spec), size, seed=0)
    seen: set[int] = set()
    for number in range(150 * batches.a_pass):
        rows = batches.at(number)
        own = classes[rows]
        assert len(set(rows.tolist())) == len(rows) >= min(4, len(classes))
        assert len(set(own.tolist())) > 1
        if not batches.whole:
            assert (own[::2] == own[1::2]).all()
        seen |= set(rows.tolist())
    assert len(seen) > 0.9 * (len(classes) - np.sum(np.array(counts) == 1))


def test_one_class_with_pairs_is_none_to_mine_batches_from() -> None:
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [8, 4]}, "targets": {"values": [0, 0, 0, 0, 0, 0, 0, 1]}},
        "network": [{"dense": 3}],
        "loss": {"triplet": {"mining": "hard"}},
    }
    with pytest.raises(UsageError, match="two rows of each of two classes are needed; write all"):
        gradcli.train(spec, batch=4)
    assert gradcli.train(spec, batch="all", steps=2).verdict == "learning"
