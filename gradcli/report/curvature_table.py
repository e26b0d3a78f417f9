"""A curvature analysis as text for a terminal or a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.curvature.report import CurvatureReport, CurvatureResult, Spectrum
from gradcli.errors import ExitCode
from gradcli.report import curvature_words as words
from gradcli.report.frames import frames_or_count
from gradcli.report.layout import Piece, end_of, paragraph, table, text
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report", "draw_spectrum"]

_LABEL: Final = 13
_LONGEST_BAR: Final = 40


def draw_report(
    report: CurvatureReport, surface: Surface, *, quiet: bool = False, with_frames: bool = True
) -> list[RenderableType]:
    """The spectrum, the matrices, what follows from them; the outcome.

    `quiet` leaves out all but the verdict where all is well. `with_frames` shows spec errors in
    their source.
    """
    drawn: list[RenderableType] = []
    for result in report.results:
        drawn += _heading(result, surface)
        if result.verdict == "invalid":
            drawn += frames_or_count(result.errors, surface, with_frames=with_frames)
        elif not (quiet and result.verdict == "pass"):
            drawn += [*_result(result, surface), Text()]
    style: Style = "bad" if report.exit_code != ExitCode.OK else "good"
    if report.verdict == "inconclusive":
        style = "doubt"
    return [*drawn, *paragraph(surface, (words.exit_line(report), style))]


def _heading(result: CurvatureResult, surface: Surface) -> list[Text]:
    status = words.curvature_status(result)
    head: tuple[Piece, ...] = (f"{status}  ", status.style), (f"{result.name}  ", "strong")
    return paragraph(surface, *head, result.spec, indent=2, hanging=True)


def _result(result: CurvatureResult, surface: Surface) -> list[RenderableType]:
    drawn: list[RenderableType] = [
        *paragraph(surface, (words.makeup(result), "faint"), indent=2),
        Text(),
        *draw_spectrum(result.spectra["hessian"], surface),
        Text(),
    ]
    for heading, said in words.summary(result):
        drawn += paragraph(surface, said, label=(f"  {heading}", "faint"), indent=_LABEL)
    drawn += [Text(), *_matrices(result, surface)]
    for line in words.undefined_lines(result):
        drawn += paragraph(surface, (line, "faint"), indent=2)
    for relation in result.relations:
        drawn += paragraph(surface, words.relation_words(relation), indent=2, hanging=True)
    drawn += [Text(), *_blocks(result, surface)]
    if result.steps:
        drawn += [Text(), *_steps(result, surface)]
    return drawn


def draw_spectrum(spectrum: Spectrum, surface: Surface) -> list[RenderableType]:
    """A bar for each power of ten of the eigenvalues, by sign."""
    found = words.bins(spectrum)
    most = max((each.share for each in found), default=0.0)
    room = min(_LONGEST_BAR, max(8, surface.width - 32))
    rows = []
    for each in found:
        length = max(1, round(2 * room * each.share / most)) if each.share else 0
        bar = "█" * (length // 2) + "▌" * (length % 2)
        rows.append(
            [
                text(surface, each.label),
                text(surface, (bar, each.style)),
                text(surface, words.amount(each)),
            ]
        )
    heading = "eigenvalues" if spectrum.eigenvalues else "spectrum"
    drawn = table(surface, [heading, "of the Hessian", ""], rows, right=(0,), indent=2)
    return [] if drawn is None else [drawn]


def _blocks(result: CurvatureResult, surface: Surface) -> list[RenderableType]:
    """A row for each layer."""
    cells = [words.block_cells(block) for block in result.blocks]
    names = [end_of(row[0], surface.width // 3, surface) for row in cells]
    rows = [[name, *row[1:]] for name, row in zip(names, cells, strict=True)]
    legend = paragraph(surface, (words.block_words(result), "faint"), indent=2)
    return [*_fitting(words.BLOCK_HEADINGS, rows, surface), *legend]


def _steps(result: CurvatureResult, surface: Surface) -> list[RenderableType]:
    """A row for each step, and what else there is to say."""
    steps = [step for step in result.steps if not step.undefined]
    cells = [words.step_cells(step) for step in steps]
    styles = [words.step_style(step) for step in steps]
    drawn = _fitting(words.STEP_HEADINGS, cells, surface, styles)
    drawn += paragraph(surface, (words.STEP_LEGEND, "faint"), indent=2)
    for line in words.step_notes(result):
        drawn += paragraph(surface, line, indent=2, hanging=True)
    return drawn


def _matrices(result: CurvatureResult, surface: Surface) -> list[RenderableType]:
    """A row for each matrix."""
    cells = [words.matrix_cells(each) for each in result.spectra.values() if not each.undefined]
    return _fitting(words.MATRIX_HEADINGS, cells, surface)


def _fitting(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    surface: Surface,
    styles: Sequence[Style] = (),
) -> list[RenderableType]:
    """A table with as many of the columns as fit, the first ones; lines where that is too few."""
    shown = styles or [""] * len(cells)
    for count in range(len(headings), 2, -1):
        rows = [
            [text(surface, (cell, style)) for cell in row[:count]]
            for row, style in zip(cells, shown, strict=True)
        ]
        drawn = table(surface, headings[:count], rows, right=range(1, count), indent=2)
        if drawn is not None:
            return [drawn]
    return [
        line
        for row in cells
        for line in paragraph(surface, f"{row[0]}: {row[1]}, {row[2]}", indent=2)
    ]
