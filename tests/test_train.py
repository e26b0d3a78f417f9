"""Training runs: what has to come out, by closed forms, laws and planted trouble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.analysis.training.clip import clipped
from gradcli.analysis.training.report import TrainResult
from gradcli.analysis.training.vector import cosine
from gradcli.core.arrays import norm
from gradcli.engine.model import Model
from gradcli.errors import ExitCode, UsageError

SPECS = Path(__file__).parent.parent / "specs"
DIGITS = SPECS / "digits.yaml"


def only(report: Any) -> TrainResult:
    (result,) = report.results
    assert isinstance(result, TrainResult)
    return result


def spec(network: Any, loss: Any = "mse", inputs: Any = None, **more: Any) -> dict[str, Any]:
    inputs = inputs or {"shape": [32, 4], "distribution": "normal"}
    data = {"inputs": inputs, "targets": more.pop("targets", "auto")}
    return {"gradcli": 1, "data": data, "network": network, "loss": loss, "train": more}


MLP = [{"dense": 8}, "tanh", {"dense": 2}]


@pytest.mark.parametrize(
    ("optimizer", "lr"), [("sgd", 0.5), ("momentum", 0.1), ("adam", 0.01), ("adamw", 0.01)]
)
def test_digits_are_learned(optimizer: str, lr: float) -> None:
    result = only(gradcli.train(DIGITS, optimizer=optimizer, lr=lr, steps=150))
    assert result.verdict == "learning"
    assert result.examples == 512
    assert result.batch == 64  # of which the spec's data say so
    assert result.accuracy is not None
    assert result.accuracy[0] < 0.3
    assert result.accuracy[1] > 0.9


def test_what_the_steps_say_is_what_they_do() -> None:
    """Loss, norms and updates of a step, worked out again from the model before and after."""
    source = spec(MLP)
    model = gradcli.load(source)
    value, gradients = model.value_and_grad()
    result = only(gradcli.train(source, batch="all", lr=0.1, steps=2))
    first = result.steps[0]
    assert first.loss == pytest.approx(value, rel=1e-14)
    flat = np.concatenate([gradients[name].ravel() for name in model.parameters])
    assert first.gradient_norm == pytest.approx(np.linalg.norm(flat), rel=1e-14)
    own = np.concatenate([gradients[f"dense_1.{name}"].ravel() for name in ("weight", "bias")])
    weights = np.concatenate(
        [model.parameters[f"dense_1.{name}"].ravel() for name in ("weight", "bias")]
    )
    layer = first.layers[0]
    assert layer.name == "dense_1"
    assert layer.gradient_norm == pytest.approx(np.linalg.norm(own), rel=1e-14)
    expected = 0.1 * np.linalg.norm(own) / np.linalg.norm(weights)
    assert layer.update_ratio == pytest.approx(expected, rel=1e-13)
    for name in model.parameters:
        model.parameters[name] -= 0.1 * gradients[name]
    assert result.steps[1].loss == pytest.approx(model.loss(), rel=1e-13)


def test_every_example_is_seen_once_in_a_pass() -> None:
    from gradcli.analysis.training.batches import Batches

    model = gradcli.load(spec(MLP, inputs={"shape": [30, 4]}))
    batches = Batches(model, 10, seed=3)
    passes = [np.concatenate([batches.at(3 * p + i) for i in range(3)]) for p in range(2)]
    assert [sorted(rows) for rows in passes] == [list(range(30))] * 2
    assert list(passes[0]) != list(passes[1])
    assert list(batches.at(4)) == list(Batches(model, 10, seed=3).at(4))


def test_pairs_stay_together_and_mined_classes_take_turns() -> None:
    from gradcli.analysis.training.batches import Batches

    pairs = gradcli.load(spec([{"dense": 3}], {"contrastive": {}}, {"shape": [24, 4]}))
    rows = Batches(pairs, 8, seed=0).at(1).reshape(-1, 2)
    assert (rows[:, 0] % 2 == 0).all()
    assert (rows[:, 1] == rows[:, 0] + 1).all()
    mined = gradcli.load(SPECS / "triplet_digits.yaml")
    batches = Batches(mined, 8, seed=0)
    classes = mined.targets["targets"].ravel()
    for number in range(4):
        own = classes[batches.at(number)].reshape(-1, 2)
        assert (own[:, 0] == own[:, 1]).all()
        assert len(set(own[:, 0])) > 1


@pytest.mark.parametrize(("loss", "size"), [("contrastive", 2), ("triplet", 1)])
def test_rows_keep_their_targets_where_losses_read_several_for_each(loss: str, size: int) -> None:
    """Three rows of each input, so that the second pair has one of two inputs."""
    from gradcli.analysis.training.batches import Batches

    source = spec([{"dense": 3}], {loss: {}}, {"shape": [8, 3, 2]})
    model = gradcli.load(source)
    batches = Batches(model, 4, seed=model.plan.seed)
    assert batches.group == size
    assert list(batches.at(0)[:4]) != [0, 1, 2, 3]
    report = only(gradcli.train(source, batch=4, lr=1e-30, steps=2))
    for number, step in enumerate(report.steps):
        rows = batches.at(number)
        part = {"inputs": {"values": model.inputs["inputs"][rows]}, "targets": "auto"}
        if model.targets:
            pairs = model.targets["targets"].reshape(4, 3)
            part["targets"] = {"values": pairs[rows[::2] // 2].ravel()}
        alone = gradcli.load({**source, "data": part})
        for name, value in model.parameters.items():
            alone.parameters[name][...] = value
        assert step.loss == pytest.approx(alone.loss(), rel=1e-13)


def test_mining_among_several_rows_of_each_input_takes_all_of_them() -> None:
    source = spec([{"dense": 3}], {"triplet": {"mining": "hard"}}, {"shape": [6, 2, 4]})
    assert only(gradcli.train(source, lr=0.01, steps=2)).steps
    with pytest.raises(UsageError, match="mines among 2 rows of each"):
        gradcli.train(source, batch=4, steps=2)


def test_accumulated_batches_are_the_large_batch() -> None:
    source = spec(MLP, inputs={"shape": [64, 4]})
    whole = only(gradcli.train(source, batch=32, lr=0.1, steps=8))
    parts = only(gradcli.train(source, batch=8, accumulate=4, lr=0.1, steps=8))
    for one, other in zip(whole.steps, parts.steps, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-13)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-12)


def test_a_batch_normalization_takes_its_own_batch_and_so_does_not() -> None:
    source = spec([{"dense": 8}, "batch_norm", {"dense": 1}], inputs={"shape": [64, 4]})
    whole = only(gradcli.train(source, batch=32, lr=0.1, steps=2))
    parts = only(gradcli.train(source, batch=8, accumulate=4, lr=0.1, steps=2))
    assert abs(whole.steps[0].loss - parts.steps[0].loss) > 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_laws_of_clipping(rng: np.random.Generator, dtype: Any) -> None:
    """By norm: never above the limit, direction kept to rounding. By value: every entry within."""
    eps = float(np.finfo(dtype).eps)
    for _ in range(300):
        scale = 10.0 ** rng.uniform(-20, 20)
        g = (scale * rng.standard_normal(int(rng.integers(1, 200)))).astype(dtype)
        limit = scale * 10.0 ** rng.uniform(-3, 3)
        by_norm = clipped(g, "norm", limit).vector
        assert norm(by_norm) <= limit
        assert cosine(by_norm, g) >= 1 - 4 * eps
        if norm(g) <= limit:
            assert (by_norm == g).all()
        else:
            assert norm(by_norm) >= limit * (1 - 8 * eps)
        by_value = clipped(g, "value", limit)
        assert np.abs(by_value.vector).max() <= dtype(limit)
        assert by_value.cosine == pytest.approx(cosine(by_value.vector, g))


def test_clipping_ends_where_numbers_do() -> None:
    """Entries at the bottom of float32, which no factor close to 1 makes smaller."""
    smallest = np.finfo(np.float32).smallest_subnormal
    g = np.full(3, smallest)
    assert norm(clipped(g, "norm", float(smallest) * 1.5).vector) <= float(smallest) * 1.5
    assert norm(clipped(g, "norm", float(smallest) / 2).vector) == 0


def test_norms_after_clipping_never_exceed_the_limit() -> None:
    result = only(gradcli.train(spec(MLP, lr=1.0, clip={"norm": 0.25}, steps=30)))
    cut = [step for step in result.steps if step.gradient_norm > 0.25]
    assert cut
    for step in result.steps:
        assert step.clip is not None
        assert step.clip.factor * step.gradient_norm <= 0.25 * (1 + 1e-12) or step not in cut
        assert step.clip.cosine == 1.0


EXPLODING = spec(
    [{"repeat": {"times": 6, "layers": [{"dense": {"units": 16, "init": {"he_normal": 2.0}}},
                                        "relu"]}}, {"dense": 1}],
    inputs={"shape": [64, 16], "distribution": "normal"}, lr=0.01, steps=60,
)  # fmt: skip


def test_an_exploding_network_diverges_and_clipping_saves_it() -> None:
    report = gradcli.train(EXPLODING)
    assert report.verdict == "diverged"
    (found,) = [each for each in report.findings if each.code == "GT102"]
    assert found.where.startswith("dense_")
    assert 1 <= found.data["step"] < 10
    assert gradcli.train(EXPLODING, fail_on=["diverged"]).exit_code == ExitCode.WRONG
    saved = gradcli.train(EXPLODING, clip={"norm": 1.0})
    assert saved.verdict != "diverged"
    assert only(saved).last_loss < only(saved).first_loss


def test_the_same_seed_gives_the_same_run() -> None:
    source = spec([{"dense": 8}, {"dropout": 0.3}, "tanh", {"dense": 2}], batch=8, steps=6)
    first, second = (gradcli.train(source, seed=5).to_dict() for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    assert json.dumps(first) != json.dumps(gradcli.train(source, seed=6).to_dict())


def test_dropout_is_drawn_anew_for_each_batch() -> None:
    source = spec([{"dropout": 0.5}, {"dense": 1}], batch="all", lr=1e-12, steps=4)
    assert len({step.loss for step in only(gradcli.train(source)).steps}) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"},
        {"optimizer": {"lbfgs": {"history": 3}}, "batch": "all"},
        {"optimizer": "momentum", "precision": "mixed"},
        {"optimizer": "adamw", "curriculum": "self_paced"},
        {"schedule": "cosine", "clip": {"norm": 0.1}},
    ],
    ids=str,
)
def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(
    options: dict[str, Any], tmp_path: Path
) -> None:
    source = spec([{"dense": 8}, {"dropout": 0.2}, "tanh", {"dense": 2}], batch=8, lr=0.05)
    file = tmp_path / "run.npz"
    whole = only(gradcli.train(source, steps=20, **options))
    with pytest.raises(KeyboardInterrupt):
        gradcli.train(source, steps=20, on_step=_stop_after(10), **options)
    stopped = gradcli.train(
        source, steps=20, on_step=_stop_after(10), save_weights=file, partial=True, **options
    )
    assert stopped.exit_code == ExitCode.INTERRUPTED
    rest = only(gradcli.train(source, steps=20, resume=file, **options))
    assert rest.started == 10
    expected = [step.to_dict() for step in whole.steps[10:]]
    assert [step.to_dict() for step in rest.steps] == expected


def _stop_after(number: int) -> Any:
    def stop(step: Any) -> None:
        if step.number == number:
            raise KeyboardInterrupt

    return stop


def test_saved_weights_are_read_by_every_command(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    source = spec(MLP, steps=10, lr=0.1, batch="all")
    result = only(gradcli.train(source, save_weights=file))
    trained = {**source, "weights": str(file)}
    assert gradcli.load(trained).loss() == pytest.approx(result.last_loss, rel=1e-14)
    assert gradcli.check(trained).passed
    assert gradcli.flow(trained, remedies=False).results[0].depth == 1
    again = only(gradcli.train(trained, steps=1))
    assert again.steps[0].number == 1
    assert again.first_loss == pytest.approx(result.last_loss, rel=1e-14)


def test_a_run_of_another_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    gradcli.train(spec(MLP), steps=2, save_weights=file)
    with pytest.raises(UsageError, match=r"of another network: dense_1.bias, dense_1.weight"):
        gradcli.train(spec([{"dense": 3}, "tanh", {"dense": 2}]), steps=4, resume=file)
    with pytest.raises(UsageError, match="has done 2 steps"):
        gradcli.train(spec(MLP), steps=2, resume=file)
    np.savez(tmp_path / "bare.npz", **gradcli.load(spec(MLP)).parameters)
    with pytest.raises(UsageError, match="holds no run to resume"):
        gradcli.train(spec(MLP), steps=4, resume=tmp_path / "bare.npz")


def test_a_gradient_that_is_wrong_only_where_units_saturate_is_caught_on_the_way() -> None:
    late = {
        "kind": "activation",
        "forward": "x ** 3",
        "derivative": "where(x > 2, x ** 2, 3 * x ** 2)",
    }
    network = [{"dense": {"units": 4, "init": {"normal": 0.1}}}, "late", {"dense": 1}]
    source = {**spec(network), "define": {"late": late}}
    start = gradcli.check({**source, "define": {"late": {**late, "domain": {"x": [-1, 1]}}}})
    assert start.passed
    report = gradcli.train(source, optimizer="adam", lr=0.5, steps=20, check_every=10)
    assert report.exit_code == ExitCode.WRONG
    (last,) = [check for check in only(report).checks if check.number == 20]
    assert last.verdict == "fail"
    assert any(name.startswith("dense_1") for name in last.failed)
    assert "GT112" in {found.code for found in report.findings}


def test_checks_on_the_way_pass_for_right_gradients() -> None:
    result = only(gradcli.train(DIGITS, steps=20, lr=0.5, check_every=10))
    assert [(check.number, check.verdict) for check in result.checks] == [
        (10, "pass"), (20, "pass"),
    ]  # fmt: skip


def test_a_models_own_arrays_are_left_alone() -> None:
    model = gradcli.load(spec(MLP))
    before = {name: value.copy() for name, value in model.parameters.items()}
    from gradcli.analysis.training.passes import Passes

    passes = Passes(model, mixed=True)
    passes.run(model.parameters, np.arange(8), 0, weights={}, options={})
    for name, value in Model(model.plan).parameters.items():
        np.testing.assert_array_equal(value, before[name])
