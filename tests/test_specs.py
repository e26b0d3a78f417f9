"""Every spec that is shipped comes out as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradcli
from gradcli.errors import ExitCode
from gradcli.spec import find_specs, load_plan

SPECS = Path(__file__).parent.parent / "specs"
ALL = [Path(path) for path in find_specs([str(SPECS)])]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_it_meets_its_expectations(path: Path) -> None:
    report = gradcli.check(path, allow_python=True)
    assert report.exit_code == ExitCode.OK, report
    if load_plan(path, allow_python=True).expect.flow is not None:
        flow = gradcli.flow(path, allow_python=True)
        assert flow.exit_code == ExitCode.OK, flow


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_it_opens_by_saying_what_it_shows(path: Path) -> None:
    assert path.read_text("utf-8").startswith("# ")
