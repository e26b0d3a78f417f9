"""An activation's edge of chaos as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.flow.edge_report import EdgeReport, EdgeResult
from gradcli.report import edge_words as words
from gradcli.report.frames import frames
from gradcli.report.layout import paragraph, table, text, unbroken
from gradcli.report.plot import Line, plot
from gradcli.report.surface import Style, Surface

__all__ = ["draw_edge", "draw_report"]

_INDENT: Final = 2
_LABEL: Final = 14
_WIDEST: Final = 80
_HEIGHT: Final = 10


def draw_report(
    report: EdgeReport, surface: Surface, *, quiet: bool = False, with_frames: bool = True
) -> list[RenderableType]:
    """Each activation in full, or a row for each of many; the outcome.

    `quiet` leaves a line of each. `with_frames` shows spec errors in their source.
    """
    drawn: list[RenderableType] = []
    if words.is_overview(report) and not quiet:
        drawn += [*_overview(report, surface), Text()]
    else:
        for result in report.results:
            drawn += _one(result, surface, quiet, with_frames)
    style: Style = "good" if report.passed else "bad"
    return [*drawn, *paragraph(surface, (words.exit_line(report), style))]


def _one(
    result: EdgeResult, surface: Surface, quiet: bool, with_frames: bool
) -> list[RenderableType]:
    if result.kind == "invalid":
        head = paragraph(surface, ("✗ INVALID  ", "bad"), (result.spec, "strong"))
        return [*head, *(frames(result.errors, surface) if with_frames else []), Text()]
    where = f"  {result.spec}" if result.spec else ""
    said = f"edge of chaos: {words.in_short(result)}" if quiet else "edge of chaos"
    drawn: list[RenderableType] = [
        *paragraph(surface, (f"{result.name}  ", "strong"), said, (where, "faint"), hanging=True)
    ]
    if quiet:
        return drawn
    drawn += paragraph(surface, words.introduction(result), indent=_INDENT)
    rows = words.point_rows(result)
    if rows:
        drawn += [
            Text(),
            *_table(surface, words.HEADINGS, rows, range(len(words.HEADINGS))),
            Text(),
        ]
        drawn += paragraph(surface, (words.LEGEND, "faint"), indent=_INDENT)
    drawn += [*draw_edge(result, surface), Text()]
    for heading, said in words.lines(result):
        drawn += paragraph(surface, said, label=(f"  {heading}", "faint"), indent=_LABEL)
    return [*drawn, Text()]


def draw_edge(result: EdgeResult, surface: Surface) -> list[Text]:
    """σ_w over σ_b; nothing where it was not followed."""
    edge = words.edge_line(result)
    if edge is None:
        return []
    drawn = plot(
        [Line(result.name, edge.bias_stds, edge.weight_stds)],
        surface,
        title="σ_w: below it gradients vanish, above it they explode",
        across="σ_b",
        width=min(surface.width, _WIDEST) - _INDENT,
        height=_HEIGHT,
    )
    return [Text(), *(unbroken(surface, " " * _INDENT).append_text(line) for line in drawn)]


def _overview(report: EdgeReport, surface: Surface) -> list[RenderableType]:
    rows = [words.overview_cells(result) for result in report.results]
    drawn: list[RenderableType] = [*_table(surface, words.OVERVIEW_HEADINGS, rows, (1, 2, 3, 5))]
    more = "gradcli flow --critical --activation NAME shows one in full"
    return [*drawn, Text(), *paragraph(surface, (f"{words.LEGEND}. {more}", "faint"), indent=2)]


def _table(
    surface: Surface, headings: Sequence[str], rows: list[list[str]], right: Sequence[int]
) -> list[RenderableType]:
    """The table, or its first columns where it is too wide."""
    for count in range(len(headings), 0, -1):
        cells = [[text(surface, cell) for cell in row[:count]] for row in rows]
        numbers = [i for i in right if i < count]
        drawn = table(surface, headings[:count], cells, right=numbers, indent=_INDENT)
        if drawn is not None:
            return [drawn]
    return []
