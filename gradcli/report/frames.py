"""Spec errors shown in their source: place, line, caret, hint."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gradcli.errors import SpecProblem
from gradcli.report.layout import Piece, draw, end_of, paragraph, unbroken
from gradcli.report.surface import FILE, Surface
from gradcli.report.words import plural

__all__ = ["frame", "framed", "frames", "frames_or_count"]


def frames(problems: Sequence[SpecProblem], surface: Surface) -> list[Text]:
    """A frame for each problem, blank lines between them."""
    lines: list[Text] = []
    for problem in problems:
        lines += [*([Text()] if lines else []), *frame(problem, surface)]
    return lines


def frames_or_count(
    problems: Sequence[SpecProblem], surface: Surface, *, with_frames: bool
) -> list[Text]:
    """The frames, or how many there are where they are shown apart, as beside a table."""
    if with_frames:
        return frames(problems, surface)
    return paragraph(surface, f"{plural(len(problems), 'error')}, shown apart", indent=2)


def framed(problems: Sequence[SpecProblem]) -> str:
    """The same as plain text, as files and logs have it."""
    return draw(frames(problems, FILE), FILE).rstrip()


def frame(problem: SpecProblem, surface: Surface) -> list[Text]:
    """One problem; `file:line:column:` begins the line, as editors and CI logs expect."""
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    lines = paragraph(
        surface,
        (f"{place}: " if place else "", "strong"),
        (f"{problem.code} ", "bad"),
        problem.message,
        indent=4,
        hanging=True,
    )
    gutter = " " * (len(str(problem.line)) if problem.line else 0)
    if problem.line and problem.source_line.strip():
        source, start, length = _visible(problem, surface, surface.width - len(gutter) - 4)
        lines.append(unbroken(surface, (f" {problem.line} │ ", "faint"), source))
        caret: Piece = "^" * length, "bad"
        lines.append(unbroken(surface, (f" {gutter} │ ", "faint"), " " * start, caret))
    notes: tuple[tuple[Piece, str], ...] = (
        ((f" {gutter} in ", "faint"), problem.key),
        ((f" {gutter} → ", "good"), problem.hint),
    )
    for head, note in notes:
        if note:
            lines += paragraph(surface, head, note, indent=4, hanging=True)
    return lines


def _visible(problem: SpecProblem, surface: Surface, room: int) -> tuple[str, int, int]:
    """The part of the source line around the column that fits; where to underline it, in cells."""
    source, dots = problem.source_line, surface.shown("…")
    at = min(max(problem.column - 1, 0), len(source))
    end = at + max(problem.length, 1)
    before, marked, after = map(surface.shown, (source[:at], source[at:end], source[end:]))
    if cell_len(marked) > room // 2:
        marked, after = set_cell_size(marked, room // 4), dots
    spare = max(room - cell_len(marked), 2 * len(dots))
    if cell_len(before) + cell_len(after) > spare:
        keep = max(spare // 2, spare - cell_len(after))
        before = end_of(before, keep, surface)
        spare -= cell_len(before)
        if cell_len(after) > spare:
            after = set_cell_size(after, max(0, spare - len(dots))) + dots
    return before + marked + after, cell_len(before), max(1, cell_len(marked))
