"""A rule's explanation as text for a terminal."""

from __future__ import annotations

from typing import Any, Final

from rich.text import Text

from gradcli.diagnostics.explanation import HEADINGS, key_of
from gradcli.report.layout import paragraph, unbroken
from gradcli.report.surface import Style, Surface

__all__ = ["draw_card"]

_STYLES: Final[dict[str, Style]] = {"error": "bad", "warning": "doubt", "note": "strong"}


def draw_card(card: dict[str, Any], surface: Surface) -> list[Text]:
    """The rule with its code and name, and a paragraph under each heading."""
    head = f"{card['code']} {card['name']}", _STYLES[card["severity"]]
    lines = [
        unbroken(surface, head, (f"  {card['severity']}", "faint")),
        *paragraph(surface, card["summary"]),
    ]
    for heading in HEADINGS:
        content = card[key_of(heading)]
        lines += [Text(), unbroken(surface, (heading, "strong"))]
        if heading == "Example":
            lines += [unbroken(surface, f"  {line}") for line in content.split("\n")]
        else:
            lines += paragraph(surface, content, indent=2)
    return lines
