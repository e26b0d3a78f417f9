"""Verdicts, grades and what a report of any command offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from gradcli.errors import ExitCode

__all__ = [
    "GRADES",
    "SCHEMA",
    "Grade",
    "Report",
    "Verdict",
    "envelope",
    "grade_of",
    "worst_verdict",
]

Verdict = Literal["pass", "fail", "inconclusive", "invalid"]
Grade = Literal["excellent", "good", "acceptable", "likely-bug"]

GRADES: Final[Mapping[str, float]] = {"excellent": 1e-7, "good": 1e-5, "acceptable": 1e-3}
"""Largest relative error of each grade, from the course notes; anything worse is a likely bug."""

SCHEMA: Final = "gradcli/1"
"""What the JSON of reports is called, with the number of its format."""


def grade_of(relative_error: float) -> Grade:
    """The grade of a relative error; a NaN is a likely bug."""
    if relative_error < GRADES["excellent"]:
        return "excellent"
    if relative_error < GRADES["good"]:
        return "good"
    if relative_error < GRADES["acceptable"]:
        return "acceptable"
    return "likely-bug"


def worst_verdict(verdicts: list[Verdict]) -> Verdict:
    """The verdict that stands for several: invalid, fail, inconclusive, pass."""
    order: tuple[Verdict, ...] = ("invalid", "fail", "inconclusive", "pass")
    return next((verdict for verdict in order if verdict in verdicts), "pass")


def envelope(report: Report, seed: int | None) -> dict[str, Any]:
    """What the JSON of every command has around its results."""
    from gradcli import __version__

    return {
        "schema": SCHEMA,
        "command": report.command,
        "version": __version__,
        "exit_code": int(report.exit_code),
        "seed": seed,
        "results": [result.to_dict() for result in report.results],
    }


class Report(Protocol):
    """What every command's report offers; all are frozen dataclasses."""

    @property
    def command(self) -> str: ...
    @property
    def results(self) -> Sequence[Any]: ...
    @property
    def passed(self) -> bool: ...
    @property
    def exit_code(self) -> ExitCode: ...
    def to_dict(self) -> dict[str, Any]: ...
