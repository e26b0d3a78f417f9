"""A training run as text for a terminal or a log."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.training.report import TrainReport, TrainResult
from gradcli.report import train_words as words
from gradcli.report.finding_lines import finding_lines, meanings
from gradcli.report.frames import frames_or_count
from gradcli.report.layout import Piece, paragraph, table, text
from gradcli.report.plot import Line, plot
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report"]

_CHART: tuple[int, int] = 60, 8
"""Columns and rows of the chart of the loss."""


def draw_report(
    report: TrainReport, surface: Surface, *, quiet: bool = False, with_frames: bool = True
) -> list[RenderableType]:
    """The run: what was trained, the loss as a curve, layers, steps, findings; the outcome.

    `quiet` leaves out the curve and the tables. `with_frames` shows spec errors in their source.
    """
    drawn: list[RenderableType] = []
    for result in report.results:
        drawn += [*_run(result, surface, quiet, with_frames), Text()]
    style: Style = "bad" if report.exit_code else "good"
    drawn += paragraph(surface, (words.exit_line(report), style))
    return drawn if quiet else [*drawn, *meanings(report.findings, surface)]


def _run(
    result: TrainResult, surface: Surface, quiet: bool, with_frames: bool
) -> list[RenderableType]:
    status = words.train_status(result)
    head: tuple[Piece, ...] = (f"{status}  ", status.style), (f"{result.name}  ", "strong")
    drawn: list[RenderableType] = [*paragraph(surface, *head, result.spec, indent=2, hanging=True)]
    if result.verdict == "invalid":
        return [*drawn, *frames_or_count(result.errors, surface, with_frames=with_frames)]
    drawn += paragraph(surface, (words.makeup(result), "faint"), indent=2)
    if not quiet:
        drawn += _curve(result, surface)
        drawn += _table(words.LAYER_HEADINGS, words.layer_rows(result), surface, left=(0, 1))
        drawn += _steps(result, surface)
        drawn.append(Text())
    for heading, said in words.summary(result):
        drawn += paragraph(surface, said, label=(f"  {heading}", "faint"), indent=14)
    if not quiet:
        drawn += _table(
            words.APPROXIMATION_HEADINGS, words.approximation_rows(result), surface, left=(0,)
        )
        if result.hardest:
            drawn += [Text(), text(surface, ("  the hardest examples at the end", "faint"))]
            drawn += _table(words.HARDEST_HEADINGS, words.hardest_rows(result), surface)[1:]
    for found in result.findings:
        drawn += [Text(), *finding_lines(found, surface)]
    return drawn


def _curve(result: TrainResult, surface: Surface) -> list[RenderableType]:
    if len(result.steps) < 2:
        return []
    numbers = [float(step.number) for step in result.steps]
    line = Line("loss", numbers, [step.loss for step in result.steps])
    columns, rows = _CHART
    width = min(columns, surface.width - 2)
    chart = plot([line], surface, title="loss", across="step", width=width, height=rows)
    return [Text(), *chart]


def _steps(result: TrainResult, surface: Surface) -> list[RenderableType]:
    columns = words.step_columns(result)
    chosen = words.step_rows(result)
    while columns:
        headings = [column.heading for column in columns]
        rows = [tuple(column.text(step) for column in columns) for step in chosen]
        drawn = _table(headings, rows, surface)
        if drawn:
            break
        columns = columns[:-1]
    else:
        return []
    if len(chosen) < len(result.steps):
        said = f"{len(chosen)} of {len(result.steps):,} steps; --log has every one"
        drawn += paragraph(surface, (said, "faint"), indent=2)
    return drawn


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    surface: Surface,
    left: Sequence[int] = (),
) -> list[RenderableType]:
    """A table under an empty line, with as many of its columns as fit; nothing without rows."""
    if not rows:
        return []
    for count in range(len(headings), 1, -1):
        cells = [[text(surface, cell) for cell in row[:count]] for row in rows]
        right = [i for i in range(count) if i not in left]
        drawn = table(surface, headings[:count], cells, right=right, indent=2)
        if drawn is not None:
            return [Text(), drawn]
    return []
