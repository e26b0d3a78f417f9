"""What would take the machine's memory is refused, or said to have taken it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import gradcli
from gradcli import api
from gradcli.cli.main import main
from gradcli.engine.model import Model
from gradcli.engine.replicas import CHUNK_BYTES, Point
from gradcli.spec import load_plan


def matrices(**shapes: list[int]) -> dict[str, Any]:
    return {name: {"shape": shape} for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("forward", "inputs"),
    [
        ("sum(matmul(a, b))", matrices(a=[20_000, 1], b=[1, 20_000])),
        ("sum(a @ transpose(a))", matrices(a=[30_000, 1])),
        ("sum(a + transpose(a))", matrices(a=[20_000, 1])),
        ("sum(a * b)", matrices(a=[1, 100_000], b=[100_000, 1])),
        ("sum(a @ b)", matrices(a=[16, 1, 1, 64, 64, 2], b=[1, 64, 64, 64, 2, 64])),
        ("sum(" + " + ".join(["a * b"] * 600) + ")", matrices(a=[1, 1000], b=[1000, 1])),
    ],
)
def test_a_small_formula_of_much_memory_is_refused_before_any_is_taken(
    tmp_path: Path, forward: str, inputs: dict[str, Any]
) -> None:
    """The result may be one number: what counts is everything on the way to it."""
    definition = {"kind": "function", "forward": forward, "inputs": inputs}
    spec = tmp_path / "own.yaml"
    spec.write_text(yaml.safe_dump({"gradcli": 1, "define": {"own": definition}}))
    result = CliRunner().invoke(main, ["check", str(spec)])
    assert result.exit_code == 2
    assert "SP016 forward needs about" in result.stderr


def test_a_check_that_runs_out_of_memory_says_so_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_plan = api.check_plan

    def greedy(plan: Any, *rest: Any) -> Any:
        if plan.name == "greedy":
            np.empty(1 << 60, np.int8)
        return check_plan(plan, *rest)

    monkeypatch.setattr(api, "check_plan", greedy)
    spec = "gradcli: 1\ndefine:\n  own: {kind: activation, forward: x, derivative: 1}\n"
    for name in ("greedy", "small"):
        (tmp_path / f"{name}.yaml").write_text(spec, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert result.exit_code == 2
    assert "SP016 there is not enough memory for this check: Unable to allocate" in result.stderr
    assert "2 specs: 1 ok, 1 invalid" in result.stdout.replace(" ·", ",")


@pytest.mark.parametrize("mining", ["hard", "semi_hard", "random", "importance"])
def test_mined_triples_count_as_memory_of_a_copy(mining: str) -> None:
    """Of 512 rows there are thousands of triples, in each of the copies that run at a time."""
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [512, 2]}, "targets": {"values": np.arange(512) % 3}},
        "network": [{"dense": 2}],
        "loss": {"triplet": {"mining": mining}},
    }
    model = Model(load_plan(spec))
    point = Point(model.network, model.parameters, model.inputs["inputs"])
    assert CHUNK_BYTES // point.pass_bytes([model.plan.nodes[0].parameters["weight"]], 8) <= 3


def test_mined_triples_count_as_work_so_that_a_large_batch_is_checked_in_part() -> None:
    """A copy for each of the outputs, thousands of triples in each, would take a quarter hour."""
    spec = {
        "gradcli": 1,
        "data": {"inputs": {"shape": [240, 2]}, "targets": {"values": np.arange(240) % 3}},
        "network": [{"dense": 2}],
        "loss": {"triplet": {"mining": "hard"}},
    }
    report = gradcli.check(spec, wrt="parameters")
    assert report.passed, report
    assert report.results[0].evaluations < 240
