"""What a type checker makes of code that uses gradcli."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

USE = """\
from typing import assert_type

import numpy as np

import gradcli
from gradcli.testing import check_op


def forward(x: np.ndarray) -> float:
    return float(np.sum(x**2))


report = gradcli.gradcheck(forward, lambda x: 2 * x, np.ones(3))
assert_type(report.passed, bool)
assert_type(gradcli.flow(depth=3, width=4).results[0].log10_total, float)
assert_type(gradcli.__version__, str)
gradcli.check("spec.yaml", entries="all", require=1e-4)
gradcli.check("spec.yaml", entries="some")  # wrong: arg-type
gradcli.check("spec.yaml", requires="good")  # wrong: call-arg
report.passed = True  # wrong: misc
gradcli.chekc("spec.yaml")  # wrong: attr-defined
check_op(3)  # wrong: arg-type
"""


@pytest.mark.types
def test_mypy_sees_the_types_of_the_installed_package(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    (tmp_path / "use.py").write_text(USE, "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "use.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    found = re.findall(r"^use\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.M)
    lines = USE.splitlines()
    planted = [
        (str(number), line.partition("# wrong: ")[2])
        for number, line in enumerate(lines, 1)
        if "# wrong: " in line
    ]
    assert found == planted, done.stdout
