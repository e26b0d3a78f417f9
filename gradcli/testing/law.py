"""What a law is, and how one says that it is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Op
from gradcli.core.traits import NOT_STATED
from gradcli.testing.case import Case, Rows

__all__ = ["LAWS", "Law", "LawBroken", "LawUndecided", "law", "require"]


class LawBroken(AssertionError):
    """An op does not keep what it claims; the message names the worst point."""


class LawUndecided(LawBroken):
    """Floating point cannot show whether an op keeps its claim, at options too near to others."""


@dataclass(frozen=True)
class Law:
    """A statement about every op of some kinds. `check` raises LawBroken where it does not hold.

    A law `about` a trait says nothing about an op that does not state it.
    """

    name: str
    kinds: tuple[type[Op], ...]
    check: Callable[[Case], None]
    about: str | None

    def applies(self, case: Case) -> bool:
        if not isinstance(case.op, self.kinds):
            return False
        if self.about is None:
            return True
        return getattr(case.subject.traits, self.about, NOT_STATED) is not NOT_STATED


LAWS: dict[str, Law] = {}
"""Every law by name, filled when `gradcli.testing` is imported."""


def law(
    name: str, *kinds: type[Op], about: str | None = None
) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """Register a law about ops of these kinds, or about one trait of theirs."""

    def decorate(check: Callable[[Case], None]) -> Callable[[Case], None]:
        LAWS[name] = Law(name, kinds, check, about)
        return check

    return decorate


def require(
    found: Array,
    expected: Array | float,
    tolerance: Array | float,
    what: str,
    rows: Rows | None = None,
) -> None:
    """Raise LawBroken where `found` is farther from `expected` than `tolerance`, or not a number.

    The first axis of all arrays runs over the rows, if rows are given.
    """
    if np.ndim(expected) > 0 and np.shape(found) != np.shape(expected):
        raise LawBroken(f"{what}: shape {np.shape(found)} instead of {np.shape(expected)}")
    found, wanted, allowed = np.broadcast_arrays(found, expected, tolerance)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.where(found == wanted, 0.0, np.abs(found - wanted))
    wrong = ~(distance <= allowed)
    if not wrong.any():
        return
    excess = np.where(wrong, np.nan_to_num(distance / (allowed + 1e-300), nan=np.inf), -1.0)
    index = np.unravel_index(int(np.argmax(excess)), wrong.shape)
    place = f" at {rows.describe(int(index[0]))}" if rows is not None else ""
    raise LawBroken(
        f"{what}: {found[index].item()!r} instead of {wanted[index].item()!r}{place} "
        f"(within {allowed[index]:.3g}; {np.count_nonzero(wrong)} of {wrong.size} entries)"
    )
