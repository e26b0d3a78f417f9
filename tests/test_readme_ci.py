"""The README's pieces for CI and pytest: each is run as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
import yaml
from junit_schema import faults
from pytest_runs import ENVIRONMENT, run_pytest

ROOT: Final = Path(__file__).parent.parent
README: Final = (ROOT / "README.md").read_text("utf-8")


def block(language: str, holding: str) -> str:
    """The only block in a language that holds a text."""
    (found,) = (
        text
        for text in re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)
        if holding in text
    )
    return str(found)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with some specs, where `gradcli` is a command."""
    (tmp_path / "specs").mkdir()
    for name in ("quickstart.yaml", "course-notes/swish.yaml"):
        shutil.copy(ROOT / "specs" / name, tmp_path / "specs")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "gradcli"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m gradcli "$@"\n')
    command.chmod(0o755)
    return tmp_path


def run(lines: Iterable[str], checkout: Path) -> list[int]:
    """Exit codes of shell lines; those that install are read and not run."""
    environment = {
        **ENVIRONMENT,
        "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(checkout / "summary.md"),
    }
    codes = []
    for line in lines:
        if line == "pip install .":
            continue
        done = subprocess.run(
            line, shell=True, cwd=checkout, env=environment, capture_output=True, timeout=120
        )
        codes.append(done.returncode)
    return codes


def break_a_spec(checkout: Path) -> None:
    """Let a spec no longer expect the mistake that it has."""
    spec = checkout / "specs" / "swish.yaml"
    text, changed = re.subn(r"^expect: .*\n", "", spec.read_text("utf-8"), flags=re.M)
    assert changed == 1
    spec.write_text(text, encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="a shell of another kind")
def test_the_workflow_of_github(checkout: Path) -> None:
    workflow = yaml.safe_load(block("yaml", "runs-on"))
    steps: list[dict[str, Any]] = workflow["jobs"]["check"]["steps"]
    lines = [step["run"] for step in steps if "run" in step]
    assert lines[0] == "pip install ."
    assert run(lines, checkout) == [0, 0, 0]
    assert "2 specs: 2 ok" in (checkout / "summary.md").read_text("utf-8")
    break_a_spec(checkout)
    assert run(lines, checkout) == [1, 0, 0]
    assert "GC102 constant-factor" in (checkout / "summary.md").read_text("utf-8")
    assert [step.get("if") for step in steps][-1] == "always()"  # also after a step that failed


@pytest.mark.skipif(os.name == "nt", reason="a shell of another kind")
def test_the_job_of_gitlab(checkout: Path) -> None:
    job = yaml.safe_load(block("yaml", "artifacts"))["gradients"]
    assert job["artifacts"]["when"] == "always"
    report = checkout / job["artifacts"]["reports"]["junit"]
    for code, failures in ((0, "0"), (1, "1")):
        assert run(job["script"], checkout) == [code]
        root = ET.parse(report).getroot()
        assert faults(root) == []
        assert root.get("failures") == failures
        break_a_spec(checkout) if code == 0 else None


def test_the_failure_shown_is_what_pytest_prints(checkout: Path) -> None:
    break_a_spec(checkout)
    (checkout / "specs" / "swish.yaml").rename(checkout / "swish.grad.yaml")
    printed = run_pytest(checkout).stdout
    head, *lines = block("text", "swish.grad.yaml").splitlines()
    assert head.strip("_") in printed
    at = printed.splitlines().index(lines[0])
    found = printed.splitlines()[at : at + len(lines)]
    assert found[:2] == lines[:2]
    assert re.sub(r"[-\d.e]+", "#", found[2]) == re.sub(r"[-\d.e]+", "#", lines[2])


def test_the_configuration_shown_is_known(tmp_path: Path) -> None:
    stated = tomllib.loads(block("toml", "gradcli_seed"))["tool"]["pytest"]["ini_options"]
    assert set(stated) == {"gradcli_seed", "gradcli_allow_python"}
    (tmp_path / "pyproject.toml").write_text(block("toml", "gradcli_seed"), encoding="utf-8")
    printed = run_pytest(tmp_path, "--strict-config", "-W", "error").stdout
    assert "no tests ran" in printed
    helped = run_pytest(tmp_path, "--help").stdout
    for option in re.findall(r"`(--gradcli-[a-z-]+)", README):
        assert option in helped


def test_the_test_shown_passes_and_can_fail(tmp_path: Path) -> None:
    code = block("python", "assert_gradients(")
    path = tmp_path / "test_shown.py"
    path.write_text(code, encoding="utf-8")
    assert "1 passed" in run_pytest(tmp_path).stdout
    path.write_text(code.replace("np.exp(x) / np.sum", "-np.exp(x) / np.sum"), encoding="utf-8")
    assert "AssertionError: GC101 sign-flipped in x" in run_pytest(tmp_path).stdout
