"""The same command gives the same report, and verdicts do not depend on what is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import gradcli
from gradcli.cli.main import main

SPECS = Path(__file__).parent.parent / "specs"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "digits.yaml", "course-notes/swish.yaml"],
        ["check", "course-notes/swish.yaml", "--self-test"],
        ["check", "quickstart.yaml", "--budget", "1"],
        ["flow", "vanishing_sigmoid.yaml", "--seeds", "2"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", ["table", "json", "markdown"])
def test_the_same_bytes_twice(
    arguments: list[str], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SPECS)
    first, second = (
        CliRunner().invoke(main, [*arguments, "--format", form]).stdout_bytes for _ in range(2)
    )
    assert first
    assert first == second


@pytest.mark.parametrize(
    "name",
    ["quickstart.yaml", "iris.yaml", "diabetes_huber.yaml", "course-notes/swish.yaml"],
)
def test_the_verdict_is_the_same_for_twenty_seeds(name: str) -> None:
    found = {
        tuple((result.verdict, result.met) for result in report.results)
        for report in (gradcli.check(SPECS / name, seed=seed) for seed in range(20))
    }
    assert len(found) == 1
