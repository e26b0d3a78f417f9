"""The edge of chaos as a command: what is computed, refused, drawn, and that it holds when run."""

from __future__ import annotations

import json
import math
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

import gradcli
import gradcli.ops
from gradcli.analysis.flow.edge import edges
from gradcli.analysis.flow.edge_report import EdgeReport, EdgeResult
from gradcli.analysis.flow.theory.published import published_points
from gradcli.cli.main import main
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE
from gradcli.errors import ExitCode, UsageError
from gradcli.report import edge_words
from gradcli.report.render import render, render_file
from gradcli.report.surface import Surface
from gradcli.spec import load_text

ROOT = Path(__file__).parent.parent
ELEMENTWISE = [op.name for op in CATALOGUE.all(Activation) if op.elementwise]


def run(*arguments: str, stdin: str | None = None, columns: int = 80) -> Result:
    words = ["flow", "--critical", *arguments]
    return CliRunner().invoke(main, words, input=stdin, env={"COLUMNS": str(columns)})


@cache
def report_on(name: str | None) -> EdgeReport:
    return gradcli.critical(activation=name)


def edge(name: str) -> EdgeResult:
    (result,) = report_on(name).results
    return result


def edge_at(bias_std: float, name: Any) -> EdgeResult:
    (result,) = gradcli.critical(activation=name, bias_std=bias_std).results
    return result


def defined(forward: str, **more: Any) -> dict[str, Any]:
    return {"gradcli": 1, "define": {"own": {"kind": "activation", "forward": forward, **more}}}


def of_formula(forward: str) -> EdgeResult:
    (result,) = gradcli.critical(defined(forward)).results
    return result


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_published_points_are_met_to_their_last_digit(name: str) -> None:
    op = CATALOGUE.find(name, Activation)
    assert op is not None
    stated = list(published_points(op, op.defaults()))
    beside = edge(name).published
    assert [one for one, _ in beside] == stated
    for one, computed in beside:
        limit = 0.51 * 10.0**-one.decimals
        assert computed.weight_std**2 == pytest.approx(one.weight_variance, abs=limit)
        assert computed.bias_std**2 == pytest.approx(one.bias_variance, abs=limit)
        if one.q is not None:
            assert computed.q == pytest.approx(one.q, abs=limit)


def test_there_are_published_points() -> None:
    names = {"relu", "leaky_relu", "prelu", "tanh", "gelu", "swish"}
    assert {name for name in ELEMENTWISE if edge(name).published} == names
    assert not edge("gelu:approximate=tanh").published  # of another function


@pytest.mark.parametrize(
    ("name", "auto", "q", "chi"),
    [
        ("sigmoid", "xavier_normal", 0.26469, 0.05572),
        ("selu", "lecun_normal", 1.0, 1.07157),  # Klambauer et al. 2017
        ("tanh", "xavier_normal", 0.0, 1.0),
        ("gelu", "he_normal", 0.0, 0.5),
        ("relu", "he_normal", None, 1.0),
    ],
)
def test_what_is_drawn_by_itself(name: str, auto: str, q: float | None, chi: float) -> None:
    first, second = edge(name).settings
    assert first.name == auto
    assert first.q is None if q is None else first.q == pytest.approx(q, abs=5.1e-6)
    assert first.chi == pytest.approx(chi, abs=5.1e-6)
    assert second.name == "pytorch_default"
    assert second.weight_std**2 == pytest.approx(1 / 3)


def test_pytorch_s_default_before_relu_loses_a_sixth() -> None:
    setting = edge("relu").settings[1]
    assert setting.chi == pytest.approx(1 / 6)
    assert setting.depth_scale == pytest.approx(1 / math.log(6))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "leaky_relu:alpha=0.3"])
def test_what_is_to_be_written_holds_the_gradient(name: str) -> None:
    """The command that the report states, run; wide, since theory is of wide layers."""
    result = edge(name)
    (command,) = (said for heading, said in edge_words.lines(result) if heading == "measure it")
    program, _, *arguments = shlex.split(command)
    assert program == "gradcli"
    more = ("--depth", "20", "--batch", "16", "--seeds", "3", "--format", "json")
    told = json.loads(CliRunner().invoke(main, ["flow", *arguments, *more]).stdout)
    (measured,) = told["results"]
    assert measured["verdict"] == "healthy"
    assert abs(measured["log10_total"]) < 1  # that of tanh falls as depth^-1/2
    spec = next(said for heading, said in edge_words.lines(result) if heading == "in a spec")
    text = "gradcli: 1\ndata: {inputs: {shape: [4, 8]}, targets: auto}\nloss: mse\n"
    plan = load_text(f"{text}network: [{{{spec}}}, tanh, dense: 1]\n", "spec")
    weights = plan.parameters["dense_1.weight"].init
    assert weights.options["gain"] == pytest.approx(result.start.weight_std, rel=1e-5)


@pytest.mark.parametrize("forward", ["maximum(x, 0)", "where(x > 0, x, 0.1*x)", "abs(x)", "2*x"])
def test_formulas_that_only_scale_are_seen_to(forward: str) -> None:
    found = of_formula(forward)
    assert found.kind == "scale-free"
    variance = {"maximum(x, 0)": 2, "abs(x)": 1, "2*x": 0.25}.get(forward, 2 / 1.01)
    assert found.start is not None
    assert found.start.weight_std**2 == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize(
    ("forward", "kind"),
    [
        ("tanh(x)", "line"),
        ("x*sigmoid(x)", "line"),
        ("softplus(x)", "none"),
        ("x + 5", "none"),  # slope 1 and E f² = q + 25
        ("0*x + 1", "no-slope"),
        ("sign(x)", "no-slope"),
        ("log(x)", "no-average"),
    ],
)
def test_what_there_is_of_an_edge(forward: str, kind: str) -> None:
    found = of_formula(forward)
    assert found.kind == kind
    assert (found.start is None) == (kind != "line")
    assert edge_words.introduction(found)
    assert found.exit_code == ExitCode.OK


def test_a_formula_has_the_edge_of_the_activation_that_it_is() -> None:
    claimed = defined("tanh(x)", derivative="2*(1 - tanh(x)**2)")  # and no claim moves it
    (own,) = gradcli.critical(claimed).results
    for mine, theirs in zip(own.points, edge("tanh").points, strict=True):
        assert mine.weight_std == pytest.approx(theirs.weight_std, rel=1e-12)


def test_a_spec_shows_what_it_uses_and_what_it_defines() -> None:
    spec = {
        **defined("x*sigmoid(b*x)", params={"b": 1.5}),
        "data": {"inputs": {"shape": [4, 3]}, "targets": "auto"},
        "network": [{"dense": 3}, {"leaky_relu": 0.3}, "softmax", {"dense": 2}, "own"],
        "loss": "mse",
    }
    names = [result.name for result in gradcli.critical(spec).results]
    assert names == ["leaky_relu", "own"]
    only = gradcli.critical({**spec, "network": [{"dense": 1}]}).results
    assert [(result.name, dict(result.options)) for result in only] == [("own", {"b": 1.5})]


def test_one_bias_std() -> None:
    found = edge_at(math.sqrt(0.05), "tanh")
    assert round(found.points[0].weight_std ** 2, 5) == 1.76095
    assert found.start == found.points[0]
    leaves = edge_at(0.1, "gelu")
    assert leaves.start is None
    assert leaves.onset is not None
    assert "nowhere at σ_b = 0.1" in dict(edge_words.lines(leaves))["start"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--activation tanh", 0, ""),
        ("--activation leaky_relu:alpha=0.3", 0, ""),
        ("--quiet", 0, ""),
        ("--activation tnah", 2, "did you mean tanh?"),
        ("--activation relu:alpha=1", 2, "no parameter 'alpha'"),
        ("--activation leaky_relu:alpha=x", 2, "alpha cannot be 'x'"),
        ("--activation softmax", 2, "several features"),
        ("--activation tanh --bias-std -1", 2, "-1"),
        ("--depth 5 --no-remedies --seed 1 --residual", 2, "remedies, depth, seed, residual: only"),
        ("--all", 2, "all: only for a network"),
        ("--fail-on vanishing --activation tanh", 2, "fail_on: only"),
        ("specs/iris.yaml --activation tanh", 2, "a spec has activations of its own"),
        ("specs/course-notes/huber.yaml", 2, "no activation of one number, and defines none"),
        ("missing.yaml", 2, "missing.yaml"),
    ],
)
def test_the_command_line(
    arguments: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = run(*arguments.split())
    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split()) if code else not result.stderr


def test_standard_input_and_a_report(tmp_path: Path) -> None:
    spec = "gradcli: 1\ndefine: {own: {kind: activation, forward: tanh(x)}}\n"
    file = tmp_path / "edge.md"
    result = run("-", "--report", str(file), stdin=spec)
    assert result.exit_code == 0, result.output
    assert "own  edge of chaos" in result.stdout
    assert "1.32701" not in result.stdout
    assert "| 0.5 | 1.54967 |" in file.read_text("utf-8")


SHOWN = ["tanh", "gelu", "sigmoid", "relu", "softplus", None]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", SHOWN)
def test_it_fits_the_terminal(name: str | None, width: int) -> None:
    report = report_on(name)
    for unicode in (True, False):
        drawn = render(report, "table", Surface(width, unicode=unicode))
        assert max(map(cell_len, drawn.splitlines())) <= width
        assert unicode or drawn.isascii()
    assert (
        render(report, "table", Surface(width), quiet=True).count("\n") == len(report.results) + 1
    )


@pytest.mark.parametrize("name", SHOWN)
def test_json_holds_every_number(name: str | None) -> None:
    report = report_on(name)
    told = json.loads(render(report, "json", Surface()))
    assert told["command"] == "flow"
    assert told["schema"] == "gradcli/1"
    for result, data in zip(report.results, told["results"], strict=True):
        assert data["kind"] == result.kind
        for row in edge_words.point_rows(result):
            points = [*data["points"], data["start"]]
            found = next(p for p in points if p and f"{p['bias_std']:.4g}" == row[0])
            assert row[1] == f"{found['weight_std']:.6g}"
            assert row[2] == f"{found['weight_variance']:.6g}"


@pytest.mark.parametrize("suffix", [".md", ".svg", ".txt", ".json"])
def test_files(suffix: str) -> None:
    report = report_on("tanh")
    assert "1.54967" in render_file(report, suffix)
    invalid = gradcli.critical({"gradcli": 1, "define": {}})
    assert invalid.exit_code == ExitCode.INVALID
    assert "invalid" in render_file(invalid, suffix).lower()


def test_names_are_refused_in_the_api_as_well() -> None:
    with pytest.raises(UsageError, match="depth: only for a network"):
        gradcli.critical(activation="tanh", depth=3)
    with pytest.raises(UsageError, match="bias_std"):
        edges(bias_std=math.nan)
    assert edge_at(0.0, {"leaky_relu": 0.3}).options == {"alpha": 0.3}
    assert edge_at(0.0, {"leaky_relu": {"alpha": 0.3}}).options == {"alpha": 0.3}
