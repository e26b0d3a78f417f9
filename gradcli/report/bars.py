"""Numbers as a row of bars, one letter each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["bars", "decades"]

_LEVELS: Final = "▁▂▃▄▅▆▇█"
_SPREAD: Final = 0.3
"""Decades that a row of bars spans at least, so that what hardly changes is shown level."""


def bars(shares: Sequence[float]) -> str:
    """A bar for each share of the whole height, from 0 to 1; a cross for what is no number."""
    top = len(_LEVELS) - 1
    return "".join(
        _LEVELS[min(max(int(share * len(_LEVELS)), 0), top)] if math.isfinite(share) else "×"
        for share in shares
    )


def decades(values: Sequence[float], cells: int) -> str:
    """So many bars for the values, in decades from the least to the largest; "" for none.

    Several values share a bar by their geometric mean; zeros leave it blank.
    """
    known = [math.log10(value) for value in values if 0 < value < math.inf]
    if not known:
        return ""
    low, high = min(known), max(known)
    count = min(cells, len(values))
    drawn = []
    for cell in range(count):
        own = values[cell * len(values) // count : (cell + 1) * len(values) // count]
        logs = [math.log10(value) for value in own if 0 < value < math.inf]
        if logs:
            drawn.append(bars([(sum(logs) / len(logs) - low) / max(high - low, _SPREAD)]))
        else:
            drawn.append(" " if all(map(math.isfinite, own)) else "×")
    return "".join(drawn)
