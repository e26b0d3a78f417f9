"""A flow analysis as text for a terminal or a log."""

from __future__ import annotations

import math
from typing import Final

from gradcli.analysis.flow.report import FlowReport, FlowResult, LayerFlow
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode
from gradcli.report import flow_words as words
from gradcli.report.frames import frames
from gradcli.report.layout import Cell, Column, Line, Style, cells, paragraph, table
from gradcli.report.words import plural

__all__ = ["draw_report"]

_PROSE: Final = 100
_LONGEST_BAR: Final = 30
_SEVERITY: Final[dict[str, tuple[str, Style]]] = {
    "error": ("✗", "bad"),
    "warning": ("!", "doubt"),
    "note": ("·", "faint"),
}


def draw_report(
    report: FlowReport,
    width: int,
    *,
    quiet: bool = False,
    with_frames: bool = True,
    all_layers: bool = False,
) -> list[Line]:
    """Each network: its verdict, a row per layer, the figures of the whole, findings; the outcome.

    Long networks are folded unless `all_layers`. `quiet` leaves out the tables, and networks that
    are as they should be. `with_frames` shows spec errors in their source.
    """
    lines: list[Line] = []
    for result in report.results:
        if not quiet or result.exit_code != ExitCode.OK:
            lines += [*_network(result, width, quiet, with_frames, all_layers), []]
    code, prose = report.exit_code, min(width, _PROSE)
    style: Style = "doubt" if code == ExitCode.UNDECIDED else "bad" if code else "good"
    lines += paragraph(words.exit_line(report), prose, style=style)
    codes = sorted({found.code for found in report.findings})
    if codes and not quiet:
        lines += paragraph(f"what they mean: gradcli explain {' '.join(codes)}", prose, indent=2)
    return lines


def _network(
    result: FlowResult, width: int, quiet: bool, with_frames: bool, all_layers: bool
) -> list[Line]:
    status = words.flow_status(result)
    head = [Cell(f"{status}  ", status.style), Cell(f"{result.name}  ", "strong")]
    lines = paragraph(result.spec, width, first=head, indent=2)
    if result.verdict == "invalid":
        if with_frames:
            return [*lines, *frames(result.errors, width)]
        return [*lines, [Cell(f"  {plural(len(result.errors), 'error')}, shown apart")]]
    lines += paragraph(
        words.makeup(result.layers), width, first=[Cell("  ")], indent=2, style="faint"
    )
    if not quiet:
        lines += [[], *_layers(result, width, all_layers), []]
    prose = min(width, _PROSE)
    for heading, text in words.summary(result):
        lines += paragraph(text, prose, first=[Cell(f"  {heading:<11}", "faint")], indent=13)
    for found in result.findings:
        lines += [[], *_finding(found, prose)]
    return lines


def _finding(found: Finding, width: int) -> list[Line]:
    symbol, style = _SEVERITY[found.severity]
    place = f"  {found.file}:{found.line}" if found.file and found.line else ""
    head = [Cell(f"  {symbol} {found.code} {found.name}", style), Cell(" ")]
    lines = paragraph(f"in {found.where}{place}", width, first=head, indent=4)
    return [*lines, *paragraph(found.message, width, first=[Cell("    ")], indent=4)]


def _layers(result: FlowResult, width: int, all_layers: bool) -> list[Line]:
    """As many columns as fit, the most important first; the bar takes what is left."""
    shown = words.folded(result.layers, all_layers=all_layers)
    names = {layer.index: layer.name for layer in shown}
    room = max(8, width - 2 - 2 * 4 - len(str(len(result.layers))) - 2 * 8 - _least_bar(width))
    names = {index: _shortened(name, room) for index, name in names.items()}
    drawn: list[Line] | None = None
    for count in range(len(words.MEASURES), 0, -1):
        drawn = _table(result, shown, names, count, width)
        if drawn is not None:
            break
    lines = drawn or []
    prose = min(width, _PROSE)
    if len(shown) < len(result.layers):
        said = f"{len(shown)} of {len(result.layers):,} layers; --all shows every one"
        lines += paragraph(said, prose, first=[Cell("  ")], indent=2, style="faint")
    return lines + paragraph(words.LEGEND, prose, first=[Cell("  ")], indent=2, style="faint")


def _table(
    result: FlowResult, shown: list[LayerFlow], names: dict[int, str], count: int, width: int
) -> list[Line] | None:
    """The table with the first `count` measures; None where it is too wide."""
    measures = words.MEASURES[:count]
    columns = [Column("", True), Column("layer")]
    columns += [Column(measure.heading, True) for measure in measures]
    dash = [Cell("–", "faint")] * (count - 1)
    rows = [[Cell("0"), Cell("input"), Cell(words.number(result.log10_input_gradient_norm)), *dash]]
    for layer in shown:
        written = [Cell(measure.text(layer)) for measure in measures]
        rows.append([Cell(str(layer.index)), Cell(names[layer.index]), *written])
    taken = 2 + sum(
        max(cells(column.heading), *(cells(row[i].text) for row in rows)) + 2
        for i, column in enumerate(columns)
    )
    if width - taken < _least_bar(width):
        return table(columns, rows, width=width) if count == 1 else None
    longest = min(width - taken, _LONGEST_BAR)
    share = words.where_to_bar(result)
    norms = [result.log10_input_gradient_norm, *(layer.log10_gradient_norm for layer in shown)]
    style = words.flow_status(result).style
    # The bar stands right of the gradient it draws.
    columns.insert(3, Column(""))
    for row, norm in zip(rows, norms, strict=True):
        row.insert(3, Cell(_bar(share(norm), longest, norm).ljust(longest), style))
    return table(columns, rows, width=width)


def _least_bar(width: int) -> int:
    """The least room for a bar that still shows the shape; columns give way to it."""
    return width // 6


def _bar(share: float, longest: int, norm: float) -> str:
    """A bar in steps of half a character, never quite empty while there is a signal."""
    halves = round(2 * longest * share)
    if math.isfinite(norm):
        halves = max(1, halves)
    return "█" * (halves // 2) + "▌" * (halves % 2)


def _shortened(name: str, room: int) -> str:
    """A name within its room; the end tells layers apart."""
    return name if cells(name) <= room else f"…{name[-(room - 1) :]}"
