"""Kinds of mistakes, as fits of a wrong gradient to the true one; a kind is named only if it fits.

The fits are tried in the order of their codes, and the first that explains every entry is it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record

__all__ = ["FITS", "Branch", "Diagnosis", "Mismatch"]

_FIT = 1e-6  # relative deviation of an entry up to which a fit explains it, or
_FIT_ULPS = 1024  # as many ulps, where these are more
_FLOOR = 1e-9  # of the largest entry: what is smaller says nothing against a fit
_SOLID = 1e-6  # of the largest entry: what is larger can carry a ratio
_FEW = 0.02  # share of the entries up to which wrong ones are isolated


class Diagnosis(Record):
    """A rule's code, what to say, and its numbers."""

    code: str
    message: str
    data: Mapping[str, Any] = MappingProxyType({})


class Branch(Record):
    """A condition of a formula, e.g. `x > 0`, and where its margin is above and below zero (E,)."""

    text: str
    above: Mask
    below: Mask


class Mismatch(Record):
    """A wrong tensor: claim a and truth n of its checked entries (E,), n within `doubt`.

    `wrong` marks the entries proven wrong, `right` those proven right; the arithmetic says nothing
    of the rest. Entries at kinks are left out. `index` (E, axes) says
    where each entry stands in `shape`. `factors` are named quantities that a factor may be;
    `whole_numbers` says that the claim cannot hold others.
    """

    a: Array
    n: Array
    doubt: Array
    wrong: Mask
    right: Mask
    shape: tuple[int, ...]
    index: Array
    eps: float = 2.0**-52
    factors: tuple[tuple[str, float], ...] = ()
    branches: tuple[Branch, ...] = ()
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
        slack = self.tolerance * np.abs(prediction) + 8 * self.doubt
        slack += np.where(self.wrong, 0.0, _FLOOR * self.largest)
        return bool(np.all(np.abs(self.a - prediction) <= slack))

    def array(self, values: Array) -> Array:
        """Entries in the shape of the tensor."""
        return values.reshape(self.shape)


Fit = Callable[[Mismatch], Diagnosis | None]


def _cut_to_whole_numbers(case: Mismatch) -> Diagnosis | None:
    if not case.whole_numbers or not any(
        case.explains(cut(case.n)) for cut in (np.trunc, np.rint, np.floor)
    ):
        return None
    count = int(case.wrong.sum())
    message = f"the gradient comes in whole numbers, so that {count} entries lose their fractions"
    return Diagnosis("GC003", message, {"entries": count})


def _constant_factor(case: Mismatch) -> Diagnosis | None:
    if not case.largest:
        return None
    solid = np.abs(case.n) > _SOLID * case.largest
    factor = float(np.median(case.a[solid] / case.n[solid]))
    if not case.explains(factor * case.n):
        return None
    rounded = float(f"{factor:.6g}")
    factor = rounded if abs(rounded - factor) <= case.tolerance * abs(factor) else factor
    count = int((case.n != 0).sum())
    name = _named(factor, case.factors, case.tolerance)
    if factor == 1 or (count == 1 and factor not in (0, -1) and name is None):
        return None  # any single entry is off by some factor
    if factor == 0:
        total, wrong = len(case.n), int(case.wrong.sum())
        message = f"the gradient is zero in all {total} entries, and should not be in {wrong}"
        return Diagnosis("GC103", message, {"entries": wrong})
    if factor == -1:
        message = f"the sign is flipped in all {count} entries that are not zero"
        return Diagnosis("GC101", message, {"factor": factor})
    message = f"exactly {factor:.6g} times what it should be in all {count} nonzero entries"
    if name is None:
        return Diagnosis("GC102", message, {"factor": factor})
    known = "" if name == f"{factor:g}" else f"; {factor:.6g} is {name}"
    return Diagnosis("GC102", message + known, {"factor": factor, "is": name})


def _named(factor: float, names: tuple[tuple[str, float], ...], tolerance: float) -> str | None:
    """The first known quantity that a factor equals, or is one over."""
    for name, value in names:
        if value and abs(factor - value) <= tolerance * abs(value):
            return name
    for name, value in names:
        if value not in (0, 1) and abs(factor * value - 1) <= tolerance:
            return f"1/{name}"
    return None


def _transposed(case: Mismatch) -> Diagnosis | None:
    if not case.whole or len(case.shape) != 2 or case.shape[0] != case.shape[1]:
        return None
    if not case.explains(case.array(case.n).T.ravel()):
        return None
    return Diagnosis("GC104", "the gradient is the transpose of what it should be")


def _clipped(case: Mismatch) -> Diagnosis | None:
    limit = float(np.abs(case.a).max())
    count = int(case.wrong.sum())
    if not limit or count < 2 or not case.explains(np.clip(case.n, -limit, limit)):
        return None
    message = f"{count} entries are cut off at ±{limit:.6g}, the others are right"
    return Diagnosis("GC105", message, {"limit": limit, "entries": count})


def _in_one_branch(case: Mismatch) -> Diagnosis | None:
    telling = case.right & (case.n != 0)
    for branch in case.branches:
        for side, words in ((branch.above, branch.text), (branch.below, f"not ({branch.text})")):
            if (case.wrong & ~side).any() or (telling & side).any() or not (telling & ~side).any():
                continue
            count = int(case.wrong.sum())
            message = f"wrong in all {count} points where {words}, and right in the others"
            return Diagnosis("GC107", message, {"branch": words, "entries": count})
    return None


def _rows_or_columns(case: Mismatch) -> Diagnosis | None:
    if not case.whole or len(case.shape) < 2 or case.wrong.all():
        return None
    wrong = case.array(case.wrong)
    silent = ~case.array(case.right & (case.n != 0))
    for axis, name in ((0, "row"), (len(case.shape) - 1, "column")):
        others = tuple(i for i in range(len(case.shape)) if i != axis)
        lines = np.flatnonzero(wrong.any(axis=others))
        whole = np.asarray((wrong | silent).all(axis=others))[lines]
        if len(lines) < case.shape[axis] and whole.all() and wrong.sum() > len(lines):
            listed = ", ".join(map(str, lines[:8])) + (", ..." if len(lines) > 8 else "")
            message = (
                f"wrong in the whole of {name}{'s' * (len(lines) > 1)} {listed}, right elsewhere"
            )
            return Diagnosis("GC108", message, {f"{name}s": [int(line) for line in lines[:32]]})
    return None


def _isolated(case: Mismatch) -> Diagnosis | None:
    count = int(case.wrong.sum())
    if count > max(1, _FEW * len(case.n)) or len(case.n) < 4:
        return None
    places = [[int(i) for i in place] for place in case.index[case.wrong][:8]]
    listed = ", ".join(map(str, places)) + (", ..." if count > 8 else "")
    message = f"{count} of {len(case.n)} entries {'is' if count == 1 else 'are'} wrong, at {listed}"
    return Diagnosis("GC109", message, {"entries": count, "indices": places})


def _permuted(case: Mismatch) -> Diagnosis | None:
    a, n = np.sort(case.a), np.sort(case.n)
    slack = case.tolerance * np.abs(n) + 8 * case.doubt[np.argsort(case.n)]
    if len(a) < 3 or not np.all(np.abs(a - n) <= slack) or np.ptp(n) <= 3 * slack.max():
        return None
    count = int(case.wrong.sum())
    return Diagnosis("GC110", f"the right values, {count} of them in the wrong places")


FITS: tuple[Fit, ...] = (
    _cut_to_whole_numbers,
    _constant_factor,
    _transposed,
    _clipped,
    _in_one_branch,
    _rows_or_columns,
    _isolated,
    _permuted,
)
