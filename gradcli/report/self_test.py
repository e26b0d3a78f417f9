"""What became of planted mistakes, as a table for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.gradcheck.self_test_report import KillRow, Mutant, SelfTest
from gradcli.report import markdown
from gradcli.report.layout import Piece, paragraph, table, text
from gradcli.report.surface import Style, Surface
from gradcli.report.words import plural

__all__ = ["draw_self_test", "markdown_self_test", "verdict_on"]

_SHOWN: Final = 8
"""Survivors, and mistakes that were caught and not named, that are listed; the JSON has all."""
_ALWAYS: Final = ("planted", "caught", "named")
_HEADINGS: Final = {"without_effect": "no effect"}


def verdict_on(self_test: SelfTest) -> str:
    """The outcome in a sentence."""
    total = self_test.total
    if not total.planted:
        return "self-test: nowhere to plant a mistake"
    said = f"self-test: {total.caught:,} of {plural(total.planted, 'planted mistake')} caught"
    said += f", {total.named:,} of them named"
    for number in ("without_effect", "undecided", "survived"):
        count = getattr(total, number)
        if count:
            said += f", {count:,} {number.replace('_', ' ')}"
    return said


def draw_self_test(self_test: SelfTest, surface: Surface, *, quiet: bool) -> list[RenderableType]:
    """The kill table by kind and by place; quiet, only what survived."""
    style: Style = "bad" if self_test.survivors else "good"
    if quiet and style == "good":
        return []
    drawn: list[RenderableType] = [Text()]
    drawn += paragraph(surface, (verdict_on(self_test), style), indent=2)
    if not quiet:
        for each in _tables(self_test):
            drawn += [Text(), *_drawn(each, surface)]
        for line in _notes(self_test):
            drawn += paragraph(surface, (f"  · {line}", "faint"), indent=4, hanging=True)
    for mutant in self_test.survivors[:_SHOWN]:
        head: Piece = "  ✗ survived  ", "bad"
        drawn += paragraph(surface, head, _told(mutant), indent=4, hanging=True)
    return drawn


def markdown_self_test(self_test: SelfTest) -> list[str]:
    """The same as blocks of Markdown."""
    blocks = [f"**{verdict_on(self_test)}**"]
    for each in _tables(self_test):
        cells = [[markdown.escaped(cell) for cell in row] for row in each.rows]
        blocks.append(markdown.table(each.headings, cells, right=each.right))
    lines = [f"- survived: {markdown.escaped(_told(m))}" for m in self_test.survivors[:_SHOWN]]
    lines += [f"- {markdown.escaped(line)}" for line in _notes(self_test)]
    return [*blocks, "\n".join(lines)] if lines else blocks


class _Table(NamedTuple):
    """Headings, rows, and the columns that hold numbers."""

    headings: list[str]
    rows: list[list[str]]
    right: range


def _tables(self_test: SelfTest) -> list[_Table]:
    """By kind, and those places of which there is something to say."""
    kinds = self_test.by_kind()
    odd = [row for row in self_test.by_place() if row.named < row.planted]
    tables = [_table(["code", "mistake"], kinds)] if kinds else []
    return [*tables, _table(["place"], odd)] if odd else tables


def _table(texts: list[str], rows: Sequence[KillRow]) -> _Table:
    """The columns that are always there, and others that are not all zero."""
    numbers = [
        number
        for number in KillRow.numbers()
        if number in _ALWAYS or any(getattr(row, number) for row in rows)
    ]
    return _Table(
        [*texts, *(_HEADINGS.get(number, number) for number in numbers)],
        [
            [row.code, row.group][-len(texts) :] + [f"{getattr(row, n):,}" for n in numbers]
            for row in rows
        ],
        range(len(texts), len(texts) + len(numbers)),
    )


def _drawn(each: _Table, surface: Surface) -> list[RenderableType]:
    """The table, or a paragraph a row where it is too wide."""
    cells = [[text(surface, cell) for cell in row] for row in each.rows]
    drawn = table(surface, each.headings, cells, right=each.right, indent=2)
    if drawn is not None:
        return [drawn]
    lines: list[RenderableType] = []
    for row in each.rows:
        counts = ", ".join(f"{row[i]} {each.headings[i]}" for i in each.right)
        said = f"  {' '.join(row[: each.right.start])}: {counts}"
        lines += paragraph(surface, said, indent=4, hanging=True)
    return lines


def _told(mutant: Mutant) -> str:
    return (
        f"{mutant.kind} ({mutant.code}) in {mutant.where}, gradient of {mutant.operand}: "
        f"{mutant.effect:.2g} times what is detectable"
    )


def _notes(self_test: SelfTest) -> list[str]:
    """What was left out, and how mistakes were called that were caught and not named."""
    why = "left out, since it fails already or nothing of it could be checked"
    notes = [f"{why}: {place}" for place in self_test.left_out]
    unnamed = [m for m in self_test.mutants if m.fate == "caught" and not m.named]
    notes += [
        f"{m.kind} ({m.code}) in {m.where}, gradient of {m.operand}, was caught "
        + (f"as {', '.join(m.found)}" if m.found else "and not traced")
        for m in unnamed[:_SHOWN]
    ]
    rest = len(unnamed) - _SHOWN
    if rest > 0:
        notes.append(f"{plural(rest, 'mistake')} more caught and not named, all in the JSON")
    more = len(self_test.survivors) - _SHOWN
    if more > 0:
        notes.append(f"{plural(more, 'survivor')} more, all in the JSON")
    return notes
