"""A fixed few of the cases of `tests/fuzz.py`, and what it is there to notice, planted.

`python tests/fuzz.py` runs tens of thousands, and prints how they ended.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz
import pytest
from fuzzing.case import SPEC, Case, shrink
from fuzzing.guard import Guard

import gradcli
from gradcli import api

FEW = {"specs": 60, "formulas": 40, "files": 60, "commands": 30}
RIGHT = b"gradcli: 1\ndata: {inputs: {shape: [2, 2]}, targets: auto}\nnetwork: [relu]\nloss: mse\n"


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_a_fixed_few_end_as_they_may(kind: str) -> None:
    script = Path(fuzz.__file__)
    command = [sys.executable, str(script), kind, str(FEW[kind]), "--seed", "7"]
    environment = {"PYTHONPATH": str(Path(gradcli.__file__).parents[1])}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    counts = {int(code): int(n) for n, code in re.findall(r"(\d+) exit code (\d)", result.stdout)}
    assert sum(counts.values()) == FEW[kind]
    assert {0, 2} <= counts.keys() <= {0, 1, 2, 3}


def test_the_same_number_is_the_same_case() -> None:
    for kind in fuzz.KINDS:
        assert fuzz.case(kind, 3) == fuzz.case(kind, 3) != fuzz.case(kind, 4)


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    return Guard(tmp_path_factory.mktemp("guarded"), seconds=1)


def raises(*arguments: Any, **options: Any) -> None:
    raise KeyError("planted")


def exits(*arguments: Any, **options: Any) -> None:
    raise SystemExit(7)


def hangs(*arguments: Any, **options: Any) -> None:
    while True:
        time.process_time()


def writes(*arguments: Any, **options: Any) -> None:
    Path("elsewhere.txt").write_text("planted")


def runs(*arguments: Any, **options: Any) -> None:
    Path("canary.py").read_text()


def spawns(*arguments: Any, **options: Any) -> None:
    subprocess.run([sys.executable, "-c", ""], check=False)


@pytest.mark.parametrize(
    ("planted", "noticed"),
    [
        (raises, "exit code 4: gradcli: KeyError"),
        (exits, "SystemExit escapes"),
        (hangs, "not done after 1 s"),
        (writes, "writes elsewhere.txt; leaves elsewhere.txt"),
        (runs, "opens Python that was not allowed"),
        (spawns, "runs or reaches something else: subprocess.Popen"),
    ],
)
def test_what_may_not_happen_is_noticed(
    planted: Callable[..., Any], noticed: str, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = api.check

    def with_mistake(*sources: Any, **options: Any) -> Any:
        planted()
        return check(*sources, **options)

    case = Case(("check", SPEC), {SPEC: RIGHT, "canary.py": b""})
    assert guard.run(case).wrong == ""
    monkeypatch.setattr(api, "check", with_mistake)
    assert guard.run(case).wrong.startswith(noticed)


def test_a_case_is_shrunk_to_what_it_takes() -> None:
    case = Case(("check", SPEC, "--quiet"), {SPEC: b"a\nb\nbad\nc\n", "data.csv": b"1"})
    smallest = shrink(case, lambda tried: b"bad" in tried.files.get(SPEC, b""))
    assert smallest == Case(("check",), {SPEC: b"bad\n"})
