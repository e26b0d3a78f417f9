"""`gradcli flow --paper` as it is seen: the report, the command line, the README."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_flow_paper import QUICK, measured, row_of
from test_help import EXAMPLES, MINUTES, line_of

import gradcli
from gradcli.analysis.flow.paper import PaperReport
from gradcli.analysis.flow.paper.experiments import EXPERIMENTS
from gradcli.analysis.flow.paper.reading import mean
from gradcli.analysis.flow.paper.run import measure_experiments
from gradcli.cli.main import main
from gradcli.errors import ExitCode
from gradcli.report import paper_words
from gradcli.report.json import encode, jsonable
from gradcli.report.render import render, render_file, text_report
from gradcli.report.surface import Surface


def test_ctrl_c_leaves_what_is_known() -> None:
    few = QUICK

    def stop(what: str, done: float, of: float) -> None:
        if what == few[-1].network:
            raise KeyboardInterrupt

    report = measure_experiments(few, 0, stop, partial=True)
    assert report.exit_code == ExitCode.INTERRUPTED
    assert [row.network for row in report.results] == [each.network for each in few[:-1]]
    assert "exit 130: interrupted after 2 of 3" in text_report(report, Surface(80))
    early = replace(report, results=())
    assert text_report(early, Surface(80)).endswith("exit 130: interrupted after 0 of 3\n")
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


README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
EXTRACT = re.findall(r"^```text\n(\$ gradcli flow --paper\n.*?)^```$", README, re.M | re.S)[0]
SHOWN = [re.split(" {2,}", line.strip()) for line in EXTRACT.splitlines() if "✓" in line]


@pytest.mark.parametrize("cells", SHOWN, ids=lambda cells: cells[0])
def test_the_extract_in_the_readme_is_current(cells: list[str]) -> None:
    """All but the measured numbers, and these within the band of fewer draws."""
    quantity, published, theory, measured, _ = cells
    quantity, published = quantity.removeprefix("✓ "), published.removeprefix("≤ ")
    heading = EXTRACT.partition(f"  ✓ {quantity}")[0]
    names = [
        anchor.name
        for each in EXPERIMENTS
        for anchor in each.anchors
        if f"\n{each.network}  " in heading
        and (anchor.quantity, anchor.published) == (quantity, published)
    ]
    rows = [row_of(name) for name in names]
    (row,) = (row for row in rows if paper_words.cells(row)[1] == theory)
    if row.band is not None:  # the extract is rounded to the sixth digit at the most
        assert row.band[0] - 1e-6 <= float(measured) <= row.band[1] + 1e-6
