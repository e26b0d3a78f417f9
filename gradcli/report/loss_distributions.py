"""Two distributions class by class, with what tells them apart, as text for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from gradcli.analysis.losses.report import Comparison
from gradcli.report.distribution_words import HEADINGS, share_rows, sum_words
from gradcli.report.layout import paragraph, table, text
from gradcli.report.surface import Surface

__all__ = ["draw_distributions"]

_COLUMNS: Final = (range(len(HEADINGS)), (0, 1, 2, 4, 5, 6, 7), (0, 1, 2, 5, 6), (0, 1, 2, 6))
"""Which columns are shown: as many as fit."""

_LABEL: Final = 19


def draw_distributions(compared: Comparison, loss: str, surface: Surface) -> list[RenderableType]:
    """A row for each class, the sums below, and what these mean."""
    rows = share_rows(compared)
    drawn: list[RenderableType] = [Text()]
    for columns in _COLUMNS:
        fitting = table(
            surface,
            [HEADINGS[i] for i in columns],
            [[text(surface, row[i]) for i in columns] for row in rows],
            right=range(1, len(columns)),
            indent=2,
        )
        if fitting is not None:
            drawn.append(fitting)
            break
    drawn.append(Text())
    for label, said in sum_words(compared, loss):
        drawn += paragraph(surface, said, label=(f"  {label}", "faint"), indent=_LABEL)
    return drawn
