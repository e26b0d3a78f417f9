"""Spec errors shown in their source: place, line, caret, hint."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.errors import SpecProblem
from gradcli.report.layout import Cell, Line, cells, paragraph, printable

__all__ = ["frame", "frames"]


def frames(problems: Sequence[SpecProblem], width: int) -> list[Line]:
    """A frame for each problem, blank lines between them."""
    lines: list[Line] = []
    for problem in problems:
        lines += [*([[]] if lines else []), *frame(problem, width)]
    return lines


def frame(problem: SpecProblem, width: int) -> list[Line]:
    """One problem; `file:line:column:` begins the line, as editors and CI logs expect."""
    lines: list[Line] = []
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    head = [Cell(f"{place}: " if place else "", "strong"), Cell(f"{problem.code} ", "bad")]
    lines += paragraph(problem.message, width, first=head, indent=4)
    gutter = " " * (len(str(problem.line)) if problem.line else 0)
    if problem.line and problem.source_line.strip():
        text, start, length = _visible(problem, width - len(gutter) - 4)
        lines.append([Cell(f" {problem.line} │ ", "faint"), Cell(text)])
        lines.append([Cell(f" {gutter} │ ", "faint"), Cell(" " * start), Cell("^" * length, "bad")])
    if problem.key:
        lines += paragraph(problem.key, width, first=[Cell(f" {gutter} in ", "faint")], indent=4)
    if problem.hint:
        lines += paragraph(problem.hint, width, first=[Cell(f" {gutter} → ", "good")], indent=4)
    return lines


def _visible(problem: SpecProblem, room: int) -> tuple[str, int, int]:
    """The part of the source line around the column that fits; where to underline it, in cells."""
    source = problem.source_line
    at = min(max(problem.column - 1, 0), len(source))
    marked = source[at : at + max(problem.length, 1)]
    before, after = printable(source[:at]), printable(source[at + len(marked) :])
    marked = printable(marked)
    if cells(marked) > room // 2:
        marked = marked[: room // 4]
        after = "…"
    spare = max(room - cells(marked), 2)
    if cells(before) + cells(after) > spare:
        keep = max(spare // 2, spare - cells(after))
        if cells(before) > keep:
            before = "…" + before[-(keep - 1) // (1 if before.isascii() else 2) :].lstrip()
        spare -= cells(before)
        if cells(after) > spare:
            after = after[: max(0, (spare - 1) // (1 if after.isascii() else 2))] + "…"
    return before + marked + after, cells(before), max(1, cells(marked))
