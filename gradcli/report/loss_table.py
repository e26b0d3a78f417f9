"""Losses as text for a terminal: curves, properties, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.losses.report import LossReport, LossResult
from gradcli.errors import ExitCode
from gradcli.report import loss_words as words
from gradcli.report.frames import frames
from gradcli.report.layout import Piece, breakable, column, paragraph, table, text, unbroken
from gradcli.report.loss_claims import CLAIM_LABELS, loss_claim_words
from gradcli.report.loss_curves import draw_curves
from gradcli.report.loss_distributions import draw_distributions
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report"]

_LABEL: Final = 22
"""Columns of a property's mark and name, and of the blanks around them."""


_WIDEST: Final = 120
_LEAST: Final = 11
"""Columns of a loss in a table."""


def draw_report(
    report: LossReport, surface: Surface, *, quiet: bool = False, with_frames: bool = True
) -> list[RenderableType]:
    """One loss in full, or several against each other; the outcome.

    `quiet` leaves out all but false claims and the outcome. `with_frames` shows spec errors in
    their source.
    """
    valid = [result for result in report.results if result.verdict != "invalid"]
    drawn: list[RenderableType] = []
    for result in report.results:
        if result.verdict == "invalid":
            drawn += _heading(result, surface)
            drawn += [*frames(result.errors, surface), Text()] if with_frames else []
    if quiet:
        drawn += [line for result in valid for line in _broken(result, surface)]
    elif any(result.comparison for result in valid):
        for result in valid:
            drawn += _heading(result, surface)
            if result.comparison is not None:
                drawn += [*draw_distributions(result.comparison, result.op, surface), Text()]
    elif len(valid) == 1:
        drawn += [*_one(valid[0], surface), Text()]
    elif valid:
        drawn += [*_several(valid, surface), Text()]
    style: Style = "bad" if report.exit_code != ExitCode.OK else "good"
    return [*drawn, *paragraph(surface, (words.exit_line(report), style))]


def _heading(result: LossResult, surface: Surface) -> list[Text]:
    status, style = words.loss_status(result)
    shown: Piece = (f"{status}  ", style) if status else ""
    options = words.options_of(result)
    named: Piece = f"{result.name}  ", "strong"
    where = f"  {result.spec}" if result.spec and result.spec != result.name else ""
    return paragraph(surface, shown, named, options, (where, "faint"), indent=2, hanging=True)


def _one(result: LossResult, surface: Surface) -> list[RenderableType]:
    """Formulas, curves, and every property with its mark."""
    drawn: list[RenderableType] = [
        *_heading(result, surface),
        *(paragraph(surface, result.summary, indent=2) if result.summary else []),
        Text(),
        *_formulas(result, surface),
        Text(),
        *draw_curves([result], surface),
        Text(),
        *paragraph(
            surface,
            ("Properties  ", "strong"),
            (words.how_known(result), "faint"),
            indent=2,
            hanging=True,
        ),
    ]
    for field, said in loss_claim_words(result.stated).items():
        drawn += _property(CLAIM_LABELS[field], said, surface, result, field)
    for label, said in words.seen(result):
        drawn += _property(label, said, surface, result)
    for warning in words.warnings(result):
        drawn += [Text(), *paragraph(surface, ("! ", "doubt"), warning, indent=2, hanging=True)]
    return drawn


def _formulas(result: LossResult, surface: Surface) -> list[Text]:
    drawn: list[Text] = []
    for field, name, formula in words.formulas(result):
        drawn += _property(name, formula, surface, result, field)
    return drawn


def _property(
    label: str, said: str, surface: Surface, result: LossResult, field: str = ""
) -> list[Text]:
    """A property, with its mark where it is claimed, and what a law has to say against it."""
    claim = result.claims.get(field)
    status = None if claim is None else words.claim_status(claim)
    head = f"  {' ' if status is None else status.symbol} {label}"
    lines = paragraph(surface, breakable(said, surface.width - _LABEL), label=head, indent=_LABEL)
    if status is not None and claim is not None and (against := words.why_not(claim, result)):
        lines += paragraph(surface, (against, status.style), indent=_LABEL)
    return lines


def _several(results: Sequence[LossResult], surface: Surface) -> list[RenderableType]:
    """What each is, their curves together, and their properties in one table."""
    drawn: list[RenderableType] = []
    for result in results:
        drawn += _heading(result, surface)
        said = breakable(result.formula, surface.width - 4)
        drawn += paragraph(surface, (said, "faint"), indent=4)
    drawn += [Text(), *draw_curves(results, surface), Text()]
    drawn += _compared(results, surface)
    for result in results:
        for warning in words.warnings(result):
            head: Piece = f"! {result.name}: ", "doubt"
            drawn += [Text(), *paragraph(surface, head, warning, indent=2, hanging=True)]
    return drawn


def _compared(results: Sequence[LossResult], surface: Surface) -> list[RenderableType]:
    """A row for each property, or where that is too wide a line for each loss."""
    rows, names = words.compared(results), words.short_names(results)
    labels = max((len(label) for label, _ in rows), default=0)
    width = (min(surface.width, _WIDEST) - 2 - labels) // len(results) - 2
    legend = paragraph(surface, (words.legend(results), "faint"), indent=2)
    if width >= _LEAST:
        headings = ["", *names]
        cells = [
            [text(surface, label), *(column(surface, *cell, width=width) for cell in row)]
            for label, row in rows
        ]
        drawn = table(surface, headings, cells, indent=2)
        if drawn is not None:
            return [drawn, *legend]
    indent = 4 + max(map(len, names)) + 2
    lines: list[RenderableType] = []
    for label, row in rows:
        lines.append(unbroken(surface, f"  {label}"))
        for name, pieces in zip(names, row, strict=True):
            lines += paragraph(surface, *pieces, label=f"    {name}", indent=indent)
    return [*lines, *legend]


def _broken(result: LossResult, surface: Surface) -> list[Text]:
    """Every claim that was found false."""
    return [
        line
        for field, claim in result.broken.items()
        for line in paragraph(
            surface,
            ("✗ ", "bad"),
            f"{result.name} {field}: {claim.message}",
            indent=2,
            hanging=True,
        )
    ]
