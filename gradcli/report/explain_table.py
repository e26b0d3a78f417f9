"""Cards as text for a terminal."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from gradcli.analysis.catalogue import Card, ExplainReport
from gradcli.analysis.gradcheck.step_size import StepCurve
from gradcli.report.card_sections import Block, Head, Section, head, sections_of
from gradcli.report.layout import Piece, breakable, paragraph, unbroken
from gradcli.report.surface import Style, Surface

__all__ = ["draw_report"]

_STYLES: Final[dict[str, Style]] = {"error": "bad", "spec error": "bad", "warning": "doubt"}
_INDENT: Final = 2
_HANGING: Final = 4
_LABEL: Final = 24
"""Columns beyond which a label stands on a line of its own."""


def draw_report(report: ExplainReport, surface: Surface, **_: bool) -> list[Text]:
    """One card below the other, a blank line between them."""
    lines: list[Text] = []
    for card in report.results:
        lines += [*([Text()] if lines else []), *_card(card, surface)]
    return lines


def _card(card: Card | StepCurve, surface: Surface) -> list[Text]:
    title: Head = head(card)
    style = _STYLES.get(title.kind, "strong")
    kind: Piece = f"  {title.kind}", "faint"
    lines = paragraph(surface, (title.name, style), kind, indent=_HANGING, hanging=True)
    for section in sections_of(card):
        if section.heading:
            lines += [Text(), unbroken(surface, (section.heading, "strong"))]
        lines += _section(section, surface)
    return lines


def _section(section: Section, surface: Surface) -> list[Text]:
    indent = _INDENT if section.heading else 0
    labels = [len(block.label) for block in section.blocks if block.label]
    column = indent + min(max(labels, default=0), _LABEL) + _INDENT
    lines: list[Text] = []
    for number, block in enumerate(section.blocks):
        if not section.heading and number:
            lines.append(Text())
        lines += _block(block, indent, column, surface)
    return lines


def _block(block: Block, indent: int, column: int, surface: Surface) -> list[Text]:
    start = " " * indent
    if block.kind == "formula":
        block = block._replace(text=breakable(block.text, surface.width - column - _HANGING))
    if block.kind == "code":
        return [unbroken(surface, f"{start}{line}") for line in block.text.split("\n")]
    if block.label and len(block.label) > column - indent - _INDENT:
        return [
            unbroken(surface, f"{start}{block.label}"),
            *paragraph(surface, block.text, indent=column),
        ]
    if block.label:
        return paragraph(surface, block.text, indent=column, label=f"{start}{block.label}")
    if block.kind == "formula":
        return paragraph(surface, f"{start}{block.text}", indent=indent + _HANGING, hanging=True)
    return paragraph(surface, block.text, indent=indent + _INDENT * (block.kind == "note"))
