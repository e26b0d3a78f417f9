"""What a report is drawn on: its width, colour, and letters beyond ASCII."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, Any, Final, Literal, NamedTuple

from gradcli.report.characters import SYMBOLS, in_ascii, printable

__all__ = [
    "DEFAULT_WIDTH",
    "FILE",
    "PAGE",
    "Style",
    "Surface",
    "encodable",
    "is_terminal",
    "surface_of",
]

Status = Literal["", "good", "bad", "doubt", "faint", "strong"]
Style = Status | Literal["first", "second", "third", "fourth", "fifth", "sixth"]
"""What a piece of text means, or which of several curves it is; the colours are the theme's."""

DEFAULT_WIDTH: Final = 80
"""Columns of a pipe, and of a terminal that does not tell."""

_NARROWEST: Final = 40


class Surface(NamedTuple):
    """Its width in columns, and whether it shows colour and more than ASCII."""

    width: int = DEFAULT_WIDTH
    color: bool = False
    unicode: bool = True

    def shown(self, text: str) -> str:
        """The text as it can be shown here, whatever it holds."""
        return printable(text) if self.unicode else in_ascii(printable(text))


FILE: Final = Surface(width=100)
"""What a report in a file is drawn on."""

PAGE: Final = Surface()
"""What is drawn on within Markdown."""


def is_terminal(stream: IO[Any] | None) -> bool:
    """Whether somebody is watching the stream."""
    return stream is not None and not stream.closed and stream.isatty()


def surface_of(
    stream: IO[Any] | None, environment: Mapping[str, str], *, no_color: bool = False
) -> Surface:
    """The surface of a stream, from nothing but its arguments.

    Width: `COLUMNS`, else the terminal's, else 80. Colour: on a terminal that is not `dumb`, or
    where `FORCE_COLOR` is set; never with `no_color`, or with a `NO_COLOR` that is not empty
    (no-color.org).
    """
    terminal = is_terminal(stream)
    forced = environment.get("FORCE_COLOR", "") not in ("", "0")
    color = forced or (terminal and environment.get("TERM", "") != "dumb")
    return Surface(
        width=max(_NARROWEST, _columns(stream, environment, terminal)),
        color=color and not no_color and not environment.get("NO_COLOR"),
        unicode=encodable(SYMBOLS, stream),
    )


def _columns(stream: IO[Any] | None, environment: Mapping[str, str], terminal: bool) -> int:
    stated = environment.get("COLUMNS", "")
    if stated.isascii() and stated.isdigit() and 0 < int(stated[:5]) < 10_000:
        return int(stated)
    if terminal and stream is not None:
        try:
            return os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH
        except (OSError, ValueError):
            return DEFAULT_WIDTH
    return DEFAULT_WIDTH


def encodable(text: str, stream: IO[Any] | None) -> bool:
    """Whether the stream's encoding has every letter of the text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
