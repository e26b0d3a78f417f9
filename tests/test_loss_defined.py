"""Losses that a spec defines or uses, what cannot be shown, and the report as a whole."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from loss_reports import only, without_claims

import gradcli
from gradcli.analysis.losses import LossResult
from gradcli.errors import ExitCode, UsageError
from gradcli.report.json import encode

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
