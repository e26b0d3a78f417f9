"""What an op costs: arithmetic and memory of one evaluation, and of its pullback.

The numbers are those of the code as it is, not of the least that would do; laws count and measure
them. An operation on floating-point numbers is one for each element of its result: a product, a
comparison, a selection, and a call of exp alike. A sum of n numbers takes n - 1, a product of
matrices (m, k) and (k, n) takes m·n·(2k - 1). Copies, and arithmetic on truth values and integers,
are free.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

from gradcli.core.record import Record

__all__ = ["NOTHING", "Cost", "Operations", "matrix_product", "per_element"]

Shape = tuple[int, ...]

Rate = int | tuple[int, int]
"""So many for each element, or for each element and besides for each row."""


class Operations(Record):
    """How many there are within products of matrices, and how many element by element.

    They are told apart since a processor does tens of the former in the time of one of the latter,
    which waits for memory.
    """

    products: int = 0
    elements: int = 0

    @property
    def total(self) -> int:
        return self.products + self.elements

    def __add__(self, other: Operations) -> Operations:
        return Operations(self.products + other.products, self.elements + other.elements)

    def times(self, count: int) -> Operations:
        return Operations(self.products * count, self.elements * count)


NOTHING: Final = Operations()


class Cost(Record, kw_only=True):
    """Cost of a node, a loss or a penalty for an input of one shape.

    `forward` is of the value, with all that is worked out for the pullback meanwhile, `backward` of
    the pullback: the cotangents of all inputs and parameters. `kept` are the numbers, and `flags`
    the truth values, that the pullback holds beside inputs, parameters, buffers and the output.
    `scratch` are the numbers held at most beside all that, and beside the cotangents that are
    returned, during either. An output that `is_view` is the input, seen otherwise, and takes no
    memory.
    """

    forward: Operations
    backward: Operations
    kept: int = 0
    flags: int = 0
    scratch: tuple[int, int] = (0, 0)
    is_view: bool = False


def matrix_product(rows: int, inner: int, columns: int) -> Operations:
    """The operations of a product of matrices (rows, inner) and (inner, columns)."""
    return Operations(products=rows * columns * (2 * inner - 1))


def per_element(
    forward: Rate,
    backward: Rate,
    *,
    kept: Rate = 0,
    flags: Rate = 0,
    scratch: tuple[Rate, Rate] = (0, 0),
    is_view: bool = False,
) -> Callable[..., Cost]:
    """The cost of an op that takes elements, and rows, one as the other."""

    def cost(shape: Shape, **_: Any) -> Cost:
        size, rows = prod(shape), prod(shape[:-1])

        def of(rate: Rate) -> int:
            each, row = rate if isinstance(rate, tuple) else (rate, 0)
            return each * size + row * rows

        return Cost(
            forward=Operations(elements=of(forward)),
            backward=Operations(elements=of(backward)),
            kept=of(kept),
            flags=of(flags),
            scratch=(of(scratch[0]), of(scratch[1])),
            is_view=is_view,
        )

    return cost
