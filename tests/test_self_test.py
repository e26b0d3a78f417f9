"""The self-test: every planted mistake is caught and named, and a blind check does not pass it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

import gradcli
from gradcli.analysis.gradcheck import examine as examining
from gradcli.analysis.gradcheck.mutants import Call, Site, mistakes
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.analysis.gradcheck.self_test_report import KillRow, Mutant, SelfTest, is_named
from gradcli.cli.main import main
from gradcli.core.arrays import Array
from gradcli.engine.ladder import Estimate
from gradcli.errors import ExitCode
from gradcli.report.json import encode
from gradcli.report.render import document, render
from gradcli.report.surface import Surface

NETWORK: dict[str, Any] = {
    "gradcli": 1,
    "data": {"inputs": {"shape": [8, 6]}, "targets": "auto"},
    "network": [
        {"dense": 6},
        "relu",
        {"residual": {"layers": [{"dense": 6}, "tanh"], "scale": 0.5}},
        {"dense": 4},
    ],
    "loss": {"sum": ["cross_entropy", {"l2": {"weight": 0.01}}]},
}
DEFINITIONS: dict[str, Any] = {
    "gradcli": 1,
    "define": {
        "swish_right": {
            "kind": "activation",
            "params": {"beta": 1.5},
            "forward": "x * sigmoid(beta * x)",
            "derivative": "sigmoid(beta*x) * (1 + beta * x * (1 - sigmoid(beta*x)))",
        },
        "pinball": {
            "kind": "loss",
            "params": {"tau": 0.9},
            "forward": "where(y >= p, tau * (y - p), (tau - 1) * (y - p))",
            "gradient": "where(y < p, 1 - tau, -tau)",
        },
        "scaled": {
            "kind": "function",
            "inputs": {"x": {"shape": [5, 6]}, "w": {"shape": [6]}},
            "forward": "x * w + tanh(x)",
            "gradient": {"x": "g * w + g * (1 - tanh(x)**2)", "w": "sum(g * x, 0)"},
        },
    },
}
PYTHON = """
def forward(x, weight):
    return x @ weight.T

def backward(inputs, output, g):
    return {"x": g @ inputs["weight"], "weight": g.T @ inputs["x"]}
"""


@pytest.fixture(scope="module")
def report() -> CheckReport:
    return gradcli.check(NETWORK, self_test=True)


def kills(report: CheckReport) -> SelfTest:
    (result,) = report.results
    assert result.verdict == "pass", report
    assert report.exit_code == ExitCode.OK
    assert result.self_test is not None
    return result.self_test


def self_test(spec: Any, **options: Any) -> SelfTest:
    return kills(gradcli.check(spec, self_test=True, **options))


def kinds(found: SelfTest) -> set[str]:
    return {mutant.code for mutant in found.mutants}


def not_named(found: SelfTest) -> set[tuple[str, str]]:
    return {(m.kind, m.where) for m in found.mutants if m.fate == "caught" and not m.named}


def test_every_mistake_in_a_network_is_caught_and_named(report: CheckReport) -> None:
    found = kills(report)
    assert {mutant.fate for mutant in found.mutants} == {"caught", "without effect"}
    assert {(m.kind, m.where) for m in found.mutants if m.fate == "without effect"} == {
        ("option as a factor", "cross_entropy")  # a temperature of 1
    }
    # too few entries to tell what they were rounded to, or to leave one below the limit
    assert not_named(found) <= {
        ("clipped", "dense_2"),
        ("rounded to float32", "dense_2"),
        ("rounded to float32", "residual_1"),
    }
    assert kinds(found) == {
        *("GC001", "GC004", "GC101", "GC102", "GC103", "GC104", "GC105"),
        *("GC106", "GC107", "GC108", "GC109", "GC110", "GC111", "GC112"),
    }
    assert {row.group for row in found.by_place()} == {
        *("dense_1", "relu_1", "residual_1.dense_1", "residual_1.tanh_1", "residual_1"),
        *("dense_2", "cross_entropy", "l2"),
    }


def test_every_mistake_in_a_definition_is_caught_and_named() -> None:
    found = self_test(DEFINITIONS)
    assert {mutant.fate for mutant in found.mutants} == {"caught"}
    assert not_named(found) <= {
        # too few different values to tell where they belong, or what they were rounded to
        ("shifted by a place", "pinball"),
        ("rounded to float32", "pinball"),
        ("rounded to float32", "scaled.x"),
    }
    assert kinds(found) >= {"GC002", "GC003", "GC005", "GC006", "GC007", "GC107", "GC111"}


def test_every_mistake_in_python_is_caught_and_named(tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(PYTHON, encoding="utf-8")
    inputs = {"x": {"shape": [5, 4]}, "weight": {"shape": [6, 4]}}
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        json.dumps(
            {
                "gradcli": 1,
                "define": {
                    "linear_by_hand": {
                        "kind": "function",
                        "python": "ops.py",
                        "forward": "forward",
                        "backward": "backward",
                        "inputs": inputs,
                    }
                },
            }
        ),
        encoding="utf-8",
    )
    found = self_test(spec, allow_python=True)
    assert {mutant.fate for mutant in found.mutants} == {"caught"}
    assert not_named(found) <= {
        ("rounded to float32", "linear_by_hand.x"),
        ("rounded to float32", "linear_by_hand.weight"),
    }
    assert kinds(found) >= {"GC001", "GC002", "GC003", "GC005", "GC006", "GC007", "GC106"}


def test_a_dead_path_is_told_apart_from_a_survivor() -> None:
    model = gradcli.load(NETWORK)
    model.parameters["dense_1.bias"][...] = -100.0  # every relu is off
    (result,) = gradcli.check(model, self_test=True).results
    assert result.self_test is not None
    fates = {
        mutant.kind: mutant.fate for mutant in result.self_test.mutants if mutant.where == "relu_1"
    }
    assert fates["doubled"] == fates["zero"] == "without effect"
    assert fates["not a number"] == "caught"
    assert not result.self_test.survivors


def test_float32_is_tested_with_what_it_can_tell() -> None:
    found = self_test({**NETWORK, "dtype": "float32"})
    assert not found.survivors
    assert "rounded to float32" not in {mutant.kind for mutant in found.mutants}
    assert found.total.caught > 0.9 * found.total.planted


def test_a_check_that_copies_the_claim_does_not_pass_its_self_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An oracle that copies what it should check lets every mistake survive, and exit 1 says so."""

    def blind(self: Any) -> tuple[Estimate, str]:
        claim = self.subject.analytic[self.checked]
        return Estimate(claim, np.zeros_like(claim)), "complex"

    monkeypatch.setattr(examining._Examiner, "_first_oracle", blind)
    report = gradcli.check(NETWORK, self_test=True)
    (result,) = report.results
    assert result.verdict == "pass"
    assert report.exit_code == ExitCode.WRONG
    assert result.self_test is not None
    survivors = {mutant.kind for mutant in result.self_test.survivors}
    assert survivors >= {"sign flipped", "doubled", "zero", "one entry 10% off"}
    text = str(CliRunner().invoke(main, ["check", "-", "--self-test"], json.dumps(NETWORK)).output)
    assert "survived" in text
    assert "exit 1: a planted mistake survived (--self-test)" in text


def test_a_check_that_looks_at_a_few_entries_lets_single_ones_survive() -> None:
    report = gradcli.check(NETWORK, self_test=True, entries=1)
    (result,) = report.results
    assert result.self_test is not None
    assert "one entry 10% off" in {mutant.kind for mutant in result.self_test.survivors}
    assert report.exit_code == ExitCode.WRONG


def test_what_fails_already_is_left_out() -> None:
    spec = json.loads(json.dumps(DEFINITIONS))
    spec["define"]["pinball"]["gradient"] = "where(y < p, tau, -tau)"
    (result,) = gradcli.check(spec, self_test=True).results
    assert result.self_test is not None
    assert result.self_test.left_out == ("pinball",)
    places = {mutant.where for mutant in result.self_test.mutants}
    assert places == {"swish_right", "scaled.x", "scaled.w"}


def test_where_nothing_can_be_checked_nothing_is_planted() -> None:
    spec = json.loads(json.dumps(DEFINITIONS))
    spec["define"]["swish_right"] |= {"forward": "log(x)", "domain": {"x": [-2, -1]}}
    report = gradcli.check(spec, self_test=True)
    assert report.exit_code == ExitCode.UNDECIDED
    assert report.results[0].self_test is not None
    assert report.results[0].self_test.left_out == ("swish_right",)


def test_the_numbers_add_up_and_are_in_the_json(report: CheckReport) -> None:
    told = document(report)["results"][0]["self_test"]
    numbers = KillRow.numbers()
    for group in ("kinds", "places"):
        assert told[group]
        for number in numbers:
            assert sum(row[number] for row in told[group]) == told[number]
    assert told["planted"] == (
        told["caught"] + told["without_effect"] + told["undecided"] + told["survived"]
    )
    for row in told["kinds"]:
        assert row["named"] <= row["caught"]
    assert json.loads(encode(document(report)))["results"][0]["self_test"] == told


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_kill_table_holds_the_numbers_at_every_width(
    report: CheckReport, form: str, width: int
) -> None:
    drawn = render(report, form, Surface(width))
    found = kills(report)
    said = f"{found.total.caught} of {found.total.planted} planted mistakes caught"
    assert said in " ".join(drawn.split())
    for row in found.by_kind():
        line = next(line for line in drawn.splitlines() if row.group in line and row.code in line)
        if form == "markdown" or width >= 80:
            assert re.findall(r"\d+", line.partition(row.group)[2])[:3] == [
                str(count) for count in (row.planted, row.caught, row.named)
            ]
    if form == "table":
        assert max(map(cell_len, drawn.splitlines())) <= width


@pytest.mark.parametrize(
    ("code", "found", "named"),
    [
        ("GC107", ("GC107",), True),
        ("GC107", ("GC102",), True),  # where several kinds fit, the lowest is the error
        ("GC102", ("GC107",), False),
        ("GC107", ("GC100",), False),
        ("GC107", ("GC001",), False),
        ("GC001", ("GC001",), True),
        ("GC102", (), False),
    ],
)
def test_a_kind_is_named_by_its_code_or_a_lower_one(
    code: str, found: tuple[str, ...], named: bool
) -> None:
    assert is_named(code, found) is named


def test_survivors_make_a_self_test_fail() -> None:
    caught = Mutant(
        "dense_1", "dense_1.weight", "doubled", "GC102", "caught", True, 9.0, ("GC102",)
    )
    assert SelfTest((caught,)).survivors == ()
    survivor = caught.replace(fate="survived", named=False)
    assert SelfTest((caught, survivor)).survivors == (survivor,)
    assert SelfTest((caught, survivor)).total == KillRow("all", "", 2, 1, 1, 0, 0, 1)


def test_each_kind_of_mistake_changes_what_it_says(rng: np.random.Generator) -> None:
    w, g = rng.standard_normal((6, 6)), rng.standard_normal((8, 6))
    x = rng.standard_normal((8, 6))

    def pull(cotangent: Array) -> Array:
        return cotangent.T @ x

    site = Site(
        shape=(6, 6),
        rows=8,
        branch=lambda w: w > 0,
        takes_cotangent=True,
        is_called=True,
        factor=1.5,
    )
    seen = set()
    for mistake in mistakes(site):
        seen.add(mistake.code)
        try:
            wrong = mistake.change(Call(pull, g.copy(), w.copy()))
        except RuntimeError:
            assert mistake.code == "GC007"
            continue
        if mistake.code not in ("GC005", "GC006"):  # these show in the next call, or elsewhere
            assert wrong.shape != (6, 6) or not np.array_equal(wrong, pull(g)), mistake.kind
    assert seen >= {f"GC{number}" for number in range(101, 113)} - {"GC111"}
