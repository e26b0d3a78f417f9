"""Arrays that count the arithmetic done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import NOTHING, Operations, matrix_product

__all__ = ["Counting", "Tally", "count_operations"]


@dataclass
class Tally:
    """What has been counted so far."""

    operations: Operations = NOTHING


_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def count_operations() -> Iterator[Tally]:
    """Count what is done with `Counting` arrays in the block."""
    tally = Tally()
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


class Counting(np.ndarray[Any, Any]):
    """An array whose arithmetic, and that of whatever is computed from it, is counted.

    What counts is said in `gradcli.core.cost`.
    """

    @staticmethod
    def of(array: Array) -> Counting:
        return array.view(Counting)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        if "out" in named:
            named["out"] = tuple(_plain(array) for array in named["out"])
        plain = [_plain(value) for value in inputs]
        result = getattr(ufunc, method)(*plain, **named)
        if any(map(_is_floating, (*plain, result))):
            _add(_taken(ufunc, method, plain, result))
        return _counting(result)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        plain = [_plain(value) for value in args]
        result = func(*plain, **{name: _plain(value) for name, value in kwargs.items()})
        count = _FUNCTIONS.get(func.__name__)
        if count is not None and any(map(_is_floating, (*plain, result))):
            _add(Operations(elements=count(plain, result)))
        return _counting(result)


def _per_result(arguments: list[Any], result: Any) -> int:
    return int(np.size(result))


_FUNCTIONS: Final[dict[str, Callable[[list[Any], Any], int]]] = {
    "where": _per_result,
    "erfc": _per_result,
    "argmax": lambda arguments, result: int(np.size(arguments[0]) - np.size(result)),
}
"""Arithmetic of functions that are no ufuncs."""


def _taken(ufunc: Any, method: str, arguments: list[Any], result: Any) -> Operations:
    if ufunc is np.matmul:
        (*_, rows, inner), columns = arguments[0].shape, arguments[1].shape[-1]
        return matrix_product(rows, inner, columns).times(np.size(result) // (rows * columns))
    if method == "reduce":
        return Operations(elements=int(np.size(arguments[0]) - np.size(result)))
    if method == "at":
        return Operations(elements=int(np.size(arguments[2])))
    return Operations(elements=int(np.size(result)))


def _add(operations: Operations) -> None:
    tally = _tally.get()
    if tally is not None:
        tally.operations += operations


def _is_floating(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"


def _plain(value: Any) -> Any:
    if isinstance(value, Counting):
        return value.view(np.ndarray)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    return value


def _counting(result: Any) -> Any:
    if isinstance(result, np.ndarray):
        return Counting.of(result)
    if isinstance(result, (list, tuple)):
        return type(result)(map(_counting, result))
    return result
