"""The flow report: exit codes, JSON, and how it is drawn."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import (
    FlowOptions,
    FlowReport,
    analyse_flow,
    build_spec,
    invalid_flow,
)
from gradcli.errors import ExitCode, SpecProblem
from gradcli.report.json import encode
from gradcli.report.render import render, text_report
from gradcli.report.surface import Surface
from gradcli.spec import load_plan

HEALTHY = {"depth": 20}
VANISHING = {"depth": 20, "activation": "sigmoid"}
EXPLODING = {"depth": 20, "gain": 2.0}
UNDETERMINED = {"depth": 40, "width": 8}
NAMES = ["healthy", "vanishing", "exploding", "undetermined"]
NETWORKS = dict(zip(NAMES, (HEALTHY, VANISHING, EXPLODING, UNDETERMINED), strict=True))


@cache
def report_of(name: str) -> FlowReport:
    built: dict[str, Any] = {"width": 32, "batch": 16, **NETWORKS[name]}
    return analyse_flow(load_plan(build_spec(**built)))


def asked(name: str, **changes: Any) -> FlowReport:
    report = report_of(name)
    return replace(report, results=(replace(report.results[0], **changes),))


@pytest.mark.parametrize("name", NAMES)
def test_without_a_question_everything_passes(name: str) -> None:
    report = report_of(name)
    assert report.verdict == name
    assert report.exit_code == ExitCode.OK
    assert report.passed


@pytest.mark.parametrize(
    ("name", "gates", "code"),
    [
        ("vanishing", ("vanishing",), ExitCode.WRONG),
        ("vanishing", ("exploding",), ExitCode.OK),
        ("vanishing", ("exploding", "vanishing"), ExitCode.WRONG),
        ("exploding", ("exploding",), ExitCode.WRONG),
        ("healthy", ("vanishing", "exploding", "dead", "saturated", "non-finite"), ExitCode.OK),
        ("undetermined", ("vanishing",), ExitCode.UNDECIDED),
        ("undetermined", ("undetermined",), ExitCode.WRONG),
        ("undetermined", ("dead",), ExitCode.OK),
    ],
)
def test_gates(name: str, gates: tuple[str, ...], code: ExitCode) -> None:
    report = asked(name, fail_on=gates)
    assert report.exit_code == code
    assert report.passed == (code == ExitCode.OK)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("expected", NAMES)
def test_expectations(name: str, expected: str) -> None:
    code = asked(name, expected=expected).exit_code
    if name == expected:
        assert code == ExitCode.OK
    else:
        assert code == (ExitCode.UNDECIDED if name == "undetermined" else ExitCode.WRONG)


def test_undecided_can_be_allowed() -> None:
    report = asked("undetermined", fail_on=("vanishing",), allow_inconclusive=True)
    assert report.exit_code == ExitCode.OK


def test_findings_are_gates() -> None:
    built = build_spec(width=32, batch=16, depth=5, activation="tanh", bias_std=10.0)
    report = analyse_flow(load_plan(built), FlowOptions(fail_on=("saturated",)))
    assert report.results[0].gates_hit == ("saturated",)
    assert report.exit_code == ExitCode.WRONG


def test_the_spec_s_expectation_is_held() -> None:
    spec = {**build_spec(width=32, batch=16, **HEALTHY), "expect": {"flow": "vanishing"}}
    assert analyse_flow(load_plan(spec)).exit_code == ExitCode.WRONG
    spec["expect"] = {"flow": "healthy"}
    assert analyse_flow(load_plan(spec)).exit_code == ExitCode.OK


def test_progress_is_told_of_every_seed() -> None:
    told: list[tuple[int, int]] = []
    plan = load_plan(build_spec(width=8, batch=8, depth=2))
    analyse_flow(plan, FlowOptions(seeds=3), lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_envelope() -> None:
    document = json.loads(encode(report_of("vanishing").to_dict()))
    assert list(document) == ["schema", "command", "version", "exit_code", "seed", "results"]
    assert (document["schema"], document["command"]) == ("gradcli/1", "flow")
    (result,) = document["results"]
    promised = {
        *("name", "verdict", "depth", "rate", "log10_total", "log10_bound", "log10_rms_product"),
        *("band", "layers", "mean_field", "underflow", "depth_budget", "remedies", "findings"),
    }
    assert promised <= set(result)
    assert len(result["layers"]) == 20
    promised = {
        *("index", "name", "op", "activation", "width", "weight_norm", "slope_max", "slope_rms"),
        *("activation_rms", "log10_bound", "log10_rms_product", "log10_gradient_norm"),
        *("log10_weight_gradient_norm", "gain", "predicted_gain", "z_score", "saturated", "dead"),
    }
    assert promised <= set(result["layers"][0])
    assert set(result["underflow"]) == {"float16", "bfloat16", "float32", "float64"}


def test_the_same_run_gives_the_same_bytes() -> None:
    plan = load_plan(build_spec(width=16, batch=8, depth=5))
    first, second = (encode(analyse_flow(plan).to_dict()) for _ in range(2))
    assert first == second


def test_what_is_not_finite_is_valid_json() -> None:
    built = build_spec(depth=40, width=8, batch=4, activation="gelu", gain=1e9)
    report = analyse_flow(load_plan(built), FlowOptions(seeds=1))
    assert json.loads(encode(report.to_dict()))["results"][0]["log10_total"] == "nan"
    assert math.isnan(report.results[0].log10_total)
    for width in (60, 80, 120):
        assert "not a number" in text_report(report, Surface(width))


def test_an_invalid_spec_is_a_result() -> None:
    problem = SpecProblem("SP010", "unknown name", "a.yaml", 3, 5, "network[0]", "try relu")
    report = invalid_flow("a.yaml", (problem,))
    assert (report.verdict, report.exit_code) == ("invalid", ExitCode.INVALID)
    (result,) = report.to_dict()["results"]
    assert result["errors"][0]["code"] == "SP010"
    assert "SP010" in str(report)
    for form in ("table", "markdown"):
        assert "SP010" in render(report, form, Surface())


def test_the_text_of_a_failed_assertion_says_what_and_why() -> None:
    text = str(report_of("vanishing"))
    assert text.startswith("20 x 32 sigmoid: vanishing\n")
    assert "GF101" in text
    assert "slope of sigmoid" in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_a_report_fits_its_width(name: str, width: int, unicode: bool) -> None:
    text = text_report(asked(name, fail_on=("vanishing",)), Surface(width, unicode=unicode))
    assert max(map(len, text.splitlines())) <= width
    assert name in text.splitlines()[0]
    assert "\x1b" not in text
    if not unicode:
        assert text.isascii()


def rows_of(text: str) -> list[list[str]]:
    lines = text.splitlines()
    return [line.split() for line in lines if re.match(r"\s+\d+  (input|\S*dense_\d+)\s", line)]


@pytest.mark.parametrize(("width", "numbers"), [(40, 2), (60, 3), (80, 5), (120, 8), (200, 11)])
def test_wider_terminals_show_more_columns(width: int, numbers: int) -> None:
    rows = rows_of(text_report(report_of("healthy"), Surface(width)))
    figures = [cell for cell in rows[1][2:] if not set(cell) <= set("█▌")]
    assert len(figures) >= numbers


@pytest.mark.parametrize("name", ["vanishing", "exploding"])
def test_bars_show_the_slope(name: str) -> None:
    rows = rows_of(text_report(report_of(name), Surface(80)))
    lengths = [sum({"█": 2, "▌": 1}.get(c, 0) for c in row[3]) for row in rows]
    rising = lengths if name == "vanishing" else lengths[::-1]
    assert rising == sorted(rising)
    assert rising[0] == 1
    assert rising[-1] >= 20


def test_bars_of_a_healthy_network_are_level() -> None:
    rows = rows_of(text_report(report_of("healthy"), Surface(80)))
    lengths = [len(row[3]) for row in rows]
    assert max(lengths) <= 1.3 * min(lengths)


def test_long_networks_are_folded_unless_all_is_asked_for() -> None:
    from gradcli.report.flow_table import draw_report
    from gradcli.report.layout import draw

    report = report_of("healthy")
    folded = rows_of(text_report(report, Surface(80)))
    assert [folded[i][0] for i in (0, 1, 2, -2, -1)] == ["0", "1", "2", "19", "20"]
    assert len(folded) < 20
    gains = [abs(math.log10(layer.gain)) for layer in report.layers]
    worst = report.layers[gains.index(max(gains))].index
    assert str(worst) in {row[0] for row in folded}
    every = rows_of(draw(draw_report(report, Surface(80), all_layers=True), Surface(80)))
    assert [row[0] for row in every] == [str(i) for i in range(21)]


def test_a_row_holds_the_numbers_of_the_json() -> None:
    report = report_of("vanishing")
    rows = {row[1]: row for row in rows_of(text_report(report, Surface(80)))}
    layer = report.layers[0]
    row = rows["dense_1"]
    assert float(row[2]) == pytest.approx(layer.log10_gradient_norm, abs=0.006)
    assert float(row[4]) == pytest.approx(layer.gain, abs=0.0006)
    assert float(row[5]) == pytest.approx(layer.predicted_gain, abs=0.0006)
    assert float(row[6]) == pytest.approx(layer.log10_rms_product, abs=0.006)
    assert float(row[7]) == pytest.approx(layer.log10_bound, abs=0.006)


def test_quiet_leaves_out_what_is_as_it_should_be() -> None:
    text = text_report(report_of("vanishing"), Surface(80), quiet=True)
    heading, outcome = text.splitlines()
    assert "vanishing" in heading
    assert outcome == "exit 0: nothing was asked to fail"
    failed = text_report(asked("vanishing", fail_on=("vanishing",)), Surface(80), quiet=True)
    assert "GF101" in failed
    assert not rows_of(failed)


@pytest.mark.parametrize("name", NAMES)
def test_markdown_has_figures_findings_and_layers(name: str) -> None:
    report = report_of(name)
    text = render(report, "markdown", Surface())
    assert f"{name}: `" in text.splitlines()[0]
    assert "| `dense_1` |" in text
    assert all(found.code in text for found in report.findings)


def test_an_expected_verdict_is_shown_as_met() -> None:
    met = text_report(asked("vanishing", expected="vanishing"), Surface(80))
    assert met.startswith("✓ vanishing, as expected")
    missed = text_report(asked("vanishing", expected="healthy"), Surface(80))
    assert missed.startswith("✗ vanishing, expected healthy")
    assert "exit 1: expected healthy, found vanishing" in missed
