"""What losses claim of themselves, tried as it is shown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from loss_reports import only
from planted import claiming

import gradcli
from gradcli.analysis.losses import choose
from gradcli.core.op import Loss
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode


@pytest.mark.parametrize("op", CATALOGUE.all(Loss), ids=lambda op: op.name)
def test_every_claim_of_the_catalogue_holds_where_it_is_shown(op: Loss) -> None:
    result = only(gradcli.loss(op.name))
    assert {name: c.message for name, c in result.claims.items() if c.verdict != "holds"} == {}
    assert {"formula", "gradient"} <= set(result.claims)
    assert result.verdict == "pass"
    assert result.exit_code == ExitCode.OK


def test_a_false_claim_of_ours_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = claiming("mae", Loss, lipschitz=2.0, bounded=True)
    monkeypatch.setattr(choose, "_found", lambda name: planted)
    result = only(gradcli.loss("mae"))
    assert set(result.broken) == {"lipschitz", "bounded"}
    assert "2.0 and not reached" in result.broken["lipschitz"].message
    assert result.verdict == "fail"
    assert result.exit_code == ExitCode.BUG
    assert not result.passed


def test_a_false_claim_of_somebody_else_s_op_is_not_a_bug_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def own(p: Any, y: Any) -> Any:
        """Theirs."""
        return claiming("mae", Loss).function(p, y)

    planted = claiming("mae", Loss, lipschitz=2.0).replace(function=own)
    monkeypatch.setattr(choose, "_found", lambda name: planted)
    result = only(gradcli.loss("mae"))
    assert set(result.broken) == {"lipschitz"}
    assert result.exit_code == ExitCode.WRONG


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ("huber:delta=0.02", "holds"),
        ("huber:delta=70", "holds"),
        ("huber:delta=1e6", "unchecked"),
        ("huber:delta=1e-6", "unchecked"),
        ("quantile:tau=0.004", "holds"),
        ("quantile:tau=0.99999", "unchecked"),
        ("cross_entropy:label_smoothing=1", "unchecked"),
        ("cross_entropy:temperature=0.07", "holds"),
        ("gaussian_nll:variance=60", "holds"),
        ("adaptive_robust:alpha=1e-12", "holds"),
        ("adaptive_robust:scale=1e-300", "unchecked"),
        ("adaptive_robust:scale=1e300", "unchecked"),
        ("cross_entropy:temperature=1e-300", "unchecked"),
        ("cross_entropy:temperature=1e300", "unchecked"),
    ],
)
def test_where_the_laws_cannot_tell_nothing_is_said(written: str, verdict: str) -> None:
    result = only(gradcli.loss(written))
    assert {claim.verdict for claim in result.claims.values()} == {verdict}
    assert result.exit_code == ExitCode.OK
    if verdict == "unchecked":
        assert all("laws are tried" in claim.message for claim in result.claims.values())


@pytest.mark.parametrize("alpha", ["1.99999", "2.0000001", "-1e-12", "-1e-5", "1e-5"])
def test_beside_an_option_at_which_the_loss_changes_its_kind_no_claim_is_denied(alpha: str) -> None:
    """At alpha = 2 the loss is a parabola; at 1.99999 it leaves it beyond where anybody looks."""
    claims = only(gradcli.loss(f"adaptive_robust:alpha={alpha}")).claims
    assert claims["formula"].verdict == claims["gradient"].verdict == "holds"
    assert "broken" not in {claim.verdict for claim in claims.values()}


def test_arithmetic_that_overflows_decides_nothing() -> None:
    """At r = 1e15 the loss is 1e450, which is no number; its growth cannot be seen."""
    claims = only(gradcli.loss("adaptive_robust:alpha=30")).claims
    assert claims["convex"].value is True
    assert claims["outlier"].verdict == "unchecked"
    assert "overflow" in claims["outlier"].message
    assert "broken" not in {claim.verdict for claim in claims.values()}


def test_growth_too_slow_to_show_is_not_denied() -> None:
    claims = only(gradcli.loss("adaptive_robust:alpha=1.01")).claims
    assert claims["lipschitz"].value == math.inf
    assert claims["lipschitz"].verdict == "holds"
    assert claims["breakdown"].verdict == "unchecked"
    assert "still grows" in claims["breakdown"].message


def reach(op: Loss) -> list[str]:
    """The loss with each number as far from what the laws are tried at as claims are tried."""
    found = []
    for param in op.params:
        tried = [value for value in param.sweep if isinstance(value, float)]
        if param.kind != "number" or not tried:
            continue
        low, high = min(map(abs, tried)) / 29, max(map(abs, tried)) * 29
        for value in (low, high, -high):
            try:
                param.convert(value)
            except ValueError:
                continue
            found.append(f"{op.name}:{param.name}={value:g}")
    return found


@pytest.mark.parametrize("written", [each for op in CATALOGUE.all(Loss) for each in reach(op)])
def test_no_claim_is_denied_within_reach(written: str) -> None:
    """A false alarm would call a right loss a bug."""
    assert only(gradcli.loss(written)).broken == {}


def test_what_the_course_gets_wrong_is_claimed_right() -> None:
    huber, mse = gradcli.loss("huber:delta=1.7", "mse").results
    assert huber.claims["convex"].value is True
    assert huber.claims["differentiable"].value == 1
    assert huber.claims["lipschitz"].value == 1.7
    assert mse.claims["influence"].value == "y - p"
    assert mse.claims["lipschitz"].value == math.inf
    assert mse.claims["strong_convexity"].value == 2.0
    focal, plain, weighted = gradcli.loss(
        "focal", "focal:gamma=0,alpha=null", "focal:gamma=0"
    ).results
    assert focal.claims["convex"].value is False
    cross_entropy = only(gradcli.loss("binary_cross_entropy")).curves
    for ours, theirs, half in zip(plain.curves, cross_entropy, weighted.curves, strict=True):
        np.testing.assert_allclose(ours.value, theirs.value)
        share = 0.25 if half.target == "y = 1" else 0.75
        np.testing.assert_allclose(half.value, share * np.array(theirs.value))
    quantile, mae = gradcli.loss("quantile", "mae").results
    np.testing.assert_allclose(2 * np.array(quantile.curves[0].value), mae.curves[0].value)
    for result in (huber, mse, focal, plain, weighted, quantile, mae):
        assert {claim.verdict for claim in result.claims.values()} == {"holds"}


def test_the_mean_over_n_elements_is_strongly_convex_with_a_share_of_the_constant() -> None:
    rows, features = 3, 4
    n = rows * features
    points = np.random.default_rng(0).standard_normal((2, rows, features))
    slopes = []
    for values in points:
        spec = {
            "gradcli": 1,
            "data": {"inputs": {"values": values}, "targets": {"values": 0 * values}},
            "loss": "mse",
        }
        slopes.append(gradcli.load(spec).value_and_grad()[1]["inputs"])
    np.testing.assert_allclose(slopes[1] - slopes[0], 2 / n * (points[1] - points[0]))
