"""Which branch each piecewise primitive took: how kinks are found without naming an op."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from gradcli.core.arrays import Mask
from gradcli.core.record import Record

__all__ = ["FixedBranch", "fixed_branches", "record_branches", "took_branch"]

_record: ContextVar[list[Mask] | None] = ContextVar("branches", default=None)
_fixed: ContextVar[Iterator[FixedBranch | None] | None] = ContextVar("fixed", default=None)


class FixedBranch(Record):
    """The branch that `units` take whatever their own condition says, where it is fixed."""

    units: Mask
    condition: Mask


def took_branch(condition: Mask) -> Mask:
    """The condition by which a piecewise primitive has to go: its own, unless it is fixed.

    It is noted if a recording is under way.
    """
    fixed = _fixed.get()
    branch = None if fixed is None else next(fixed)
    if branch is not None:
        condition = np.where(branch.units, branch.condition, condition)
    record = _record.get()
    if record is not None:
        record.append(condition)
    return condition


@contextmanager
def record_branches() -> Iterator[list[Mask]]:
    """Collect the conditions of all piecewise primitives evaluated in the block, in order."""
    record: list[Mask] = []
    token = _record.set(record)
    try:
        yield record
    finally:
        _record.reset(token)


@contextmanager
def fixed_branches(branches: Sequence[FixedBranch | None]) -> Iterator[None]:
    """Let the piecewise primitives evaluated in the block take these branches, in order.

    There is one for each primitive, None where it goes by its own condition; or none at all.
    """
    token = _fixed.set(iter(branches) if branches else None)
    try:
        yield
    finally:
        _fixed.reset(token)
