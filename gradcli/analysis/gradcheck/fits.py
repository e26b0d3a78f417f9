"""Kinds of mistakes, as fits of a wrong gradient to the true one; a kind is named only if it fits.

The fits are tried in the order of their codes, and the first that explains every entry is it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.analysis.gradcheck.mismatch import Diagnosis, Mismatch
from gradcli.analysis.gradcheck.omissions import missing_batch_sum, missing_term
from gradcli.core.arrays import Array, Mask

__all__ = ["FITS"]

_SOLID = 1e-6  # of the largest entry: what is larger can carry a ratio
_FEW = 0.02  # share of the entries up to which wrong ones are isolated
_TELLING = 4  # entries on either side of a threshold that nobody stated, so that it is no accident
_SUDDEN = 0.2  # share of the median error that the smallest has where it sets in with a jump
_BFLOAT16_BITS = 8  # significant ones

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
    solid = np.abs(case.n) > np.maximum(_SOLID * case.largest, case.doubt)
    if not solid.any():
        return None
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
    below = case.right & (case.n != 0) & (np.abs(case.n) < (1 - case.tolerance) * limit)
    if not below.any():  # one number everywhere is another mistake
        return None
    message = f"{count} entries are cut off at ±{limit:.6g}, the others are right"
    return Diagnosis("GC105", message, {"limit": limit, "entries": count})


def _in_one_branch(case: Mismatch) -> Diagnosis | None:
    telling = case.right & (case.n != 0)
    for branch in case.branches:
        if _apart(case.wrong, telling, branch.holds):
            return _one_branch(case, branch.text)
    if min(case.wrong.sum(), telling.sum()) < _TELLING:
        return None
    a, n = case.a[case.wrong], case.n[case.wrong]
    error = np.abs(a - n) / np.maximum(np.abs(a), np.abs(n))
    if error.min() < _SUDDEN * np.median(error):
        return None
    wrong, right = case.x[case.wrong], case.x[telling]
    if wrong.min() > right.max():
        return _one_branch(case, f"{case.name} > {_shortest(right.max(), wrong.min())}")
    if wrong.max() < right.min():
        return _one_branch(case, f"{case.name} < {_shortest(wrong.max(), right.min())}")
    return None


def _apart(wrong: Mask, telling: Mask, side: Mask) -> bool:
    """Whether all wrong entries are on this side, and right ones on the other alone."""
    return not (wrong & ~side).any() and not (telling & side).any() and bool(telling.any())


def _one_branch(case: Mismatch, words: str) -> Diagnosis:
    count = int(case.wrong.sum())
    message = f"wrong in all {count} points where {words}, and right in the others"
    return Diagnosis("GC107", message, {"branch": words, "entries": count})


def _shortest(low: float, high: float) -> str:
    """The shortest number between two: a threshold that nobody wrote is likely a round one."""
    middle = 0.0 if low < 0 < high else (low + high) / 2
    for digits in range(1, 17):
        text = f"{middle:.{digits}g}"
        if low <= float(text) <= high:
            return text
    return repr(float(middle))


def _rows_or_columns(case: Mismatch) -> Diagnosis | None:
    if not case.whole or len(case.shape) < 2 or case.wrong.all():
        return None
    wrong = case.array(case.wrong)
    telling = case.array(case.right & (case.n != 0))
    for axis, name in ((0, "row"), (len(case.shape) - 1, "column")):
        others = tuple(i for i in range(len(case.shape)) if i != axis)
        lines = np.flatnonzero(wrong.any(axis=others))
        right = np.asarray(telling.any(axis=others))
        if right.any() and not right[lines].any() and wrong.sum() > len(lines):
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


def _low_precision(case: Mismatch) -> Diagnosis | None:
    if case.wrong.sum() < _TELLING:
        return None
    with np.errstate(over="ignore"):
        short = {
            "float32": case.n.astype(np.float32).astype(float),
            "float16": case.n.astype(np.float16).astype(float),
            "bfloat16": _bfloat16(case.n),
        }
    for name, rounded in short.items():
        lost = np.abs(rounded - case.n) > case.tolerance * np.abs(case.n)
        if (case.wrong & lost).sum() >= _TELLING and case.explains(rounded):
            return Diagnosis("GC112", f"the right values rounded to {name}", {"format": name})
    return None


def _bfloat16(values: Array) -> Array:
    fraction, exponent = np.frexp(values)
    rounded = np.rint(np.ldexp(fraction, _BFLOAT16_BITS))
    return np.asarray(np.ldexp(rounded, exponent - _BFLOAT16_BITS))


FITS: tuple[Fit, ...] = (
    _cut_to_whole_numbers,
    _constant_factor,
    _transposed,
    _clipped,
    missing_batch_sum,
    _in_one_branch,
    _rows_or_columns,
    _isolated,
    _permuted,
    missing_term,
    _low_precision,
)
