"""Verdicts, grades and what a report of any command offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Protocol

from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode

__all__ = [
    "GRADES",
    "SCHEMA",
    "Gated",
    "Grade",
    "Judged",
    "Report",
    "ReportOfResults",
    "Verdict",
    "envelope",
    "exit_code_of",
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


def exit_code_of(verdict: str, *, builtin: bool) -> ExitCode:
    """That of a verdict on what gradcli says: where all is its own (`builtin`), a bug if wrong."""
    if verdict == "invalid":
        return ExitCode.INVALID
    if verdict == "fail":
        return ExitCode.BUG if builtin else ExitCode.WRONG
    return ExitCode.OK


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


class Judged(ABC):
    """What has an exit code, and has passed where that is 0."""

    @property
    @abstractmethod
    def exit_code(self) -> ExitCode:
        """The exit code of a command that has this for its only result."""

    @property
    def passed(self) -> bool:
        return self.exit_code == ExitCode.OK


class Gated(Judged):
    """What fails where its verdict, or a finding of its own, is one of those in `fail_on`."""

    verdict: str
    findings: tuple[Finding, ...]
    fail_on: tuple[str, ...]

    @property
    def gates_hit(self) -> tuple[str, ...]:
        """The entries of `fail_on` that came true."""
        found = {self.verdict, *(finding.name for finding in self.findings)}
        return tuple(gate for gate in self.fail_on if gate in found)


class ReportOfResults(Judged):
    """What reports of several results have in common: the worst exit code, the envelope, the text.

    One that Ctrl-C can cut short has `interrupted` among its fields.
    """

    command: ClassVar[str]
    results: tuple[Any, ...]
    seed: int | None
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        codes = [result.exit_code for result in self.results]
        return ExitCode.worst([*codes, ExitCode.INTERRUPTED] if self.interrupted else codes)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all results; none of results that have no findings."""
        return tuple(found for each in self.results for found in getattr(each, "findings", ()))

    def to_dict(self) -> dict[str, Any]:
        return envelope(self, self.seed)

    def __str__(self) -> str:
        return "\n".join(map(str, self.results))
