"""A flow analysis as text for a terminal or a log."""

from __future__ import annotations

import math
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.flow.report import FlowReport, FlowResult, LayerFlow
from gradcli.errors import ExitCode
from gradcli.report import flow_words as words
from gradcli.report.characters import NOTHING
from gradcli.report.finding_lines import finding_lines, meanings
from gradcli.report.frames import frames_or_count
from gradcli.report.layout import Piece, end_of, paragraph, table, table_width, text
from gradcli.report.remedy_words import (
    REMEDY_HEADINGS,
    UNTRIED,
    clipping_lines,
    remedy_cells,
    remedy_status,
)
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report"]

_LONGEST_BAR: Final = 30
_BAR: Final = 3
"""The column of the bar, right of the gradient that it draws."""


def draw_report(
    report: FlowReport,
    surface: Surface,
    *,
    quiet: bool = False,
    with_frames: bool = True,
    all_layers: bool = False,
) -> list[RenderableType]:
    """Each network: its verdict, a row per layer, the figures of the whole, findings; the outcome.

    Long networks are folded unless `all_layers`. `quiet` leaves out the tables, and all but the
    verdict of networks that are as they should be. `with_frames` shows spec errors in their source.
    """
    drawn: list[RenderableType] = []
    for result in report.results:
        if quiet and result.exit_code == ExitCode.OK:
            drawn += _heading(result, surface)
        else:
            drawn += [*_network(result, surface, quiet, with_frames, all_layers), Text()]
    code = report.exit_code
    style: Style = "doubt" if code == ExitCode.UNDECIDED else "bad" if code else "good"
    drawn += paragraph(surface, (words.exit_line(report), style))
    return drawn if quiet else [*drawn, *meanings(report.findings, surface)]


def _network(
    result: FlowResult, surface: Surface, quiet: bool, with_frames: bool, all_layers: bool
) -> list[RenderableType]:
    drawn: list[RenderableType] = [*_heading(result, surface)]
    if result.verdict == "invalid":
        return [*drawn, *frames_or_count(result.errors, surface, with_frames=with_frames)]
    drawn += paragraph(surface, (words.makeup(result), "faint"), indent=2)
    if not quiet:
        drawn += [Text(), *_layers(result, surface, all_layers), Text()]
    for heading, said in words.summary(result):
        drawn += paragraph(surface, said, label=(f"  {heading}", "faint"), indent=13)
    if result.clipping is not None:
        for heading, said in clipping_lines(result.clipping):
            drawn += paragraph(surface, said, label=(f"  {heading}", "faint"), indent=13)
    if not quiet:
        drawn += _remedies(result, surface)
    for found in result.findings:
        drawn += [Text(), *finding_lines(found, surface)]
    return drawn


def _heading(result: FlowResult, surface: Surface) -> list[Text]:
    status = words.flow_status(result)
    head: tuple[Piece, ...] = (f"{status}  ", status.style), (f"{result.title}  ", "strong")
    return paragraph(surface, *head, result.spec, indent=2, hanging=True)


def _remedies(result: FlowResult, surface: Surface) -> list[RenderableType]:
    """What was tried, the best first; as lines where a table is too wide."""
    if result.remedies_untried:
        return [*paragraph(surface, UNTRIED, label=("  remedies", "faint"), indent=13)]
    if not result.remedies:
        return []
    rows = []
    for remedy in result.remedies:
        *cells, verdict = remedy_cells(result, remedy)
        style = remedy_status(remedy).style
        rows.append([*(text(surface, cell) for cell in cells), text(surface, (verdict, style))])
    for columns in ((0, 1, 2, 3), (0, 2, 3)):  # the total as it is stands above as well
        headings = [REMEDY_HEADINGS[i] for i in columns]
        numbers = range(1, len(columns) - 1)
        chosen = [[row[i] for i in columns] for row in rows]
        drawn = table(surface, headings, chosen, right=numbers, indent=2)
        if drawn is not None:
            return [Text(), drawn]
    lines: list[RenderableType] = [Text()]
    for remedy in result.remedies:
        change, _, after, verdict = remedy_cells(result, remedy)
        lines += paragraph(surface, f"{change}: {after}, {verdict}", label="  remedy", indent=13)
    return lines


def _layers(result: FlowResult, surface: Surface, all_layers: bool) -> list[RenderableType]:
    """As many columns as fit, the most important first; the bar takes what is left."""
    shown = words.folded(result.layers, all_layers=all_layers)
    drawn: list[RenderableType] = []
    digits = len(str(len(result.layers)))
    room = max(8, surface.width - 2 - 2 * 4 - digits - 2 * 8 - _least_bar(surface))
    names = [end_of(layer.name, room, surface) for layer in shown]
    for count in range(len(words.measures_of(result)), 0, -1):
        fitting = _table(result, shown, names, surface, count)
        if fitting is not None:
            drawn.append(fitting)
            break
    if len(shown) < len(result.layers):
        rung = words.ladder_of(result).rung
        said = f"{len(shown)} of {len(result.layers):,} {rung}s; --all shows every one"
        drawn += paragraph(surface, (said, "faint"), indent=2)
    return [*drawn, *paragraph(surface, (words.ladder_of(result).legend, "faint"), indent=2)]


def _table(
    result: FlowResult, shown: list[LayerFlow], names: list[str], surface: Surface, count: int
) -> RenderableType | None:
    """The table with the first `count` measures; None where it is too wide."""
    measures = words.measures_of(result)[:count]
    ladder = words.ladder_of(result)
    headings = ["", ladder.rung, *(measure.heading for measure in measures)]
    dashes = [text(surface, (NOTHING, "faint")) for _ in measures[1:]]
    first = words.number(result.log10_input_gradient_norm)
    start = str(shown[0].index - 1) if shown else "0"
    rows = [[*(text(surface, cell) for cell in (start, ladder.end, first)), *dashes]]
    for layer, name in zip(shown, names, strict=True):
        written = (measure.text(layer) for measure in measures)
        cells = (str(layer.index), name, *written)
        rows.append([text(surface, cell) for cell in cells])
    right = {0, *range(2, len(headings))}
    room = surface.width - 2 - table_width(surface, headings, rows) - 2
    if room < _least_bar(surface):
        return table(surface, headings, rows, right=right, indent=2) if count == 1 else None
    longest = min(room, _LONGEST_BAR)
    share = words.where_to_bar(result)
    norms = [result.log10_input_gradient_norm, *(layer.log10_gradient_norm for layer in shown)]
    style = words.flow_status(result).style
    headings.insert(_BAR, "")
    for row, norm in zip(rows, norms, strict=True):
        row.insert(_BAR, text(surface, (_bar(share(norm), longest, norm), style)))
    right = {0, 2, *range(_BAR + 1, len(headings))}
    return table(surface, headings, rows, right=right, indent=2)


def _least_bar(surface: Surface) -> int:
    """The least room for a bar that still shows the shape; columns give way to it."""
    return surface.width // 6


def _bar(share: float, longest: int, norm: float) -> str:
    """A bar in steps of half a character, never quite empty while there is a signal."""
    halves = round(2 * longest * share)
    if math.isfinite(norm):
        halves = max(1, halves)
    return "█" * (halves // 2) + "▌" * (halves % 2)
