"""`gradcli flow --paper`: published numbers measured again, and what is no longer one seen."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from test_help import EXAMPLES, MINUTES, line_of

import gradcli
import gradcli.ops
from gradcli.analysis.flow.paper import PaperReport, PaperRow
from gradcli.analysis.flow.paper import estimate as estimates
from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, dense, stacked
from gradcli.analysis.flow.paper.draw import Size
from gradcli.analysis.flow.paper.experiments import EXPERIMENTS
from gradcli.analysis.flow.paper.reading import mean
from gradcli.analysis.flow.paper.run import measure_experiments
from gradcli.cli.main import main
from gradcli.core.references import REFERENCES
from gradcli.errors import ExitCode
from gradcli.report.json import encode, jsonable
from gradcli.report.render import render, render_file, text_report
from gradcli.report.surface import Surface

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


def test_ctrl_c_leaves_what_is_known() -> None:
    few = QUICK

    def stop(what: str, done: float, of: float) -> None:
        if what == few[-1].network:
            raise KeyboardInterrupt

    report = measure_experiments(few, 0, stop, partial=True)
    assert report.exit_code == ExitCode.INTERRUPTED
    assert [row.network for row in report.results] == [each.network for each in few[:-1]]
    assert "exit 130: interrupted after 2 of 3" in text_report(report, Surface(80))
    with pytest.raises(KeyboardInterrupt):
        measure_experiments(few, 0, stop)


def test_progress_grows_to_the_whole() -> None:
    told: list[tuple[str, float, float]] = []
    measure_experiments(QUICK, 0, lambda *said: told.append(said))
    assert {what for what, _, _ in told} == {each.network for each in QUICK}
    shares = [done / of for _, done, of in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=1e-3)


@cache
def whole() -> PaperReport:
    """A single draw, means, theory alone and bounds; one of these is missed."""
    right = [row for number in (0, 6) for row in measured(number).results]
    report = measure_experiments(QUICK)
    bound, *others = report.results
    return replace(report, results=(*right, replace(bound, written="0.5"), *others))


def test_the_json_holds_every_number() -> None:
    report = whole()
    document = json.loads(encode(report.to_dict()))
    assert list(document) == ["schema", "command", "version", "exit_code", "seed", "results"]
    assert (document["command"], document["exit_code"], document["seed"]) == ("flow", 1, 0)
    for row, told in zip(report.results, document["results"], strict=True):
        assert told["published"] == row.published
        assert told["verdict"] == row.verdict
        assert told["theory"] == row.theory
        assert told["measured"] == row.measured
        assert told["band"] == jsonable(row.band)
        assert told["source"]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_table_at_any_width(width: int) -> None:
    drawn = text_report(whole(), Surface(width))
    for row in whole().results:
        assert row.written in drawn
    assert "✗" in drawn
    assert "measured above what is published as a bound" in " ".join(drawn.split())
    assert "exit 1: 1 published number of" in " ".join(drawn.split())
    if width >= 80:
        assert max(map(len, drawn.splitlines())) <= width
    assert all(ord(letter) < 128 for letter in text_report(whole(), Surface(width, unicode=False)))


def test_quiet_shows_what_is_wrong() -> None:
    report = whole()
    for form in ("table", "markdown"):
        drawn = render(report, form, Surface(80), quiet=True)
        assert report.mismatches[0].network.split(",")[0] in drawn
        assert report.results[0].network not in drawn


def test_markdown_cites_the_literature() -> None:
    drawn = render(whole(), "markdown", Surface(80))
    assert "On the difficulty of training recurrent neural networks, ICML 2013" in drawn
    assert drawn.count("✗ MISMATCH") == 1
    assert "**exit 1" in drawn


@pytest.mark.parametrize("suffix", [".json", ".md", ".svg", ".txt"])
def test_reports_in_files(suffix: str) -> None:
    assert render_file(whole(), suffix)


def flow(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["flow", *arguments])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder of its own, and little to measure."""
    monkeypatch.setattr("gradcli.analysis.flow.paper.run.EXPERIMENTS", QUICK)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("quick")
def test_the_command() -> None:
    told = [flow("--paper", "--format", "json") for _ in range(2)]
    assert [each.exit_code for each in told] == [0, 0]
    assert told[0].stdout_bytes == told[1].stdout_bytes
    other = flow("--paper", "--format", "json", "--seed", "1")
    assert (json.loads(told[0].stdout)["seed"], json.loads(other.stdout)["seed"]) == (0, 1)
    assert other.stdout != told[0].stdout.replace('"seed": 0', '"seed": 1')
    assert gradcli.paper().passed


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("example", [each for each in EXAMPLES["flow"] if line_of(each) in MINUTES])
def test_the_example_of_the_help(example: str) -> None:
    assert flow(*example.split()[2:]).exit_code == 0
    assert "all 3 published numbers matched" in Path("paper.md").read_text("utf-8")


@pytest.mark.usefixtures("quick")
def test_ctrl_c_ends_the_command_with_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(draw: Any) -> float:
        raise KeyboardInterrupt

    *others, last = QUICK
    (anchor,) = last.anchors
    stopped = last.replace(anchors=(anchor.replace(measured=mean(stop)),))
    monkeypatch.setattr("gradcli.analysis.flow.paper.run.EXPERIMENTS", (*others, stopped))
    result = flow("--paper", "--format", "json")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert len(json.loads(result.stdout)["results"]) == 2


@pytest.mark.usefixtures("quick")
def test_a_wrong_number_ends_the_command_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = QUICK
    wrong = first.replace(anchors=(first.anchors[0].replace(published="0.5"),))
    monkeypatch.setattr("gradcli.analysis.flow.paper.run.EXPERIMENTS", (wrong, *others))
    for form in ("table", "json", "markdown"):
        result = flow("--paper", "--format", form, "--quiet")
        assert result.exit_code == ExitCode.WRONG
        assert "0.5" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("spec.yaml", "spec"),
        ("--depth 3 --activation tanh", "depth, activation"),
        ("--bias-std 0", "bias_std"),
        ("--seeds 3", "seeds"),
        ("--fail-on dead --all --no-remedies", "fail_on, all, remedies"),
        ("--remedies --residual", "residual, remedies"),
        ("--dtype float32 --max-memory 1GiB", "dtype, max_memory"),
        ("--allow-python --write-spec x.yaml --overwrite", "allow_python, write_spec, overwrite"),
        ("--critical", "critical"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: str, meant: str) -> None:
    result = flow("--paper", *arguments.split())
    assert result.exit_code == ExitCode.INVALID
    named, said = result.stderr.removeprefix("gradcli: ").split(": ")
    assert said.startswith("not with paper, which has networks of its own")
    assert set(named.split(", ")) == set(meant.split(", "))
