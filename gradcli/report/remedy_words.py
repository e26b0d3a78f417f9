"""What would mend a network's flow, in words and numbers."""

from __future__ import annotations

from typing import Final

from gradcli.analysis.flow.report import Clipping, FlowResult, Remedy
from gradcli.report.flow_words import number
from gradcli.report.surface import Style
from gradcli.report.words import Status, plural

__all__ = ["REMEDY_HEADINGS", "UNTRIED", "clipping_lines", "remedy_cells", "remedy_status"]

UNTRIED: Final = "not measured, since that would take long here; --remedies does"

REMEDY_HEADINGS: Final = ("remedy", "before", "after", "")


def remedy_status(remedy: Remedy) -> Status:
    """The verdict that the network has with the change."""
    symbols: dict[str, tuple[str, Style]] = {
        "healthy": ("✓", "good"),
        "undetermined": ("?", "doubt"),
    }
    symbol, style = symbols.get(remedy.verdict, ("✗", "bad"))
    return Status(symbol, remedy.verdict, style)


def remedy_cells(result: FlowResult, remedy: Remedy) -> tuple[str, str, str, str]:
    """A row under `REMEDY_HEADINGS`: the change, the totals, and the verdict with it."""
    verdict = str(remedy_status(remedy))
    if remedy.draws > 1:
        verdict += f", {plural(remedy.draws, 'draw')}"
    return remedy.change, number(result.log10_total), number(remedy.log10_total), verdict


def clipping_lines(clipping: Clipping) -> tuple[tuple[str, str], ...]:
    """What clipping does to the gradient of all parameters, by heading."""
    limit = f"{clipping.limit:g}"
    before, after = number(clipping.log10_norm), number(clipping.log10_clipped_norm)
    by_norm = f"by norm at {limit}: times {clipping.norm_factor:.3g}, the direction kept"
    by_value = (
        f"by value at {limit}: {clipping.clipped:.0%} of the entries cut, from 10^{before} to "
        f"10^{after}, at a cosine of {clipping.cosine:.3f} to the gradient"
    )
    return (("clipped", f"{by_norm}; {by_value}. Neither mends the flow between the layers"),)
