"""Curves drawn with letters: dots of Braille for one, a mark for each of several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from rich.text import Text

from gradcli.report.layout import unbroken
from gradcli.report.surface import Style, Surface

__all__ = ["MARKS", "Line", "beside", "mark", "plot"]

_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a Braille letter, by row and column of its dots."""

_BRAILLE: Final = 0x2800

MARKS: Final = ("•o", "×x", "○*", "+", "◆#", "^")
"""A mark for each curve, and its stand-in where there is nothing but ASCII."""

STYLES: Final[tuple[Style, ...]] = ("first", "second", "third", "fourth", "fifth", "sixth")


_OUTGROWN: Final = 2.0
"""How many times larger than the others a curve may be before it is cut off."""


class Line(NamedTuple):
    """A curve through points whose x are equally spaced."""

    name: str
    x: Sequence[float]
    y: Sequence[float]

    def at(self, x: float) -> float:
        """The value at any x within, on straight lines between points; NaN outside."""
        first, last = self.x[0], self.x[-1]
        if not first <= x <= last:
            return math.nan
        place = (x - first) / (last - first) * (len(self.x) - 1)
        i = min(math.floor(place), len(self.x) - 2)
        return self.y[i] + (place - i) * (self.y[i + 1] - self.y[i])


class _Scale(NamedTuple):
    """Where numbers from `low` to `high` lie on so many rows or columns, the `cells`."""

    low: float
    high: float
    cells: int

    def place(self, value: float) -> int:
        """The row or column, counted from the low end, within bounds."""
        share = (value - self.low) / (self.high - self.low)
        return min(max(round(share * (self.cells - 1)), 0), self.cells - 1)

    def value(self, place: int) -> float:
        return self.low + (self.high - self.low) * place / (self.cells - 1)

    def finer(self, times: int) -> _Scale:
        return self._replace(cells=self.cells * times)


def mark(index: int, surface: Surface) -> tuple[str, Style]:
    """What the curve of this number is drawn with, and its style."""
    letters = MARKS[index % len(MARKS)]
    return letters[0 if surface.unicode else -1], STYLES[index % len(STYLES)]


def plot(
    lines: Sequence[Line], surface: Surface, *, title: str, across: str, width: int, height: int
) -> list[Text]:
    """The curves in a frame of this width, with ticks and the names of both axes."""
    up = _Scale(*_range(lines), height)
    ticks = {up.place(tick): _number(tick) for tick in _ticks(up.low, up.high, height // 2)}
    margin = max(map(len, ticks.values()))
    ends = min(line.x[0] for line in lines), max(line.x[-1] for line in lines)
    along = _Scale(*ends, width - margin - 2)
    canvas = _background(up, along, surface)
    (_dotted if len(lines) == 1 and surface.unicode else _marked)(canvas, lines, up, along, surface)
    drawn = [unbroken(surface, (title, "strong"))]
    for row in reversed(range(height)):
        label = ticks.get(row, "")
        edge = f"{label:>{margin}} {'┤' if label else '│'}"
        runs = groupby(canvas[row], key=lambda cell: cell[1])
        pieces = [("".join(letter for letter, _ in run), style) for style, run in runs]
        drawn.append(unbroken(surface, (edge, "faint"), *pieces))
    return [*drawn, *_foot(along, margin, across, surface)]


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    """From zero to the largest values; a curve that outgrows most others leaves the frame."""
    sizes = [[abs(y) for y in line.y if math.isfinite(y)] for line in lines]
    largest = sorted(max(size, default=0.0) for size in sizes)
    most = _OUTGROWN * next((size for size in largest[(len(lines) - 1) // 2 :] if size), 1.0)
    values = [max(-most, min(y, most)) for line in lines for y in line.y if math.isfinite(y)]
    low, high = min([0.0, *values]), max([0.0, *values])
    return (low, high) if low < high else (-1.0, 1.0)


Cell = tuple[str, Style]
Canvas = list[list[Cell]]


def _background(up: _Scale, along: _Scale, surface: Surface) -> Canvas:
    """Blank cells, with dots along the axes through zero."""
    dot: Cell = "·" if surface.unicode else ".", "faint"
    canvas: Canvas = [[(" ", "")] * along.cells for _ in range(up.cells)]
    if up.low < 0 < up.high:
        canvas[up.place(0.0)] = [dot if i % 2 else (" ", "") for i in range(along.cells)]
    if along.low < 0 < along.high:
        for row in canvas:
            row[along.place(0.0)] = dot
    return canvas


def _runs(line: Line, up: _Scale, along: _Scale) -> Iterator[tuple[int, int, int]]:
    """For each column the lowest and the highest row that the curve passes."""
    for i in range(along.cells):
        half = (along.high - along.low) / (along.cells - 1) / 2
        x = along.value(i)
        ends = (max(x - half, along.low), x, min(x + half, along.high))
        values = [y for y in map(line.at, ends) if math.isfinite(y)]
        if values and min(values) <= up.high and max(values) >= up.low:
            yield i, up.place(min(values)), up.place(max(values))


def _dotted(
    canvas: Canvas, lines: Sequence[Line], up: _Scale, along: _Scale, surface: Surface
) -> None:
    (line,) = lines
    bits: dict[tuple[int, int], int] = {}
    for column, lowest, highest in _runs(line, up.finer(4), along.finer(2)):
        for row in range(lowest, highest + 1):
            cell = row // 4, column // 2
            bits[cell] = bits.get(cell, 0) | _DOTS[3 - row % 4][column % 2]
    for (row, column), dots in bits.items():
        canvas[row][column] = chr(_BRAILLE + dots), STYLES[0]


def _marked(
    canvas: Canvas, lines: Sequence[Line], up: _Scale, along: _Scale, surface: Surface
) -> None:
    """Curves in one cell take turns from column to column."""
    passing: dict[tuple[int, int], list[int]] = {}
    for index, line in enumerate(lines):
        for column, lowest, highest in _runs(line, up, along):
            for row in range(lowest, highest + 1):
                passing.setdefault((row, column), []).append(index)
    for (row, column), those in passing.items():
        canvas[row][column] = mark(those[column % len(those)], surface)


def _foot(along: _Scale, margin: int, across: str, surface: Surface) -> list[Text]:
    """The axis below, with ticks, and its name at the end of the line of their numbers."""
    ticks = {along.place(tick): _number(tick) for tick in _ticks(along.low, along.high, 5)}
    rule = "".join("┬" if i in ticks else "─" for i in range(along.cells))
    numbers = [" "] * (along.cells + margin + 2)
    for place, number in ticks.items():
        start = margin + 2 + place - len(number.lstrip("-")) // 2 - number.startswith("-")
        start = max(0, min(start, len(numbers) - len(number)))
        numbers[start : start + len(number)] = number
    return [
        unbroken(surface, (f"{'':{margin}} └{rule}", "faint")),
        unbroken(surface, ("".join(numbers), "faint")),
        unbroken(surface, (f"{'':{margin + 2}}{across.center(along.cells)}", "faint")),
    ]


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, zero among them where it lies between."""
    step = _round_up((high - low) / max(most, 1))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _round_up(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step * (1 - 1e-9))


def _number(value: float) -> str:
    return f"{value:.6g}"


def beside(left: Sequence[Text], right: Sequence[Text], surface: Surface, gap: int) -> list[Text]:
    """Two drawings of equal height next to each other."""
    width = max(line.cell_len for line in left)
    drawn = []
    for first, second in zip(left, right, strict=True):
        line = first.copy()
        line.pad_right(width - line.cell_len + gap)
        drawn.append(unbroken(surface, "").append_text(line).append_text(second))
    return drawn
