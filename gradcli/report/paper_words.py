"""Published numbers and measured ones in words: shared by every rendering of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from gradcli.analysis.flow.paper import PaperReport, PaperRow
from gradcli.errors import ExitCode
from gradcli.report.characters import NOTHING
from gradcli.report.words import Status, plural

__all__ = [
    "HEADINGS",
    "LEGEND",
    "Group",
    "cells",
    "exit_line",
    "groups",
    "remarks",
    "status_of",
]

HEADINGS: Final = ("published", "theory", "measured", "band")

LEGEND: Final = (
    "theory: the number as computed, which has to agree to the last digit published, but for what "
    "a note says; of a single draw, it has to lie in the band; band: where "
    "the published number has to lie for what the draws show and a network of this size leaves "
    "open (99.99 %); χ: the factor that a layer puts on the squared gradient"
)

_DIGITS: Final = 6
_MOST_DECIMALS: Final = 4
"""Of the ends of a band; of a narrower one its width says more."""


class Group(NamedTuple):
    """The rows of one network, with what it is."""

    network: str
    makeup: str
    source: str
    rows: list[PaperRow]


def groups(report: PaperReport, *, only_wrong: bool = False) -> Iterator[Group]:
    """The rows by network, or those that do not match."""
    rows = report.mismatches if only_wrong else report.results
    for (network, *_), group in groupby(rows, lambda row: (row.network, row.batch, row.depth)):
        own = list(group)
        sources = dict.fromkeys(row.source for row in own)
        yield Group(network, _makeup(own), "; ".join(sources), own)


def _makeup(rows: list[PaperRow]) -> str:
    first, draws = rows[0], max(row.draws for row in rows)
    if not draws:
        return "computed"
    examples = plural(first.batch, "example")
    return f"{first.depth} of {first.width}, {examples}, {plural(draws, 'draw')}"


def status_of(row: PaperRow) -> Status:
    """Whether the row matches."""
    return Status("✗", "MISMATCH", "bad") if row.mismatches else Status("✓", "match", "good")


def cells(row: PaperRow) -> tuple[str, str, str, str]:
    """What stands under `HEADINGS`."""
    published = f"≤ {row.written}" if row.is_bound else row.written
    theory = NOTHING if row.theory is None else _beside(row.theory, row.written)
    if row.measured is None or row.band is None:
        return published, theory, NOTHING, NOTHING
    low, high = row.band
    width = high - low
    decimals = max(2, 1 - math.floor(math.log10(width))) if 0 < width < math.inf else _DIGITS
    exact = decimals > _MOST_DECIMALS
    ends = [f"{value + 0.0:.{min(decimals, _DIGITS)}f}" for value in (row.measured, low, high)]
    band = f"± {width / 2:.0e}" if exact else " to ".join(ends[1:])
    return published, theory, ends[0], NOTHING if row.is_bound else band


def _beside(value: float, written: str) -> str:
    """A computed number with a digit more than the published one."""
    _, point, decimals = written.partition(".")
    return f"{value:.{len(decimals) + 1}f}" if point else f"{value + 0.0:.{_DIGITS}g}"


def remarks(row: PaperRow) -> list[str]:
    """What does not match, and what else there is to say."""
    said = []
    if "measured" in row.mismatches:
        said.append(
            "measured above what is published as a bound"
            if row.is_bound
            else "what is published lies outside the band of what is measured"
        )
    if "theory" in row.mismatches:
        said.append(
            "theory lies outside the band of what is measured"
            if row.drawn
            else f"theory differs in a digit that is published: {row.theory:.10g}"
        )
    return said + ([row.note] if row.note else [])


def exit_line(report: PaperReport) -> str:
    """The exit code with its reason."""
    wrong = len(report.mismatches)
    found = (
        f"{plural(wrong, 'published number')} of {len(report.results)} not matched"
        if wrong
        else f"all {plural(len(report.results), 'published number')} matched"
    )
    if report.exit_code == ExitCode.INTERRUPTED:
        known = len(report.results)
        return f"exit 130: interrupted after {known} of {report.of}" + (
            f"; {found}" if known else ""
        )
    return f"exit {int(report.exit_code)}: {found}"
