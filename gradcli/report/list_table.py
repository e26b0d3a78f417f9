"""The catalogue as text for a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from rich.text import Text

from gradcli.analysis.catalogue import ListReport, Row
from gradcli.report.layout import paragraph, text, unbroken
from gradcli.report.surface import Surface
from gradcli.report.words import plural

__all__ = ["draw_report"]

_INDENT: Final = 2
_WIDEST: Final = 24
"""Columns beyond which a name stands on a line of its own."""


def draw_report(report: ListReport, surface: Surface, **_: bool) -> list[Text]:
    """Names with what they are; options and properties below."""
    lines: list[Text] = []
    for kind, group in groupby(report.results, key=lambda row: row.kind):
        rows = list(group)
        if lines:
            lines.append(Text())
        lines.append(unbroken(surface, (plural(len(rows), kind), "strong")))
        column = 2 * _INDENT + min(max(len(row.name) for row in rows), _WIDEST)
        for row in rows:
            lines += _row(row, column, surface)
    if not lines:
        lines.append(text(surface, "nothing of that kind"))
    return lines


def _row(row: Row, column: int, surface: Surface) -> list[Text]:
    label = f"{'':{_INDENT}}{row.name}"
    lines = []
    if len(label) > column - _INDENT:
        lines.append(unbroken(surface, label))
        label = ""
    lines += paragraph(surface, row.summary, indent=column, label=label)
    also = f"also {', '.join(row.aliases)}" if row.aliases else ""
    details = " · ".join(filter(None, (row.parameters, also, ", ".join(row.properties))))
    return lines + (paragraph(surface, (details, "faint"), indent=column) if details else [])
