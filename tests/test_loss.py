"""`gradcli loss`: curves against closed forms, claims tried, distributions compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from planted import claiming

import gradcli
from gradcli.analysis.losses import LossReport, LossResult, analyse, choose
from gradcli.analysis.losses.report import Zero
from gradcli.core.op import Loss
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode, UsageError
from gradcli.report.json import encode

Curve = Callable[[Any], Any]


@pytest.fixture
def unclaimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No claim is tried, which takes the longest and is not what these tests are about."""
    monkeypatch.setattr(analyse, "tried_claims", lambda *_: {})


without_claims = pytest.mark.usefixtures("unclaimed")


def only(report: LossReport) -> LossResult:
    (result,) = report.results
    return result


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


TARGETS, PREDICTED = (0.7, 0.2, 0.1), (0.5, 0.3, 0.2)
ENTROPY = -sum(y * math.log(y) for y in TARGETS)
CROSS = -sum(y * math.log(q) for y, q in zip(TARGETS, PREDICTED, strict=True))


@pytest.mark.parametrize(
    ("given", "loss"),
    [
        ({"predictions": PREDICTED}, CROSS),
        ({"logits": [math.log(q) + 3 for q in PREDICTED]}, CROSS),
    ],
)
@pytest.mark.parametrize("name", ["cross_entropy", "kl_divergence"])
def test_two_distributions(name: str, given: dict[str, Any], loss: float) -> None:
    found = only(gradcli.loss(name, targets=TARGETS, **given)).comparison
    assert found is not None
    assert found.entropy == pytest.approx(ENTROPY)
    assert found.cross_entropy == pytest.approx(CROSS)
    assert found.divergence == pytest.approx(CROSS - ENTROPY)
    assert found.loss == pytest.approx(loss if name == "cross_entropy" else CROSS - ENTROPY)
    gradients = [share.gradient for share in found.classes]
    expected = np.subtract(PREDICTED, TARGETS) if name == "cross_entropy" else -np.array(TARGETS)
    np.testing.assert_allclose(gradients, expected)


def test_a_temperature_divides_the_logits() -> None:
    logits = [2.0, 0.0, -2.0]
    found = only(
        gradcli.loss("cross_entropy:temperature=2", targets=TARGETS, logits=logits)
    ).comparison
    assert found is not None
    e = np.exp(np.array(logits) / 2)
    np.testing.assert_allclose([share.predicted for share in found.classes], e / e.sum())
    assert found.loss == pytest.approx(found.cross_entropy)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_one_chance_of_an_event(kind: str) -> None:
    found = only(
        gradcli.loss(
            "binary_cross_entropy", params={"input": kind}, targets=[0.3], predictions=[0.6]
        )
    ).comparison
    assert found is not None
    cross = -0.3 * math.log(0.6) - 0.7 * math.log(0.4)
    assert found.cross_entropy == pytest.approx(cross)
    assert found.loss == pytest.approx(cross)
    slope = 0.6 - 0.3 if kind == "logits" else (0.6 - 0.3) / (0.6 * 0.4)
    assert found.classes[1].gradient == pytest.approx(slope)


def test_what_is_deemed_impossible_costs_infinity_if_it_happens() -> None:
    found = only(
        gradcli.loss("cross_entropy", targets=(0.5, 0.5, 0.0), predictions=(1.0, 0.0, 0.0))
    ).comparison
    assert found is not None
    assert found.cross_entropy == found.divergence == found.loss == math.inf
    never = only(
        gradcli.loss("cross_entropy", targets=(0.5, 0.5, 0.0), predictions=(0.5, 0.5, 0.0))
    ).comparison
    assert never is not None
    assert never.divergence == pytest.approx(0.0)
    assert never.loss == pytest.approx(math.log(2))


@pytest.mark.torch
def test_distributions_equal_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    y, z = rng.dirichlet(np.ones(5)), rng.standard_normal(5)
    options = {"label_smoothing": 0.1}
    found = only(gradcli.loss("cross_entropy", params=options, targets=y, logits=z)).comparison
    assert found is not None
    p = torch.tensor(z[None], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(p, torch.tensor(y[None]), label_smoothing=0.1)
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose([s.gradient for s in found.classes], p.grad[0].numpy(), rtol=1e-9)
    log_q = torch.log_softmax(torch.tensor(z), 0)
    divergence = torch.nn.functional.kl_div(log_q, torch.tensor(y), reduction="sum")
    assert found.divergence == pytest.approx(divergence.item(), rel=1e-12)


NOTES = {
    "gradcli": 1,
    "define": {
        "notes": {
            "kind": "loss",
            "params": {"tau": 0.9},
            "forward": "where(y >= p, tau * (y - p), (tau - 1) * (y - p))",
            "gradient": "where(y < p, tau - 1, tau)",
        }
    },
}


def defined(forward: str, **more: Any) -> LossResult:
    definition = {"kind": "loss", "forward": forward, **more}
    return only(gradcli.loss({"gradcli": 1, "define": {"own": definition}}))


def test_a_defined_loss_claims_nothing_and_is_searched() -> None:
    result = only(gradcli.loss(NOTES))
    assert (result.name, result.claims, result.builtin) == ("notes", {}, False)
    assert result.options == {"tau": 0.9}
    assert result.measured == {
        "argument": "residual",
        "convex": True,
        "lipschitz": pytest.approx(0.9),
        "kinks": (0.0,),
    }
    assert result.differs == pytest.approx(2.0)  # the notes' gradient has its sign flipped
    assert result.exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("forward", "measured"),
    [
        ("(p - y)**2", {"argument": "residual", "convex": True, "lipschitz": math.inf}),
        ("1 - exp(-(p - y)**2)", {"convex": False, "lipschitz": pytest.approx(0.857763, 1e-4)}),
        ("log1p(exp(p)) - y*p", {"argument": "prediction", "convex": True, "kinks": ()}),
        ("abs(p - 1) + abs(y)", {"argument": "prediction", "kinks": (1.0,)}),
        ("y + 0*p", {"argument": "prediction", "lipschitz": 0.0}),
        ("y", {"argument": "prediction", "convex": True, "lipschitz": 0.0, "kinks": ()}),
    ],
)
def test_properties_found_by_a_search(forward: str, measured: dict[str, Any]) -> None:
    found = defined(forward).measured
    assert {name: found[name] for name in measured} == measured


def test_a_defined_loss_is_drawn_within_its_domain() -> None:
    narrow = {"kind": "loss", "forward": "exp(p) - y*p", "domain": {"p": [-1, 3], "y": [2, "inf"]}}
    wide = {"kind": "loss", "forward": "exp(p) - y*p"}
    report = gradcli.loss({"gradcli": 1, "define": {"narrow": narrow, "wide": wide}})
    first, second = report.results
    assert (first.curves[0].x[0], first.curves[0].x[-1]) == (-1.0, 3.0)
    assert (second.curves[0].x[0], second.curves[0].x[-1]) == (-4.0, 4.0)
    assert [curve.target for curve in first.curves] == ["y = 2"]
    assert [zero.low for zero in first.zeros] == pytest.approx([math.log(2)])
    with pytest.raises(UsageError, match="cannot be drawn from -2 to 2"):
        gradcli.loss({"gradcli": 1, "define": {"narrow": narrow}}, window=(-2, 2))


def test_a_slope_that_grows_toward_the_end_of_a_domain_is_unbounded() -> None:
    endless = defined("p - y*log(p)", domain={"p": [0, "inf"]})
    assert endless.measured["lipschitz"] == math.inf
    closed = defined("exp(p)", domain={"p": [-3, 3]})
    assert closed.measured["lipschitz"] == pytest.approx(math.exp(3))


def test_a_right_gradient_does_not_differ() -> None:
    assert defined("abs(p - y)", gradient="sign(p - y)").differs == pytest.approx(0.0, abs=1e-9)
    assert defined("(p - y)**2", gradient="p - y").differs == pytest.approx(0.5)
    assert defined("(p - y)**2").differs is None


@without_claims
def test_the_losses_of_a_spec() -> None:
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"values": [[1.0], [2.0]]}, "targets": {"values": [0.0, 1.0]}},
        "loss": {"sum": ["mse", {"huber": {"delta": 2.0, "weight": 0.5}}]},
    }
    report = gradcli.loss(spec, "mae")
    assert [result.name for result in report.results] == ["mse", "huber", "mae"]
    assert report.results[1].options == {"delta": 2.0}
    assert report.results[1].weight == 0.5


def test_a_spec_without_a_loss_is_invalid() -> None:
    definition = {"kind": "activation", "forward": "x"}
    report = gradcli.loss({"gradcli": 1, "name": "none", "define": {"own": definition}})
    assert report.verdict == "invalid"
    assert report.exit_code == ExitCode.INVALID
    assert "defines none" in str(report)
    assert report.to_dict()["results"][0]["errors"][0]["code"] == "SP008"


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "there is no loss to show"),
        (["hubr"], {}, "did you mean huber?"),
        (["zzz"], {}, "there are adaptive_robust"),
        (["relu"], {}, "gradcli explain relu"),
        (["l2"], {}, "gradcli explain l2"),
        (["multi_task"], {}, "combines the losses of several heads"),
        (["huber"], {"params": {"delt": 2}}, "huber has no parameter 'delt'; did you mean delta?"),
        (["huber", "mae"], {"params": {"zz": 2}}, "huber, mae have no parameter 'zz'"),
        (["mae"], {"params": {"delta": 2}}, "there are none"),
        (["huber:delt=2"], {}, "did you mean delta?"),
        (["huber:delta"], {}, "expected PARAM=VALUE, not 'delta'"),
        (["huber:delta=-1"], {}, "delta cannot be '-1', expected a number above 0"),
        (["huber"], {"params": {"delta": None}}, "delta cannot be None"),
        (["adaptive_robust:alpha=-1,learn=scale"], {}, "no likelihood has alpha below 0"),
        (["huber"], {"window": (3, 1)}, "cannot be drawn from 3 to 1"),
        (["binary_cross_entropy:input=probabilities"], {"window": (0, 2)}, "from 0 to 2"),
        (["huber"], {"targets": [0.5, 0.5], "predictions": [0.5, 0.5]}, "cross_entropy does"),
        (["cross_entropy"], {"targets": [0.5, 0.5]}, "either predictions or logits"),
        (["cross_entropy"], {"predictions": [0.5, 0.5]}, "targets: expected numbers"),
        (["cross_entropy"], {"targets": [1, 1], "logits": [0, 0]}, "they sum to 2, not to 1"),
        (["cross_entropy"], {"targets": [2, -1], "logits": [0, 0]}, "-1 is no chance"),
        (["cross_entropy"], {"targets": [0, 1], "predictions": [3, 2]}, "write --logits"),
        (["cross_entropy"], {"targets": [1], "logits": [0]}, "two classes or more"),
        (["cross_entropy"], {"targets": [0, 1], "logits": [0, 0, 0]}, "2 targets cannot"),
        (["binary_cross_entropy"], {"targets": [0, 1], "logits": [0]}, "one number, that of"),
        (["nll"], {"targets": [0.5, 0.5], "logits": [0, 0]}, "nll reads labels"),
    ],
)
def test_what_cannot_be_shown_says_why(
    names: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        gradcli.loss(*names, **options)
    assert message in str(caught.value)


def test_the_report_is_the_same_bytes_twice_and_valid_json() -> None:
    first, second = (encode(gradcli.loss("mae", "hinge", NOTES).to_dict()) for _ in range(2))
    assert first == second
    told = json.loads(first)
    assert told["command"] == "loss"
    assert told["results"][1]["zeros"][0]["high"] == "inf"
    assert set(told["results"][0]["claims"]["lipschitz"]) == {"value", "verdict", "laws", "message"}
