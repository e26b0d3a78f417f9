"""A graph as a tree and a table, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.graph import GraphReport, GraphResult
from gradcli.errors import ExitCode
from gradcli.report import graph_words as words
from gradcli.report.frames import frames_or_count
from gradcli.report.layout import Piece, end_of, paragraph, table, text
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report"]

_LABEL: Final = 15
_NAME: Final = 0.4
"""The share of the width that names may take."""


def draw_report(
    report: GraphReport,
    surface: Surface,
    *,
    quiet: bool = False,
    with_frames: bool = True,
    all_nodes: bool = False,
) -> list[RenderableType]:
    """The nodes as a tree with their figures, what follows from them, and the outcome.

    Long graphs are folded unless `all_nodes`. `quiet` leaves out all but the verdict where all is
    well. `with_frames` shows spec errors in their source.
    """
    drawn: list[RenderableType] = []
    for result in report.results:
        drawn += _heading(result, surface)
        if result.verdict == "invalid":
            drawn += frames_or_count(result.errors, surface, with_frames=with_frames)
        elif not (quiet and result.passed):
            drawn += [*_result(result, surface, all_nodes), Text()]
    style: Style = "bad" if report.exit_code != ExitCode.OK else "good"
    return [*drawn, *paragraph(surface, (words.exit_line(report), style))]


def _heading(result: GraphResult, surface: Surface) -> list[Text]:
    status = words.graph_status(result)
    head: tuple[Piece, ...] = (f"{status}  ", status.style), (f"{result.name}  ", "strong")
    return paragraph(surface, *head, result.spec, indent=2, hanging=True)


def _result(result: GraphResult, surface: Surface, all_nodes: bool) -> list[RenderableType]:
    drawn: list[RenderableType] = [
        *paragraph(surface, (words.makeup(result), "faint"), indent=2),
        Text(),
        *_nodes(result, surface, all_nodes),
        Text(),
    ]
    for heading, said in words.summary(result):
        drawn += paragraph(surface, said, label=(f"  {heading}", "faint"), indent=_LABEL)
    return drawn


def _nodes(result: GraphResult, surface: Surface, all_nodes: bool) -> list[RenderableType]:
    """As many columns as fit."""
    lines = words.branches(result)
    first, last = words.folded(lines, whole=all_nodes)
    left_out = len(lines) - len(first) - len(last)
    room = int(surface.width * _NAME)
    rows = [_row(line, room, surface) for line in first]
    if last:
        gap = text(surface, (f"… {left_out:,} left out", "faint"))
        rows.append([gap, *(text(surface) for _ in words.HEADINGS)])
    rows += [_row(line, room, surface) for line in last]
    rows.append([text(surface, (cell, "strong")) for cell in ("all", *words.totals(result))])
    headings = ("node", *words.HEADINGS)
    drawn: list[RenderableType] = []
    for columns in range(len(headings), 0, -1):
        found = _table(headings[:columns], [row[:columns] for row in rows], surface)
        if found is not None:
            drawn.append(found)
            break
    if last:
        said = f"{left_out:,} of {len(lines):,} lines left out; --all shows every one"
        drawn += paragraph(surface, (said, "faint"), indent=2)
    return drawn


def _row(line: words.Branch, room: int, surface: Surface) -> list[Text]:
    name = end_of(words.own_name(line), room, surface)
    return [text(surface, name), *(text(surface, cell) for cell in words.cells(line))]


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[Text]], surface: Surface
) -> RenderableType | None:
    right = range(1, min(len(headings), len(words.HEADINGS)))
    return table(surface, headings, rows, right=right, indent=2)
