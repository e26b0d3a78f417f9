"""Curves of losses against closed forms, zeros of their gradients, and how hard mistakes pull."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from loss_reports import only, without_claims

import gradcli
from gradcli.analysis.losses.report import Zero

Curve = Callable[[Any], Any]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# Written, the variable, value and gradient by it; for the first target where there are two.
CLOSED: list[tuple[str, str, Curve, Curve]] = [
    ("mse", "p - y", lambda r: r**2, lambda r: 2 * r),
    ("mae", "p - y", np.abs, np.sign),
    (
        "huber:delta=2",
        "p - y",
        lambda r: np.where(np.abs(r) <= 2, r**2 / 2, 2 * np.abs(r) - 2),
        lambda r: np.clip(r, -2, 2),
    ),
    (
        "quantile:tau=0.9",
        "p - y",
        lambda r: np.maximum(0.1 * r, -0.9 * r),
        lambda r: np.where(r > 0, 0.1, np.where(r < 0, -0.9, 0)),
    ),
    ("log_cosh", "p - y", lambda r: np.log(np.cosh(r)), np.tanh),
    (
        "gaussian_nll:variance=4",
        "p - y",
        lambda r: r**2 / 8 + math.log(4) / 2,
        lambda r: r / 4,
    ),
    (
        "adaptive_robust:alpha=0,scale=2",
        "p - y",
        lambda r: np.log1p(r**2 / 8),
        lambda r: 2 * r / (r**2 + 8),
    ),
    ("hinge", "y*p", lambda m: np.maximum(0, 1 - m), lambda m: np.where(m < 1, -1.0, 0.0)),
    (
        "squared_hinge",
        "y*p",
        lambda m: np.maximum(0, 1 - m) ** 2,
        lambda m: -2 * np.maximum(0, 1 - m),
    ),
    ("binary_cross_entropy", "p", lambda p: np.log1p(np.exp(-p)), lambda p: -sigmoid(-p)),
    ("binary_cross_entropy:input=probabilities", "p", lambda p: -np.log(p), lambda p: -1 / p),
    (
        "focal:gamma=2,alpha=null",
        "p",
        lambda p: sigmoid(-p) ** 2 * np.log1p(np.exp(-p)),
        lambda p: -(sigmoid(-p) ** 2) * (2 * sigmoid(p) * np.log1p(np.exp(-p)) + sigmoid(-p)),
    ),
    (
        "cross_entropy:temperature=2",
        "logit of the target",
        lambda z: np.log1p(np.exp(-z / 2)),
        lambda z: -sigmoid(-z / 2) / 2,
    ),
    (
        "contrastive:margin=2",
        "distance",
        lambda d: d**2,
        lambda d: 2 * d,
    ),
    (
        "triplet:margin=0.5",
        "distance",
        lambda d: np.maximum(0, d**2 - 1 + 0.5),
        lambda d: np.where(d**2 >= 0.5, 2 * d, 0),
    ),
    (
        "triplet:distance=euclidean,mining=hard",
        "distance",
        lambda d: d,
        lambda d: np.where(d > 0, 1.0, 0.0),
    ),
    ("zero_one", "score of the target", lambda s: np.where(s >= 0, 0.0, 1.0), np.zeros_like),
    ("nll", "log-probability of the target", lambda z: -z, lambda z: -np.ones_like(z)),
    ("kl_divergence", "log-probability of the target", lambda z: -z, lambda z: -np.ones_like(z)),
]


@without_claims
@pytest.mark.parametrize(
    ("written", "over", "value", "gradient"), CLOSED, ids=[each[0] for each in CLOSED]
)
def test_curves_are_the_closed_forms(
    written: str, over: str, value: Curve, gradient: Curve
) -> None:
    curve = only(gradcli.loss(written)).curves[0]
    x = np.array(curve.x)
    assert curve.over == over
    np.testing.assert_allclose(curve.value, value(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(curve.gradient, gradient(x), rtol=1e-12, atol=1e-12)


@without_claims
def test_an_event_has_a_curve_for_each_target() -> None:
    happens, fails = only(gradcli.loss("binary_cross_entropy")).curves
    assert (happens.target, fails.target) == ("y = 1", "y = 0")
    np.testing.assert_allclose(fails.value, happens.value[::-1])
    np.testing.assert_allclose(fails.gradient, -np.array(happens.gradient[::-1]))


@without_claims
def test_one_means_dissimilar() -> None:
    """Similar pairs attract at every distance, dissimilar ones part up to the margin."""
    similar, dissimilar = only(gradcli.loss("contrastive:margin=2")).curves
    d = np.array(dissimilar.x)
    assert (similar.target, dissimilar.target) == ("similar", "dissimilar")
    np.testing.assert_allclose(dissimilar.value, np.maximum(0, 2 - d) ** 2)
    inside = (d > 0) & (d < 2)
    np.testing.assert_allclose(np.array(dissimilar.gradient)[inside], -2 * (2 - d[inside]))


@without_claims
@pytest.mark.parametrize(
    ("written", "window"),
    [
        ("mse", (-4, 4)),
        ("huber", (-4, 4)),
        ("huber:delta=3", (-6, 6)),
        ("huber:delta=50", (-100, 100)),
        ("binary_cross_entropy:input=probabilities", (0.005, 0.995)),
    ],
)
def test_the_window_shows_every_bend(written: str, window: tuple[float, float]) -> None:
    curve = only(gradcli.loss(written)).curves[0]
    assert (curve.x[0], curve.x[-1]) == pytest.approx(window)


@without_claims
def test_curves_of_one_variable_share_their_window() -> None:
    report = gradcli.loss("mse", "huber:delta=3", "hinge")
    assert [result.curves[0].x[-1] for result in report.results] == pytest.approx([6, 6, 4])
    shown = gradcli.loss("mse", "huber:delta=3", window=(-1, 2))
    assert {(result.curves[0].x[0], result.curves[0].x[-1]) for result in shown.results} == {
        (-1.0, 2.0)
    }


ZEROS: dict[str, list[Zero]] = {
    "mse": [Zero("", 0.0, 0.0)],
    "mae": [Zero("", 0.0, 0.0, jumps=True)],
    "huber": [Zero("", 0.0, 0.0)],
    "quantile:tau=0.2": [Zero("", 0.0, 0.0, jumps=True)],
    "hinge": [Zero("", 1.0, math.inf)],
    "squared_hinge": [Zero("", 1.0, math.inf)],
    "nll": [],
    "binary_cross_entropy": [
        Zero("y = 1", 0.0, math.inf, fades=True),
        Zero("y = 0", -math.inf, 0.0, fades=True),
    ],
    "adaptive_robust:alpha=0": [
        Zero("", 0.0, 0.0),
        Zero("", -math.inf, 0.0, fades=True),
        Zero("", 0.0, math.inf, fades=True),
    ],
    "adaptive_robust:alpha=1": [Zero("", 0.0, 0.0)],
    "zero_one": [Zero("", -math.inf, math.inf)],
    "contrastive:margin=3": [Zero("dissimilar", 3.0, math.inf)],
    "triplet:margin=3": [Zero("negative, positive at 1", 2.0, math.inf)],
}


@without_claims
@pytest.mark.parametrize("written", ZEROS)
def test_where_the_gradient_vanishes(written: str) -> None:
    assert list(only(gradcli.loss(written)).zeros) == ZEROS[written]


@without_claims
@pytest.mark.parametrize(
    ("written", "sizes"),
    [
        ("mse", [2, 20, 200, 2000]),
        ("mae", [1, 1, 1, 1]),
        ("huber:delta=5", [1, 5, 5, 5]),
        ("quantile:tau=0.9", [0.9, 0.9, 0.9, 0.9]),
        ("squared_hinge", [4, 22, 202, 2002]),
        ("binary_cross_entropy:input=probabilities", [10, 100, 1000, 10000]),
    ],
)
def test_how_hard_mistakes_pull(written: str, sizes: list[float]) -> None:
    assert [p.gradient for p in only(gradcli.loss(written)).pulls] == pytest.approx(sizes)
