"""What a pullback keeps alive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["Held", "held_by", "owner"]


class Held(NamedTuple):
    """Numbers and truth values in arrays."""

    numbers: int
    flags: int


def held_by(pullback: Any, beside: Iterable[Array]) -> Held:
    """What the variables of a function hold, all that they refer to included, `beside` these."""
    known = {id(owner(array)) for array in beside}
    numbers = flags = 0
    for array in _arrays(pullback, set()):
        if id(array) not in known:
            known.add(id(array))
            if array.dtype == np.bool_:
                flags += array.size
            else:
                numbers += array.size
    return Held(numbers, flags)


def owner(array: Array) -> Array:
    """The array that has the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _arrays(thing: Any, seen: set[int]) -> Iterator[Array]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield owner(thing)
        return
    for part in _parts(thing):
        yield from _arrays(part, seen)


def _parts(thing: Any) -> Iterable[Any]:
    if isinstance(thing, FunctionType):
        return [cell.cell_contents for cell in thing.__closure__ or ()]
    if isinstance(thing, partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    if isinstance(thing, dict):
        return thing.values()
    if isinstance(thing, Record):
        return vars(thing).values()
    return thing if isinstance(thing, (list, tuple)) else ()
