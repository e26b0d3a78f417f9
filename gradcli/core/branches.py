"""Which branch each piecewise primitive took: how kinks are found without naming an op."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gradcli.core.arrays import Mask

__all__ = ["record_branches", "took_branch"]

_record: ContextVar[list[Mask] | None] = ContextVar("branches", default=None)


def took_branch(condition: Mask) -> None:
    """Note the condition of a piecewise primitive if a recording is under way."""
    record = _record.get()
    if record is not None:
        record.append(condition)


@contextmanager
def record_branches() -> Iterator[list[Mask]]:
    """Collect the conditions of all piecewise primitives evaluated in the block, in order."""
    record: list[Mask] = []
    token = _record.set(record)
    try:
        yield record
    finally:
        _record.reset(token)
