"""What is known of each checked entry of a subject."""

from __future__ import annotations

from dataclasses import dataclass

from gradcli.analysis.gradcheck.rule import Gap
from gradcli.core.arrays import Array

__all__ = ["Evidence"]


@dataclass(eq=False, repr=False)
class Evidence:
    """The checked entries (E,): claim a, numeric value n between `low` and `high`, uncertainties.

    `low` and `high` differ at kinks only; `gap` is from a to them. `source` is the oracle that n
    is from.
    """

    checked: Array
    a: Array
    n: Array
    low: Array
    high: Array
    gap: Gap
    u: Array
    u_a: Array
    outcome: Array
    source: str
