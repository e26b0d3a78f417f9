"""Text for a terminal of any width: paragraphs, tables, colour.

Drawn without Rich, whose import alone takes longer than checking a small spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

__all__ = [
    "Cell",
    "Column",
    "Line",
    "Style",
    "Surface",
    "cells",
    "draw",
    "paragraph",
    "plain",
    "printable",
    "table",
]

Style = Literal["", "good", "bad", "doubt", "faint", "strong"]

_ANSI: Final = {"good": "32", "bad": "1;31", "doubt": "33", "faint": "2", "strong": "1"}

_ASCII: Final = str.maketrans(
    {
        **{"✓": "+", "✗": "x", "·": "-", "×": "x", "±": "+/-", "…": "...", "–": "-", "→": "->"},
        **{"─": "-", "│": "|", "≤": "<=", "≥": ">=", "√": "sqrt", "½": "1/2", "ᵀ": "^T", "∂": "d"},
        **{"π": "pi", "ε": "eps", "−": "-", "²": "^2"},
        **{"█": "#", "▌": "=", "‖": "|", "₂": "2"},
    }
)

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Surface(NamedTuple):
    """What is drawn on: its width in columns, and whether it shows colour and more than ASCII."""

    width: int = 80
    color: bool = False
    unicode: bool = True


class Cell(NamedTuple):
    """A piece of text in one style."""

    text: str
    style: Style = ""


Line = Sequence[Cell]


class Column(NamedTuple):
    """A column's heading, and whether its cells stand at its right edge."""

    heading: str
    right: bool = False


def printable(text: str) -> str:
    """The text with tabs as spaces, and control characters, which a spec may hold, spelled out."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\t", "    "))


def cells(text: str) -> int:
    """Columns that the text takes: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(c) or c == "\u200d" else 1 + (east_asian_width(c) in "WF") for c in text
    )


def plain(line: Line) -> str:
    """The text of a line without its styles."""
    return "".join(cell.text for cell in line)


def draw(lines: Iterable[Line], surface: Surface) -> str:
    """The lines as text, each ended by a line feed and without blanks before it."""
    drawn = []
    for line in lines:
        pieces = [(printable(text), style) for text, style in line]
        while pieces and not pieces[-1][0].rstrip():
            pieces.pop()
        if pieces:
            pieces[-1] = (pieces[-1][0].rstrip(), pieces[-1][1])
        if surface.color:
            text = "".join(f"\x1b[{_ANSI[s]}m{t}\x1b[0m" if s and t else t for t, s in pieces)
        else:
            text = "".join(text for text, _ in pieces)
        drawn.append(text if surface.unicode else text.translate(_ASCII))
    return "".join(line + "\n" for line in drawn)


def paragraph(
    text: str, width: int, *, first: Line = (), indent: int = 0, style: Style = ""
) -> list[Line]:
    """Prose in lines of at most `width` columns: `first` begins the first, blanks the others.

    It is broken at blanks only, so that a path or a number stays whole even where it is too long.
    """
    lines: list[Line] = []
    start, line = list(first), ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        begun = bool(line) or cells(plain(start)) > indent
        if begun and cells(plain(start)) + cells(longer) > width:
            lines.append([*start, Cell(line, style)])
            start, longer = [Cell(" " * indent)], word
        line = longer
    return [*lines, [*start, Cell(line, style)]]


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int, indent: int = 2
) -> list[Line] | None:
    """Rows under headings, two blanks apart; None where that is wider than `width`."""
    widths = [
        max(cells(column.heading), *(cells(printable(row[i].text)) for row in rows), 0)
        for i, column in enumerate(columns)
    ]
    if indent + sum(widths) + 2 * (len(widths) - 1) > width:
        return None

    def aligned(row: Iterable[Cell]) -> Line:
        line = [Cell(" " * indent)]
        for column, taken, cell in zip(columns, widths, row, strict=True):
            blanks = " " * (taken - cells(printable(cell.text)))
            line += [Cell(blanks), cell] if column.right else [cell, Cell(blanks)]
            line.append(Cell("  "))
        return line

    heading = [Cell(column.heading, "faint") for column in columns]
    return [aligned(heading), *(aligned(row) for row in rows)]
