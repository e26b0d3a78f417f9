"""Reports laid out by Rich: how text, paragraphs and tables look, and the one console.

Text reaches Rich only through `text`, as text: never as markup, and with nothing in it that a
terminal would obey. Nothing is ever cut off: a word that is longer than a line, such as a path,
stays whole and runs over.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Sequence
from typing import IO, Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text
from rich.theme import Theme

from gradcli.report.surface import Style, Surface

__all__ = [
    "Piece",
    "breakable",
    "column",
    "console_on",
    "draw",
    "end_of",
    "paragraph",
    "table",
    "table_width",
    "text",
    "unbroken",
]

Piece = str | tuple[str, Style]
"""Some text, in a style or in none."""

_PROSE: Final = 100
"""Columns after which prose is broken even where the terminal is wider."""

_THEME: Final = Theme(
    {
        "good": "green",
        "bad": "bold red",
        "doubt": "yellow",
        "faint": "dim",
        "strong": "bold",
        "first": "cyan",
        "second": "magenta",
        "third": "yellow",
        "fourth": "green",
        "fifth": "blue",
        "sixth": "red",
    }
)

_GAP: Final = 2
"""Blanks between the columns of a table."""


def console_on(
    surface: Surface, file: IO[str], *, record: bool = False, live: bool = False
) -> Console:
    """A console that draws for the surface and asks nobody else: no terminal, no environment.

    A `live` one may take back what it has drawn.
    """
    return Console(
        file=file,
        width=surface.width,
        height=25,
        theme=_THEME,
        color_system="standard" if surface.color else None,
        force_terminal=surface.color or live,
        force_jupyter=False,
        force_interactive=live,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        record=record,
        _environ={},
    )


def draw(renderables: Iterable[RenderableType], surface: Surface) -> str:
    """What is seen of them on the surface, without blanks at the ends of lines."""
    file = io.StringIO()
    console_on(surface, file).print(Group(*renderables), crop=False)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def text(surface: Surface, *pieces: Piece) -> Text:
    """The pieces one after the other."""
    styled = ((piece, "") if isinstance(piece, str) else piece for piece in pieces)
    return Text.assemble(*((surface.shown(string), style) for string, style in styled))


def unbroken(surface: Surface, *pieces: Piece) -> Text:
    """The pieces on one line, however long it is."""
    return _whole(text(surface, *pieces))


def end_of(string: str, room: int, surface: Surface) -> str:
    """The string, or what there is room for of its end, which tells the names of layers apart."""
    shown, dots = surface.shown(string), surface.shown("…")
    if cell_len(shown) <= room:
        return shown
    return dots + set_cell_size(shown[::-1], room - len(dots))[::-1]


def paragraph(
    surface: Surface,
    *pieces: Piece,
    indent: int = 0,
    label: Piece = "",
    hanging: bool = False,
) -> list[Text]:
    """The pieces in lines as wide as is good to read.

    The indent of the first line holds the label. A hanging paragraph begins without an indent.
    """
    body = text(surface, *map(_flowing, pieces))
    if hanging and body.cell_len <= surface.width:
        return [_whole(body)]
    width = min(surface.width, _PROSE)
    lines: list[Text] = []
    if hanging:
        lines, body = _first_of(body, width, surface)
    for line in _wrapped(body, width - indent, surface) if body or not lines else ():
        start = text(surface, "" if lines else label)
        start.pad_right(indent - start.cell_len)
        lines.append(start.append_text(line))
    return [_whole(line) for line in lines]


def breakable(formula: str, room: int) -> str:
    """The formula with blanks around the operators of those terms that are longer than a line."""
    return " ".join(
        re.sub(r"(?<!\*)([*/])(?!\*)", r" \1 ", term) if len(term) > room else term
        for term in formula.split()
    )


def column(surface: Surface, *pieces: Piece, width: int) -> Text:
    """The pieces as a cell of a table, in lines of at most this width."""
    return Text("\n").join(_wrapped(text(surface, *pieces), width, surface))


def _flowing(piece: Piece) -> Piece:
    """The piece without the line breaks of its source."""
    if isinstance(piece, str):
        return re.sub(r"\s*\n\s*", " ", piece)
    return re.sub(r"\s*\n\s*", " ", piece[0]), piece[1]


def _first_of(body: Text, width: int, surface: Surface) -> tuple[list[Text], Text]:
    """The first of the lines, and the rest of the body."""
    first = _wrapped(body, width, surface)[0]
    rest = body.plain[len(first) :].lstrip()
    return [first], body[len(body) - len(rest) :]


def _wrapped(body: Text, width: int, surface: Surface) -> list[Text]:
    """Rich's lines, but for words longer than those, which it would break."""
    console = console_on(surface, io.StringIO())
    lines: list[Text] = []
    start = 0
    for word in re.finditer(rf"\s*(\S{{{width + 1},}})\s*", body.plain):
        if word.start():
            lines += body[start : word.start()].wrap(console, width)
        lines.append(body[word.start(1) : word.end(1)])
        start = word.end()
    if start < len(body) or not lines:
        lines += body[start:].wrap(console, width)
    for line in lines:
        line.rstrip()
    return lines


def _whole(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ignore"
    return line


def table(
    surface: Surface,
    headings: Sequence[str],
    rows: Sequence[Sequence[Text]],
    *,
    right: Collection[int] = (),
    indent: int = 0,
) -> Table | None:
    """Rows under headings, the columns in `right` aligned there; None where it is too wide."""
    titles = [text(surface, (heading, "faint")) for heading in headings]
    widths = _widths([titles, *rows])
    if indent + _width(widths) > surface.width:
        return None
    # Told the widths, which are known by now, Rich need not measure every cell twice over; and
    # blanks within a cell cost it less than padding around one.
    gaps = [indent, *[_GAP] * (len(widths) - 1)]
    columns = [
        Column(
            _set_off(title, gap),
            justify="right" if i in right else "left",
            width=gap + width,
            no_wrap=True,
        )
        for i, (title, gap, width) in enumerate(zip(titles, gaps, widths, strict=True))
    ]
    drawn = Table(*columns, box=None, padding=0, pad_edge=False, header_style="")
    for row in rows:
        drawn.add_row(*map(_set_off, row, gaps))
    return drawn


def _set_off(cell: Text, gap: int) -> Text:
    lines = cell.split()
    for line in lines:
        line.pad_left(gap)
    return Text("\n").join(lines)


def table_width(surface: Surface, headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> int:
    """Columns that such a table takes, without its indent."""
    return _width(_widths([[text(surface, heading) for heading in headings], *rows]))


def _widths(rows: Iterable[Sequence[Text]]) -> list[int]:
    return [
        max(cell_len(line) for cell in column for line in cell.plain.split("\n"))
        for column in zip(*rows, strict=True)
    ]


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)
