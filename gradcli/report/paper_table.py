"""Published numbers beside measured ones, as text for a terminal or a log."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.flow.paper import PaperReport, PaperRow
from gradcli.report import paper_words as words
from gradcli.report.layout import paragraph, text, unbroken
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report"]

_GAP: Final = 2
_INDENT: Final = 4


def draw_report(
    report: PaperReport, surface: Surface, *, quiet: bool = False, **drawing: bool
) -> list[RenderableType]:
    """Network by network, a row for each number, and the outcome; `quiet` leaves out what matches.

    Where a row is too wide for the surface, its band goes into a line below.
    """
    drawn: list[RenderableType] = []
    shown = list(words.groups(report, only_wrong=quiet))
    rows = [row for group in shown for row in group.rows]
    columns = _columns(rows, surface)
    if shown:
        drawn.append(_line(surface, columns, "", words.HEADINGS, style="faint"))
    for group in shown:
        about = f"  {group.makeup}; {group.source}"
        drawn += paragraph(
            surface, (group.network, "strong"), (about, "faint"), indent=2, hanging=True
        )
        for row in group.rows:
            drawn += _row(row, surface, columns)
    style: Style = "good" if report.passed else "bad"
    if not quiet:
        drawn += [Text(), *paragraph(surface, (words.LEGEND, "faint"), indent=2), Text()]
    return [*drawn, *paragraph(surface, (words.exit_line(report), style))]


class _Columns:
    """How wide the quantities and each of the numbers are, and how many of these fit."""

    def __init__(self, quantity: int, numbers: list[int], room: int) -> None:
        self.quantity = quantity
        self.numbers = numbers
        whole = _INDENT + quantity + sum(_GAP + width for width in numbers)
        self.shown = len(numbers) if whole <= room else len(numbers) - 1


def _columns(rows: list[PaperRow], surface: Surface) -> _Columns:
    quantity = max((cell_len(surface.shown(row.quantity)) for row in rows), default=0)
    table = [words.HEADINGS, *map(words.cells, rows)]
    numbers = [
        max(cell_len(surface.shown(cell)) for cell in cells) for cells in zip(*table, strict=True)
    ]
    return _Columns(quantity, numbers, surface.width)


def _line(
    surface: Surface, columns: _Columns, quantity: str, cells: tuple[str, ...], style: Style
) -> Text:
    """A row without its mark."""
    line = text(surface, quantity)
    line.pad_right(columns.quantity - line.cell_len)
    line.pad_left(_INDENT)
    for cell, width in list(zip(cells, columns.numbers, strict=True))[: columns.shown]:
        number = text(surface, (cell, style))
        number.pad_left(_GAP + width - number.cell_len)
        line.append_text(number)
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _row(row: PaperRow, surface: Surface, columns: _Columns) -> list[RenderableType]:
    status, cells = words.status_of(row), words.cells(row)
    style: Style = "bad" if row.mismatches else ""
    line = _line(surface, columns, row.quantity, cells, style)
    mark = unbroken(surface, (f"  {status.symbol} ", status.style))
    drawn: list[RenderableType] = [mark.append_text(line[_INDENT:])]
    said = words.remarks(row)
    if columns.shown < len(cells) and row.band is not None and not row.is_bound:
        said = [f"band {cells[-1]}", *said]
    for each in said:
        drawn += paragraph(surface, (each, style or "faint"), indent=_INDENT + 2)
    return drawn
