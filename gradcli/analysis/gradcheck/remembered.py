"""Ladders of real differences that are climbed once, however many claims they are held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record
from gradcli.engine.ladder import Ladder

__all__ = ["RememberedLadders"]


class RememberedLadders:
    """What was found at the entries of one tensor, on the first ladder and the second."""

    def __init__(self) -> None:
        self._known: dict[bool, tuple[dict[int, int], Ladder]] = {}

    def climb(self, entries: Array, again: bool, climb: Callable[[Array], Ladder]) -> Ladder:
        """The ladders at some entries; `climb` is called for those that are not known yet."""
        places, known = self._known.get(again, ({}, None))
        missing = np.array([entry for entry in entries if int(entry) not in places], int)
        if known is None or len(missing):
            found = climb(missing)
            places |= {int(entry): len(places) + at for at, entry in enumerate(missing)}
            known = found if known is None else _joined(known, found)
            self._known[again] = places, known
        at = np.array([places[int(entry)] for entry in entries], int)
        chosen: Ladder = _mapped(lambda values: values[at], known)
        return chosen


def _joined(one: Any, other: Any) -> Any:
    return _mapped(lambda *values: np.concatenate(values), one, other)


def _mapped(of: Callable[..., Array], *values: Any) -> Any:
    """Records like the first with `of` applied to their arrays; counts of evaluations become 0."""
    first = values[0]
    if isinstance(first, np.ndarray):
        return of(*values)
    if not isinstance(first, Record):
        return 0
    fields = first.as_dict()
    return first.replace(**{n: _mapped(of, *(getattr(v, n) for v in values)) for n in fields})
