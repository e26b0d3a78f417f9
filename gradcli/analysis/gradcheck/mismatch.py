"""A wrong gradient beside the true one, and what a kind of mistake has to explain of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record

if TYPE_CHECKING:
    from gradcli.core.formula import Condition

__all__ = ["Branch", "Contribution", "Diagnosis", "Mismatch", "RowGradients"]

_FIT = 1e-6  # relative deviation of an entry up to which a fit explains it, or
_FIT_ULPS = 1024  # as many ulps, where these are more
_FLOOR = 1e-9  # of the largest entry: what is smaller says nothing against a fit,
_NOTHING = 1e-150  # nor does this where it is proven wrong, since the complex step loses digits


class Diagnosis(Record):
    """A rule's code, what to say, and its numbers."""

    code: str
    message: str
    data: Mapping[str, Any] = MappingProxyType({})


class Branch(Record):
    """A condition of a formula, e.g. `x > 0`, and where it holds beyond a tie (E,)."""

    text: str
    holds: Mask

    @classmethod
    def sides(cls, condition: Condition, margin: Array) -> tuple[Branch, Branch]:
        """Both sides of a place where a formula may have a kink, with its margin (E,)."""
        return cls(condition.above, margin > 0), cls(condition.below, margin < 0)


class Contribution(Record):
    """A part of the true gradient (E,), and how to say that it is missing."""

    part: str
    message: str
    values: Array


class RowGradients(Record):
    """The true gradient (E,) that single rows of the cotangent make.

    `suspects()` are the rows that alone make the whole of the claim; `of(row)` is the gradient of
    one of `count`.
    """

    count: int
    suspects: Callable[[], tuple[int, ...]]
    of: Callable[[int], Array]


class Mismatch(Record):
    """A wrong tensor: claim a and truth n of its checked entries (E,), n within `doubt`.

    `wrong` marks the entries proven wrong, `right` those proven right; the arithmetic says nothing
    of the rest. Entries at kinks are left out. `index` (E, axes) says where each entry stands in
    `shape`, and x (E,) what the tensor holds there. `factors` are named quantities that a factor
    may be, `branches` the conditions of the function, `contributions` what its gradient is the sum
    of, `by_row` what each row adds; `whole_numbers` says that the claim cannot hold others.
    """

    a: Array
    n: Array
    doubt: Array
    wrong: Mask
    right: Mask
    shape: tuple[int, ...]
    index: Array
    x: Array
    name: str = "x"
    eps: float = 2.0**-52
    factors: tuple[tuple[str, float], ...] = ()
    branches: tuple[Branch, ...] = ()
    contributions: Callable[[], tuple[Contribution, ...]] = tuple
    by_row: RowGradients | None = None
    whole_numbers: bool = False

    @property
    def largest(self) -> float:
        return float(np.abs(self.n).max(initial=0.0))

    @property
    def tolerance(self) -> float:
        """Relative deviation up to which a fit explains an entry, in the claim's precision."""
        return max(_FIT, _FIT_ULPS * self.eps)

    @property
    def whole(self) -> bool:
        """Whether every entry of the tensor is here."""
        return len(self.n) == prod(self.shape)

    def explains(self, prediction: Array) -> bool:
        """Whether a claim of `prediction` is what was found, in every entry."""
        if not np.isfinite(prediction).all():  # beyond a shorter format's range, say
            return False
        slack = self.tolerance * np.abs(prediction) + 8 * self.doubt
        slack += np.where(self.wrong, _NOTHING, _FLOOR) * self.largest
        return bool(np.all(np.abs(self.a - prediction) <= slack))

    def array(self, values: Array) -> Array:
        """Entries in the shape of the tensor."""
        return values.reshape(self.shape)
