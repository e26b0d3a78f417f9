"""Findings as lines of a report, and where to read what their codes mean."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from gradcli.diagnostics.finding import Finding
from gradcli.report.layout import paragraph
from gradcli.report.surface import Surface
from gradcli.report.words import SEVERITY

__all__ = ["finding_lines", "meanings"]


def finding_lines(found: Finding, surface: Surface) -> list[Text]:
    """The finding's code and place, and below it what it says."""
    symbol, style = SEVERITY[found.severity]
    place = f"  {found.file}:{found.line}" if found.file and found.line else ""
    head = f"  {symbol} {found.code} {found.name}", style
    where = f" in {found.where}{place}"
    return [
        *paragraph(surface, head, where, indent=4, hanging=True),
        *paragraph(surface, found.message, indent=4),
    ]


def meanings(findings: Iterable[Finding], surface: Surface) -> list[Text]:
    """The command that explains all of their codes; nothing without findings."""
    codes = sorted({found.code for found in findings})
    if not codes:
        return []
    said = f"what they mean: gradcli explain {' '.join(codes)}"
    return paragraph(surface, said, indent=2, hanging=True)
