"""What is promised of flow as a whole: invariance, exact numbers at any depth, partial results."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from decimal import Decimal, localcontext
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli_process import COMMAND, ENVIRONMENT, run

import gradcli.ops  # noqa: F401
from gradcli.analysis.flow import FlowOptions, FlowResult, analyse_flow, build_spec
from gradcli.analysis.flow.propagate import Propagation
from gradcli.analysis.flow.remedies import measured_remedies
from gradcli.analysis.flow.structure import structure_of
from gradcli.engine.model import Model
from gradcli.errors import ExitCode
from gradcli.report.render import text_report
from gradcli.report.surface import Surface
from gradcli.spec import load_plan
from gradcli.spec.plan import Plan

NETWORKS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "vanishing": {"activation": "sigmoid"},
    "exploding": {"gain": 2.0},
}


def plan_of(**built: Any) -> Plan:
    return load_plan(build_spec(**{"depth": 20, "width": 64, "batch": 32, **built}))


@cache
def flow(verdict: str, loss_scale: float = 1.0, **size: int) -> FlowResult:
    plan = plan_of(**NETWORKS[verdict], **size)
    losses = tuple(loss.replace(weight=loss_scale) for loss in plan.losses)
    return analyse_flow(plan.replace(losses=losses)).results[0]


@pytest.mark.parametrize("verdict", NETWORKS)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e5])
def test_the_verdict_is_the_same_at_any_scale_of_the_loss(verdict: str, scale: float) -> None:
    plain, scaled = flow(verdict), flow(verdict, scale)
    assert scaled.verdict == verdict
    assert scaled.totals == pytest.approx(plain.totals, abs=1e-9)
    moved = scaled.layers[0].log10_gradient_norm - plain.layers[0].log10_gradient_norm
    assert moved == pytest.approx(math.log10(scale), abs=1e-9)


@pytest.mark.parametrize("verdict", NETWORKS)
@pytest.mark.parametrize("size", [{"batch": 16}, {"batch": 256}, {"width": 128}, {"width": 512}])
def test_the_verdict_is_the_same_at_any_size(verdict: str, size: dict[str, int]) -> None:
    assert flow(verdict, **size).verdict == verdict


def test_tanh_with_xavier_decays_by_a_power_of_the_depth() -> None:
    """q tends to 1/(2l), so that χ is 1 - 1/l and the norm falls as l^-1/2.

    With twice the layers it loses the same factor again, sqrt(2), whatever their number; were it
    a constant factor a layer, 48 layers would lose four times the decades that 12 do.
    """
    tanh = {"activation": "tanh", "init": "xavier_normal", "batch": 16, "width": 128}
    totals = []
    for depth in (12, 24, 48):
        (result,) = analyse_flow(plan_of(depth=depth, **tanh), FlowOptions(seeds=8)).results
        assert result.verdict == "healthy"
        totals.append(sum(result.totals) / 8)
    assert totals[2] < totals[1] < totals[0] < 0
    for shallow, deep in pairwise(totals):
        # the mean of eight draws varies by a twentieth of a decade
        assert deep - shallow == pytest.approx(-math.log10(2) / 2, abs=0.1)


DIGITS = 30


def decimal_norms(plan: Plan, slope_below: Decimal | None) -> list[Decimal]:
    """‖∂L/∂a^l‖ for l = L..0 in decimal arithmetic, up to a common factor.

    Of a network of one output, which is differentiated itself in place of a loss: a loss of one
    row multiplies every norm by the same number. Sigmoid, or leaky ReLU with this slope.
    """
    model = Model(plan)
    one = Decimal(1)

    def exact(values: Any) -> Any:
        if getattr(values, "ndim", 0):
            return [exact(each) for each in values]
        return Decimal(float(values))

    a = exact(model.inputs["inputs"])[0]
    layers = []
    for index in range(1, len(plan.nodes) // 2 + 1):
        weight = exact(model.parameters[f"dense_{index}.weight"])
        z = [sum(w * x for w, x in zip(row, a, strict=True)) for row in weight]
        if slope_below is None:
            a = [one / (one + (-each).exp()) for each in z]
            slopes = [each * (one - each) for each in a]
        else:
            slopes = [one if each > 0 else slope_below for each in z]
            a = [each * slope for each, slope in zip(z, slopes, strict=True)]
        layers.append((weight, slopes))
    g = exact(model.parameters["head.weight"])[0]
    norms = [sum(x * x for x in g).sqrt()]
    for weight, slopes in reversed(layers):
        inner = [x * slope for x, slope in zip(g, slopes, strict=True)]
        g = [sum(row[k] * x for row, x in zip(weight, inner, strict=True)) for k in range(len(g))]
        norms.append(sum(x * x for x in g).sqrt())
    return norms


@pytest.mark.parametrize(
    ("activation", "slope_below", "depth"),
    [("sigmoid", None, 2_000), ({"leaky_relu": 0.5}, Decimal("0.5"), 10_000)],
    ids=["sigmoid", "leaky_relu"],
)
def test_deep_networks_agree_with_decimal_arithmetic(
    activation: Any, slope_below: Decimal | None, depth: int
) -> None:
    plan = plan_of(depth=depth, width=2, batch=1, activation=activation)
    (result,) = analyse_flow(plan, FlowOptions(seeds=1, remedies=False)).results
    with localcontext() as context:
        context.prec = DIGITS
        norms = decimal_norms(plan, slope_below)
        expected = [float((norm / norms[0]).log10()) for norm in reversed(norms)]
    assert abs(expected[0]) > 1000  # beyond the range of any float
    figures = [(x.log10_weight_gradient_norm, x.gain, x.log10_bound) for x in result.layers]
    assert np.isfinite(figures).all()
    last = result.layers[-1].log10_gradient_norm
    measured = [result.log10_input_gradient_norm, *(x.log10_gradient_norm for x in result.layers)]
    # 1e-6 of a norm is 4.3e-7 of its logarithm
    assert [norm - last for norm in measured] == pytest.approx(expected, abs=4e-7)


def test_work_grows_linearly_with_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: a node is run twice at most, forward and again for the way back."""
    monkeypatch.setattr("gradcli.analysis.flow.structure._KEPT", 2**12)
    steps = 0
    step = Propagation._step

    def counted(self: Propagation, *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(self, *arguments)

    monkeypatch.setattr(Propagation, "_step", counted)
    for depth in (100, 1000):
        steps = 0
        plan = plan_of(depth=depth, width=2, batch=1)
        Propagation(plan, structure_of(plan)).run()
        assert len(plan.nodes) < steps <= 2 * len(plan.nodes)


@pytest.mark.parametrize(("at", "totals", "remedies"), [(1, 1, 0), (2, 2, 0), (3, 3, 0), (5, 3, 2)])
def test_ctrl_c_ends_with_what_is_known(at: int, totals: int, remedies: int) -> None:
    """Between draws, and while remedies are measured, which come after."""

    def stop(done: int, of: int) -> None:
        if done == at:
            raise KeyboardInterrupt

    plan = plan_of(activation="sigmoid", depth=8, width=16)
    options = FlowOptions(seeds=3, remedies=True, partial=True, fail_on=("vanishing",))
    report = analyse_flow(plan, options, stop)
    assert report.exit_code == ExitCode.INTERRUPTED
    (result,) = report.results
    assert len(result.totals) == totals
    assert result.layers
    assert len(result.remedies) == remedies
    assert "exit 130: interrupted" in text_report(report, Surface(80))
    with pytest.raises(KeyboardInterrupt):
        analyse_flow(plan, FlowOptions(seeds=3, remedies=True), stop)


@pytest.mark.parametrize("at", range(1, 30, 4))
def test_remedies_until_ctrl_c_are_those_of_the_whole_analysis(at: int) -> None:
    """Whenever it comes, every total is as without it; only draws that confirm may be missing."""
    plan = plan_of(activation="sigmoid", depth=8, width=16)
    structure = structure_of(plan)
    whole = measured_remedies(plan, structure, 3, 2.0, lambda: None)
    count = 0

    def stop() -> None:
        nonlocal count
        count += 1
        if count == at:
            raise KeyboardInterrupt

    kept = measured_remedies(plan, structure, 3, 2.0, stop, partial=True)
    assert kept.interrupted == (count == at)
    assert not whole.interrupted
    known = {remedy.change: remedy for remedy in whole.found}
    assert len(kept.found) == min(at, len(whole.found))
    for remedy in kept.found:
        assert remedy.log10_total == known[remedy.change].log10_total
        assert remedy.draws <= known[remedy.change].draws
    count = at - 1
    with pytest.raises(KeyboardInterrupt):
        measured_remedies(plan, structure, 3, 2.0, stop)


INTERRUPTING = """
import os, signal
from gradcli.analysis.flow import {module} as module
real, calls = module.{name}, 0
def counted(*arguments):
    global calls
    calls += 1
    if calls == {at}:
        os.kill(os.getpid(), signal.SIGINT)
    return real(*arguments)
module.{name} = counted
from gradcli.__main__ import run
run()
"""
"""The command, which a signal reaches in the middle of a certain measurement."""


@pytest.mark.parametrize(
    ("arguments", "module", "name", "at", "kept"),
    [
        ("--activation sigmoid --depth 10", "remedies", "measure_signal", 4, 3),
        ("--arch rnn --depth 40", "over_time", "_OverTime", 4, 1),  # after two draws
        ("--arch lstm --depth 40", "over_time", "_OverTime", 2, 0),
    ],
)
@pytest.mark.parametrize("form", ["table", "json"])
def test_ctrl_c_while_remedies_are_measured_keeps_them(
    arguments: str, module: str, name: str, at: int, kept: int, form: str
) -> None:
    code = INTERRUPTING.format(module=module, name=name, at=at)
    small = ("--width", "16", "--batch", "8", "--seeds", "2", "--format", form)
    done = run("flow", *arguments.split(), *small, command=[sys.executable, "-c", code])
    assert done.returncode == 130, done.stderr
    assert b"Traceback" not in done.stderr
    if form == "table":
        assert "exit 130: interrupted; what was known by then is above" in done.stdout.decode()
        return
    told = json.loads(done.stdout)
    assert told["exit_code"] == 130
    (result,) = told["results"]
    assert result["verdict"] != "healthy"
    assert len(result["remedies"]) == kept
    assert len(result["totals"]) == (2 if kept else 1)


def test_ctrl_c_on_the_command_line(tmp_path: Path) -> None:
    """The spec is written before anything is measured, which tells that measuring has begun."""
    spec = tmp_path / "deep.yaml"
    command = [*COMMAND, "flow", "--depth", "9000", "--width", "8", "--write-spec", str(spec)]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not spec.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in stdout + stderr
    assert b"interrupted" in stdout + stderr


SMALL = ("flow", "--depth", "3", "--width", "8", "--batch", "4", "--seeds", "2", "--no-remedies")


@pytest.mark.parametrize("columns", ["40", "60", "100"])
def test_a_pipe_gets_plain_text_of_the_width_asked_for(columns: str) -> None:
    result = run(*SMALL, env={"COLUMNS": columns})
    assert result.returncode == 0
    assert b"\x1b" not in result.stdout
    assert max(map(len, result.stdout.decode().splitlines())) <= int(columns)
    assert result.stderr == b""


def test_no_color_even_where_it_is_forced() -> None:
    assert b"\x1b[" in run(*SMALL, env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b" not in run(*SMALL, "--no-color", env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b" not in run(*SMALL, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout
