"""How much of each tensor is checked: every entry while the budget lasts, of the rest a sample."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

__all__ = ["sample_size", "within_budget"]

Part = TypeVar("Part", bound=Hashable)

_SHARE = 8  # of the budget, one of so many parts goes into the sample of a tensor
_LEAST = 32
_MOST = 256


def within_budget(
    needed: Mapping[str, Mapping[Part, float]], budget: float
) -> tuple[frozenset[str], float]:
    """The tensors of which every entry is checked, cheapest first, and what these cost together.

    `needed` are the pieces of work that each tensor takes; what several need is paid once.
    """
    paid: dict[Part, float] = {}
    within = set()
    for name in sorted(needed, key=lambda name: sum(needed[name].values())):
        bill = {**paid, **needed[name]}
        if sum(bill.values()) <= budget:
            paid = bill
            within.add(name)
    return frozenset(within), sum(paid.values())


def sample_size(budget: float, entry: float) -> int:
    """How many entries of a large tensor are checked one by one, at this cost of each."""
    return int(min(max(budget / (_SHARE * max(entry, 1.0)), _LEAST), _MOST))
