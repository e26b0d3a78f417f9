"""Triples mined within a batch: which they are, what they add up to, and what becomes of ties."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gradcli
import gradcli.ops
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.cli.main import main
from gradcli.core.op import Loss
from gradcli.core.registry import CATALOGUE
from gradcli.errors import SpecError
from gradcli.ops.mining import MINING, NEEDS_DRAWS
from gradcli.spec import load_plan

DISTANCES = ("squared", "euclidean")
OPTIONS = list(itertools.product(MINING, DISTANCES))
minings = pytest.mark.parametrize("mining", MINING)
every_way = pytest.mark.parametrize(("mining", "distance"), OPTIONS)
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def op() -> Loss:
    found = CATALOGUE.find("triplet", Loss)
    assert found is not None
    return found


def given(mining: str, rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The numbers that some kinds of mining are given."""
    return {"draws": rng.random((rows, rows))} if mining in NEEDS_DRAWS else {}


def batch(rng: np.random.Generator, rows: int = 14) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((rows, 3)), rng.permutation(np.arange(rows) % 4)


def between(p: np.ndarray, a: int, b: int, distance: str) -> float:
    square = float(((p[a] - p[b]) ** 2).sum())
    return square if distance == "squared" else square**0.5


def mined(p: np.ndarray, y: np.ndarray, **options: Any) -> list[list[int]]:
    assert op().details is not None
    found: list[list[int]] = op().details(p, y, **options)["triples"]
    return found


def pairs(y: np.ndarray) -> list[tuple[int, int]]:
    rows = range(len(y))
    return [(a, p) for a in rows for p in rows if a != p and y[a] == y[p]]


@every_way
def test_every_two_rows_of_a_class_get_a_negative_of_another(
    mining: str, distance: str, rng: np.random.Generator
) -> None:
    p, y = batch(rng)
    options = {"margin": 5.0, "distance": distance, "mining": mining}
    triples = mined(p, y, **given(mining, len(y), rng), **options)
    got = [(anchor, positive) for anchor, positive, _ in triples]
    assert got == pairs(y) if mining != "semi_hard" else set(got) <= set(pairs(y))
    assert all(y[anchor] != y[negative] for anchor, _, negative in triples)


@pytest.mark.parametrize("distance", DISTANCES)
def test_hard_is_the_closest(distance: str, rng: np.random.Generator) -> None:
    p, y = batch(rng)
    for a, _, n in mined(p, y, margin=1.0, distance=distance, mining="hard"):
        others = [between(p, a, b, distance) for b in range(len(y)) if y[b] != y[a]]
        assert between(p, a, n, distance) == pytest.approx(min(others), rel=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_semi_hard_is_farther_than_the_positive_yet_inside_the_margin(
    distance: str, rng: np.random.Generator
) -> None:
    """FaceNet's, not the course notes' closer ones; a pair without such a negative has none."""
    p, y = batch(rng)
    found = {
        (a, b): n for a, b, n in mined(p, y, margin=0.7, distance=distance, mining="semi_hard")
    }
    assert 0 < len(found) < len(pairs(y))
    for a, b in pairs(y):
        near = between(p, a, b, distance)
        inside = {
            between(p, a, n, distance): n
            for n in range(len(y))
            if y[n] != y[a] and near < between(p, a, n, distance) < near + 0.7
        }
        assert found.get((a, b)) == (inside[min(inside)] if inside else None)


def test_random_takes_every_negative_alike(rng: np.random.Generator) -> None:
    p, y = np.zeros((6, 1)), np.array([0, 0, 1, 2, 3, 4])
    options = {"margin": 1.0, "distance": "squared", "mining": "random"}
    counts = Counter(
        n for _ in range(2000) for *_, n in mined(p, y, draws=rng.random((6, 6)), **options)
    )
    assert set(counts) == {2, 3, 4, 5}
    assert max(abs(count - 1000) for count in counts.values()) < 6 * (1000 * 0.75) ** 0.5


@pytest.mark.parametrize("distance", DISTANCES)
def test_importance_is_in_proportion_to_the_gradient(
    distance: str, rng: np.random.Generator
) -> None:
    """Its size for each triple alone is measured by the loss itself, without mining."""
    p, y = rng.standard_normal((6, 2)), np.array([0, 0, 1, 2, 3, 4])
    sizes = []
    for n in range(2, 6):
        value, pull = op().function(p[[0, 1, n]], margin=1.5, distance=distance, mining="none")
        sizes.append(float(np.linalg.norm(pull(np.ones_like(value)))))
    chances = np.array(sizes) / sum(sizes)
    options = {"margin": 1.5, "distance": distance, "mining": "importance"}
    draws = 4000
    counts = Counter(
        n
        for _ in range(draws)
        for a, _, n in mined(p, y, draws=rng.random((6, 6)), **options)
        if a == 0
    )
    for n, chance in zip(range(2, 6), chances, strict=True):
        assert abs(counts[n] - draws * chance) <= 6 * (draws * chance * (1 - chance)) ** 0.5
    assert (chances == 0).any() or chances.min() < 0.8 * chances.max()


@dtypes
@every_way
def test_mean_and_gradient_are_those_of_the_triples_one_by_one(
    mining: str, distance: str, dtype: str, rng: np.random.Generator
) -> None:
    p, y = batch(rng)
    p = p.astype(dtype)
    options: dict[str, Any] = {"margin": 1.0, "distance": distance}
    held = {name: each.astype(dtype) for name, each in given(mining, len(y), rng).items()}
    triples = mined(p, y, mining=mining, **options, **held)
    value, pull = op().function(p, y, mining=mining, **options, **held)
    dp = pull(np.full_like(value, 1 / len(pairs(y))))
    rows = np.array(triples).ravel()
    alone, pull_alone = op().function(p[rows], mining="none", **options)
    expected = np.zeros_like(p, float)
    np.add.at(expected, rows, pull_alone(np.full_like(alone, 1 / len(pairs(y)))))
    assert value.dtype == dp.dtype == np.dtype(dtype)
    assert value.shape == (len(pairs(y)),)
    tolerance = {"float64": 1e-14, "float32": 1e-5}[dtype]
    assert value.sum() == pytest.approx(alone.sum(dtype=float), rel=tolerance)
    np.testing.assert_allclose(dp, expected, rtol=0, atol=tolerance)


@pytest.mark.torch
@every_way
def test_gradient_of_the_triples_is_that_of_pytorch(
    mining: str, distance: str, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    p, y = batch(rng)
    options: dict[str, Any] = {"margin": 1.0, "distance": distance, "mining": mining}
    held = given(mining, len(y), rng)
    anchors, positives, negatives = np.array(mined(p, y, **options, **held)).T
    value, pull = op().function(p, y, **options, **held)

    p_torch = torch.from_numpy(p).requires_grad_()
    a, b, n = (p_torch[rows] for rows in (anchors, positives, negatives))
    if distance == "euclidean":
        loss = torch.nn.functional.triplet_margin_loss(a, b, n, eps=0, reduction="sum")
    else:
        near, far = (a - b).square().sum(-1), (a - n).square().sum(-1)
        loss = torch.clamp(near - far + 1, min=0).sum()
    loss.backward()
    assert value.sum() == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(pull(np.ones_like(value)), p_torch.grad.numpy(), rtol=0, atol=1e-12)


@every_way
def test_replicas_choose_for_themselves_and_carry_imaginary_parts(
    mining: str, distance: str, rng: np.random.Generator
) -> None:
    _, y = batch(rng)
    p = rng.standard_normal((3, 2, len(y), 3))
    options: dict[str, Any] = {"margin": 1.0, "distance": distance, "mining": mining}
    held = given(mining, len(y), rng)
    value, pull = op().function(p, y, **options, **held)
    g = rng.standard_normal(value.shape)
    dp = pull(g)
    w = rng.standard_normal(p.shape)
    carried, pull_carried = op().function(p + 1e-200j * w, y, **options, **held)
    slopes = (dp * w).sum(axis=(-2, -1))
    np.testing.assert_allclose((g * carried.imag / 1e-200).sum(axis=-1), slopes, atol=1e-12)
    bends = pull_carried(g).imag / 1e-200
    for index in np.ndindex(3, 2):
        alone, pull_alone = op().function(p[index], y, **options, **held)
        np.testing.assert_array_equal(value[index], alone)
        np.testing.assert_allclose(dp[index], pull_alone(g[index]), rtol=0, atol=1e-14)
        step = 1e-6
        ahead, behind = (
            op().function(p[index] + side * step * w[index], y, **options, **held)[1](g[index])
            for side in (1, -1)
        )
        if np.abs(ahead - behind).max() < 1e3 * step:  # no other triples in between
            np.testing.assert_allclose(bends[index], (ahead - behind) / (2 * step), atol=1e-6)


def spec(mining: str, distance: str, **more: Any) -> dict[str, Any]:
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [16, 5]}, "targets": "auto"},
        "network": [{"dense": 6}, "tanh", {"dense": 4}],
        "loss": {"triplet": {"mining": mining, "distance": distance}},
        **more,
    }


@dtypes
@every_way
def test_check_passes(mining: str, distance: str, dtype: str) -> None:
    for seed in range(3):
        report = gradcli.check(spec(mining, distance, dtype=dtype), seed=seed)
        assert report.verdict == "pass", report
        assert all(tensor.grade for tensor in report.tensors if tensor.name != "dense_2.bias")


@dtypes
@every_way
def test_ties_are_kinks_and_never_red(mining: str, distance: str, dtype: str) -> None:
    """Rows on a small grid coincide, and are as far from each other as others, all the time."""
    kinks = 0
    for seed in range(6):
        points = np.random.default_rng(seed).integers(0, 3, (10, 2)).astype(float)
        tied = spec(mining, distance, dtype=dtype, seed=seed)
        tied["data"] = {
            "inputs": {"values": points},
            "targets": {"values": [0, 0, 1, 1, 2, 2, 0, 1, 2, 0]},
        }
        tied["network"] = [{"dense": {"units": 2, "init": "orthogonal"}}]
        report = gradcli.check(tied)
        assert report.verdict == "pass", report
        kinks += sum(found.code == "GC201" for found in report.findings)
    assert kinks


def test_a_wrong_gradient_is_found_among_ties() -> None:
    def wrong(p: np.ndarray, *rest: Any, **options: Any) -> Any:
        value, pull = op().function(p, *rest, **options)
        return value, lambda g: pull(g) * np.where(np.arange(p.shape[-1]) == 0, -1, 1)

    catalogue = CATALOGUE.extended([op().replace(name="wrong", function=wrong)])
    points = np.random.default_rng(0).integers(0, 3, (10, 2)).astype(float)
    data = {"inputs": {"values": points}, "targets": {"values": [0, 0, 1, 1, 2, 2, 0, 1, 2, 0]}}
    plan = load_plan(
        {"gradcli": 1, "data": data, "loss": {"wrong": {"mining": "hard"}}}, catalogue=catalogue
    )
    result = check_plan(plan, CheckOptions())
    assert result.verdict == "fail"


@minings
def test_what_is_drawn_is_frozen_and_depends_on_the_seed(mining: str) -> None:
    models = [gradcli.load(spec(mining, "squared"), seed=seed) for seed in (0, 0, 1)]
    drawn = [dict(model.buffers) for model in models]
    assert list(drawn[0]) == (["loss.draws"] if mining in NEEDS_DRAWS else [])
    for first, again, other in zip(*(each.values() for each in drawn), strict=True):
        assert first.shape == (16, 16)
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()
    assert models[0].loss() == models[0].loss() == models[1].loss()


def test_the_chosen_triples_are_in_the_json(tmp_path: Any) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "gradcli: 1\n"
        "data: {inputs: {values: [[0], [1], [5], [1.5]]}, targets: {values: [0, 0, 1, 1]}}\n"
        "loss: {sum: [{triplet: {mining: hard}}, {triplet: {margin: 5, mining: semi_hard}}]}\n"
    )
    result = CliRunner().invoke(main, ["check", str(path), "--format", "json"])
    (outcome,) = json.loads(result.stdout)["results"]
    assert outcome["details"] == {
        "triplet": {"triples": [[0, 1, 3], [1, 0, 3], [2, 3, 1], [3, 2, 1]]},
        "triplet_2": {"triples": [[0, 1, 3], [2, 3, 1]]},
    }


def test_a_loss_with_nothing_to_say_adds_nothing_to_the_json() -> None:
    (outcome,) = gradcli.check(spec("none", "squared", data={"inputs": {"shape": [6, 5]}})).results
    assert "details" not in outcome.to_dict()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("[0, 1, 2, 3]", "no two rows are of one class"),
        ("[7, 7, 7, 7]", "all rows are of one class"),
        ("[0, 0, 1, 0.5]", "target 0.5"),
    ],
)
def test_classes_have_to_give_a_triple(targets: str, message: str) -> None:
    data = {"inputs": {"shape": [4, 2]}, "targets": {"values": json.loads(targets)}}
    with pytest.raises(SpecError, match=message) as caught:
        gradcli.load({"gradcli": 1, "data": data, "loss": {"triplet": {"mining": "hard"}}})
    (problem,) = caught.value.errors
    assert (problem.code, problem.key) == ("SP015", "data.targets.values")


def test_two_rows_are_too_few_for_a_triple() -> None:
    data = {"inputs": {"shape": [2, 2]}, "targets": "auto"}
    with pytest.raises(SpecError, match="mines triples, and there are 2 rows"):
        gradcli.load({"gradcli": 1, "data": data, "loss": {"triplet": {"mining": "hard"}}})


@pytest.mark.parametrize("rows", [3, 5, 16, 40])
def test_drawn_classes_give_triples(rows: int) -> None:
    data = {"inputs": {"shape": [rows, 2]}, "targets": "auto"}
    model = gradcli.load({"gradcli": 1, "data": data, "loss": {"triplet": {"mining": "hard"}}})
    _, counts = np.unique(model.targets["targets"], return_counts=True)
    assert len(counts) >= 2
    assert counts.max() >= 2
