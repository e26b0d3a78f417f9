"""What is known of each checked entry of a subject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcli.analysis.gradcheck.differences import Differences
from gradcli.analysis.gradcheck.rule import Gap
from gradcli.core.arrays import Array, Mask

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

    def put(self, picked: Array, found: Differences, where: Mask | None = None) -> None:
        """Take the numeric values of some entries, or of those among them `where` it is said."""
        chosen = np.ones(len(picked), bool) if where is None else where
        for name in ("n", "low", "high", "u"):
            values = np.array(getattr(self, name))
            values[picked[chosen]] = getattr(found, name)[chosen]
            setattr(self, name, values)
        self.gap = Gap.between(self.a, self.low, self.high)
