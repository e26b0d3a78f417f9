"""How much memory a call holds."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

__all__ = ["memory_of"]

T = TypeVar("T")


def memory_of(call: Callable[[], T]) -> tuple[T, int]:
    """What a call returns, and the most bytes that it held at a time, its result included.

    It is called once before, so that what is made once and for all is there already.
    """
    call()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = call()
        return result, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
