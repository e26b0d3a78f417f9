"""Kinds of mistakes by their codes, and what tests that plant them share."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import all_rules

SIZE, ROWS = 12, 16
SECOND_ORDER = ("GC114",)
"""Of what a gradient does not show; test_check_second_order.py plants it."""
CODES = [code for code in all_rules() if code[:3] in ("GC0", "GC1") and code not in SECOND_ORDER]
Data = dict[str, Any]


class Plant(NamedTuple):
    """What is planted, and what the finding has to say of it besides its code."""

    what: Any
    data: Data = {}  # noqa: RUF012  (never changed)


def told(report: CheckReport | SpecResult) -> list[Finding]:
    return [f for f in report.findings if f.severity != "note" and f.code.startswith("GC")]


def holds(found: Finding, code: str, expected: Data) -> None:
    assert found.code == code, found
    for key, value in expected.items():
        if isinstance(value, float):
            assert found.data[key] == pytest.approx(value, rel=1e-5), key
        else:
            assert found.data[key] == value, key
