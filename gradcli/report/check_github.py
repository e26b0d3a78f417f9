"""A gradient check as workflow commands of GitHub Actions: annotations on the spec's own lines."""

from __future__ import annotations

import os
from typing import Final

from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode, SpecProblem
from gradcli.report import words
from gradcli.report.characters import printable

__all__ = ["command", "github_report"]

_LEVELS: Final = {"error": "error", "warning": "warning", "note": "notice"}


def github_report(report: CheckReport, *, root: str = "", quiet: bool = False) -> str:
    """An annotation a finding, and the outcome in plain lines, which the log shows.

    Paths are relative to `root`, the folder of the repository, or else to the working folder. A
    mistake that its spec expects is a notice. A spec that makes the exit code other than 0 has an
    error; `quiet` leaves out the notices, and whatever there is of the other specs.
    """
    lines: list[str] = []
    for result in report.results:
        if not quiet or result.exit_code != ExitCode.OK:
            lines += _of_spec(result, root, quiet)
    return "\n".join([*lines, words.summary(report), words.exit_line(report)]) + "\n"


def command(level: str, message: str, **properties: str | int) -> str:
    """One workflow command; properties that are empty or 0 are left out."""
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value)
    return f"::{level} {given}::{_message(message)}" if given else f"::{level}::{_message(message)}"


def _of_spec(result: SpecResult, root: str, quiet: bool) -> list[str]:
    file = _relative(result.spec, root)
    if result.verdict == "invalid":
        return [_problem(problem, file, root) for problem in result.errors]
    shown, left = words.findings_to_show(result, only_wrong=quiet)
    worst = dict(words.worst_entries(result))
    lines = []
    has_error = False
    for found in shown:
        level = _LEVELS[found.severity]
        if level == "error" and result.exit_code == ExitCode.OK:
            level = "notice"
        has_error |= level == "error"
        entry = "" if found.severity == "note" else worst.pop(found.where, "")
        lines.append(_finding(found, level, file, entry))
    if left:
        lines.append(command("notice", "\n".join(left), file=file, title=result.name))
    if result.exit_code != ExitCode.OK and not has_error:
        said = words.spec_status(result).word
        lines.append(command("error", f"{result.name}: {said}", file=file, title="gradcli check"))
    return lines


def _finding(found: Finding, level: str, file: str, entry: str) -> str:
    where = f" in {found.where}" if found.where else ""
    return command(
        level,
        found.message + (entry and f"\nworst entry {entry}"),
        file=file,
        line=found.line,
        title=f"{found.code} {found.name}{where}",
    )


def _problem(problem: SpecProblem, file: str, root: str) -> str:
    hint = f"\n{problem.hint}" if problem.hint else ""
    return command(
        "error",
        problem.message + hint,
        file=_relative(problem.file, root) or file,
        line=problem.line,
        col=problem.column,
        endColumn=problem.column and problem.column + problem.length - 1,
        title=f"{problem.code} {problem.key}".strip(),
    )


def _relative(path: str, root: str) -> str:
    """The path from the repository's folder, with `/`; as it is if it lies elsewhere."""
    if not path or path.startswith("<"):  # standard input
        return ""
    folder, name = os.path.split(path)
    whole = os.path.join(os.path.realpath(folder or os.curdir), name)  # the file may be a link
    try:
        inside = os.path.relpath(whole, os.path.realpath(root or os.curdir))
    except ValueError:  # on another drive
        inside = os.pardir
    return (path if inside.startswith(os.pardir) else inside).replace(os.sep, "/")


def _message(text: str) -> str:
    """The text as the value of a command: its escapes are those that GitHub's own toolkit makes."""
    shown = "\n".join(map(printable, text.split("\n")))
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
