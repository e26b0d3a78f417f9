"""`gradcli flow --paper`: published numbers measured again, and what is no longer one seen."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow.paper import PaperReport, PaperRow
from gradcli.analysis.flow.paper import estimate as estimates
from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, dense, stacked
from gradcli.analysis.flow.paper.draw import Size
from gradcli.analysis.flow.paper.experiments import EXPERIMENTS
from gradcli.analysis.flow.paper.run import measure_experiments
from gradcli.core.references import REFERENCES
from gradcli.errors import ExitCode

FEW_DRAWS = 6
NARROW = 64


def cheap(experiment: Experiment) -> Experiment:
    """The same network, of fewer draws, and narrower where what is published is for any width.

    Its bands are wider, and nothing else changes.
    """
    width = experiment.size.width
    size = experiment.size._replace(width=width if width == 100 else min(width, NARROW))
    return experiment.replace(draws=min(FEW_DRAWS, experiment.draws), size=size)


CHEAP = tuple(map(cheap, EXPERIMENTS))
QUICK = tuple(
    each.replace(draws=2, size=each.size._replace(depth=10, width=16)) for each in CHEAP[-3:]
)
ANCHORS = {anchor.name: anchor for each in EXPERIMENTS for anchor in each.anchors}


@cache
def measured(number: int) -> PaperReport:
    return measure_experiments([CHEAP[number]])


def row_of(name: str) -> PaperRow:
    (number,) = (i for i, each in enumerate(CHEAP) if name in {a.name for a in each.anchors})
    return next(row for row in measured(number).results if row.name == name)


def planted(name: str, published: str) -> PaperReport:
    """What comes of an anchor if something else is published."""
    return PaperReport((replace(row_of(name), written=published),), of=1)


def written_like(written: str, value: float) -> str:
    _, _, decimals = written.partition(".")
    return f"{value:.{max(len(decimals), 3)}f}"


def test_every_row_of_the_predictions_is_here() -> None:
    """The claims, by the words or numbers that none of them can be told without."""
    told = " ".join(
        f"{each.network} {anchor.quantity} {anchor.published} {anchor.note}"
        for each in EXPERIMENTS
        for anchor in each.anchors
    )
    for piece in (
        "2/(1 + a²)", "0.408", "0.25", "0.26469", "0.05572", "-0.50", "1.76095", "0.57005",
        "0.93864", "1.13352", "1.07157", "1.46694", "(B − 2)/(B − 3)", "E f'²/Var f", "E f'²/E f²",
        "2.5", "4.7", "0.87", "singular value", "(L+1)^(L+1)/L^L", "2.718", "√(1 + L/2)", "σ_max·γ",
        "-0.99", "+14.6".lstrip("+"), "-0.08", "22.1", "-19.5", "2.65", "-31.5", "-15.5", "-31.4",
    ):  # fmt: skip
        assert piece in told, piece


def test_names_are_unique_and_literature_is_known() -> None:
    anchors = list(chain.from_iterable(each.anchors for each in EXPERIMENTS))
    assert len(ANCHORS) == len(anchors)
    for anchor in anchors:
        assert anchor.measured is not None or anchor.theory is not None
        cited = [REFERENCES[key] for key in anchor.references]
        for year in re.findall("[0-9]{4}", anchor.source):
            assert any(year in reference for reference in cited), anchor.name


@pytest.mark.parametrize("number", range(len(CHEAP)), ids=[each.network for each in CHEAP])
def test_every_network_shows_what_is_published(number: int) -> None:
    report = measured(number)
    assert report.results
    assert [row.name for row in report.mismatches] == []
    assert report.exit_code == ExitCode.OK
    for row in report.results:
        assert row.band is None or row.band[0] <= row.measured <= row.band[1]


@pytest.mark.parametrize("name", ANCHORS)
def test_a_wrong_number_is_seen(name: str) -> None:
    """Beside the band, or a digit off from theory: exit 1."""
    row = row_of(name)
    wrong = []
    if row.band is not None:
        low, high = row.band
        wrong.append(low - 1e-3 - 0.01 * abs(low))
        if not row.is_bound:
            wrong.append(high + 1e-3 + 0.01 * abs(high))
    for value in wrong:
        report = planted(name, written_like(row.written, value))
        assert report.exit_code == ExitCode.WRONG, value
        assert "measured" in report.results[0].mismatches
    if row.theory is not None and not row.drawn:
        off = row.published + 2.5 * row.last_digit + 2 * row.theory_leeway + 1e-3
        assert "theory" in planted(name, f"{off:.9f}").results[0].mismatches


def orthogonal(size: Size) -> dict[str, Any]:
    return {"dense": {"units": size.width, "init": "orthogonal"}}


def replaced(name: str, spec: Any) -> PaperReport:
    """The numbers of a network, read of another one."""
    (experiment,) = (each for each in CHEAP if name in {a.name for a in each.anchors})
    return measure_experiments([experiment.replace(spec=spec, draws=24)])


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("relu-he-chi", lambda size: stacked(size, dense(size, 2.6), "relu")),
        ("sigmoid-q", lambda size: stacked(size, dense(size, 1.5), "sigmoid")),
        ("batch-norm-relu", lambda size: stacked(size, dense(size, 2.0), "relu")),
        ("layer-norm-sigmoid", lambda size: stacked(size, dense(size, 1.0), "sigmoid")),
        ("orthogonal-least", lambda size: stacked(size, dense(size, 1.0), "identity")),
        ("gaussian-largest", lambda size: stacked(size, dense(size, 1.4), "identity")),
        ("residual-doubles", lambda size: stacked(size, dense(size, 2.0), "relu")),
        ("spread-one", lambda size: stacked(size, orthogonal(size), "identity")),
        ("recurrent-sigmoid", lambda size: stacked(size, dense(size, 9.0), "tanh")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_network_is_seen(name: str, spec: Any) -> None:
    """By what networks show; theory may notice as well."""
    report = replaced(name, spec)
    assert report.exit_code == ExitCode.WRONG
    (row,) = (row for row in report.results if row.name == name)
    assert "measured" in row.mismatches


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("selu-chi", "1.07158"),
        ("tanh-critical", "1.7604"),
        ("tanh-critical-q", "0.57006"),
        ("sigmoid-chi", "0.05573"),
        ("batch-norm-relu", "1.46695"),
        ("relu-pytorch-chi", "0.16668"),
    ],
)
def test_the_last_digit_counts(name: str, close: str) -> None:
    report = planted(name, close)
    assert report.results[0].mismatches == ("theory",)
    assert report.exit_code == ExitCode.WRONG


def test_what_is_written_says_how_exact_it_is() -> None:
    row = row_of("selu-chi")
    assert row.last_digit == pytest.approx(5e-6)
    assert row_of("relu-he-chi").last_digit == 0


def test_bands_hold_the_truth_and_miss_what_is_far() -> None:
    """Of numbers of a known distribution, by seeds; a band of 99.99 % fails none of 200 of them."""
    cases = {
        estimates.mean_of: 3.0,
        estimates.variance_of: 4.0,
        estimates.growth_of: 3.0 + 4.0 / 2,
    }
    for estimator, truth in cases.items():
        for seed in range(200):
            rng = np.random.default_rng(seed)
            found = estimator(list(rng.normal(3.0, 2.0, 48)))
            assert found.low <= truth <= found.high
            assert found.low <= found.value <= found.high
        assert not found.low <= 3 * truth <= found.high


def test_one_more_draw_lies_in_its_band() -> None:
    outside = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        found = estimates.next_draw_of(list(rng.normal(size=8)))
        outside += not found.low <= float(rng.normal()) <= found.high
    assert outside <= 1


def test_seeds_share_no_draw() -> None:
    seen: list[int] = []
    spy = Experiment(
        network="spy",
        spec=CHEAP[-1].spec,
        size=CHEAP[-1].size._replace(depth=2, width=2, batch=2),
        draws=3,
        anchors=(
            Anchor(
                name="spy",
                quantity="seed",
                published="0",
                source="derived",
                measured=CHEAP[-1]
                .anchors[0]
                .measured.replace(of=lambda draw: seen.append(draw.plan.seed) or float(len(seen))),
            ),
        ),
    )
    for seed in (0, 1):
        measure_experiments([spy], seed)
    assert len(seen) == len(set(seen)) == 6
