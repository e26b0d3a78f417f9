"""Pieces of GitHub's Markdown in which foreign text stays text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gradcli.report.characters import printable

__all__ = ["code", "document", "escaped", "fenced", "prose", "table"]


def escaped(text: str) -> str:
    """The text with everything escaped that Markdown or HTML would take for markup."""
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", printable(text)).replace("<", "&lt;")


def prose(text: str) -> str:
    """Text of our own, whose `spans of code` are meant."""
    pieces = re.split(r"`([^`]+)`", text)
    return "".join(code(piece) if i % 2 else escaped(piece) for i, piece in enumerate(pieces))


def code(text: str) -> str:
    """The text as a code span, also within a table."""
    text = printable(text)
    fence = "`" * (1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def fenced(text: str) -> str:
    """The text as a block of code, in a fence longer than any within it."""
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; the columns numbered in `right` stand at their right edge."""
    rule = ["--:" if i in right else "---" for i in range(len(headings))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rule, *rows))


def document(blocks: Sequence[str], outcome: str) -> str:
    """The blocks, and the outcome below them."""
    return "\n\n".join([*blocks, f"**{escaped(outcome)}**"]) + "\n"
