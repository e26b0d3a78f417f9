"""The kinds of mistakes that a self-test plants, each with the code that it has to be named by.

Each kind is one function: what it makes of the cotangent of one operand, or None where it makes no
sense. Nothing here knows what it is planted into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record

__all__ = ["Call", "Change", "Mistake", "Site", "mistakes"]


class Call(NamedTuple):
    """A pullback that is being called: the cotangent g it was given, and the operand's value x.

    `pull(g)` is the right cotangent of the operand for any g.
    """

    pull: Callable[[Array], Array]
    g: Array
    x: Array

    @property
    def right(self) -> Array:
        return self.pull(self.g)


Change = Callable[[Call], Array]


class Site(Record):
    """The operand whose cotangent a mistake is planted in.

    `rows` is the number of rows of the output that are summed over, 0 where none are; `shared` says
    that others contribute to the same gradient; `branch(x)` are the entries in one branch of the
    function; `part` is what a part of it contributes; `takes_cotangent` says that the cotangent is
    not always the same number, `is_called` that the pullback is a function that can do anything.
    `factor` is an option that a formula may forget or repeat, `single` whether it computes in
    float32.
    """

    shape: tuple[int, ...]
    rows: int = 0
    shared: bool = False
    branch: Callable[[Array], Mask] | None = None
    part: Array | None = None
    takes_cotangent: bool = False
    is_called: bool = False
    factor: float | None = None
    single: bool = False

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))


class Mistake(Record):
    """A kind of mistake at one site: what it is called, its code, and what it does."""

    kind: str
    code: str
    change: Change


class _AtLargest:
    """One entry times a factor: the largest at first, so that it is felt, and then the same."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._places: dict[tuple[int, ...], tuple[Any, ...]] = {}

    def __call__(self, call: Call) -> Array:
        changed = np.array(call.right)
        shape = changed.shape
        if shape not in self._places:
            self._places[shape] = np.unravel_index(int(np.abs(changed).argmax()), shape)
        changed[self._places[shape]] *= self._factor
        return changed


Kind = Callable[[Site], Change | None]
_KINDS: list[tuple[str, str, Kind]] = []


def mistakes(site: Site) -> Iterator[Mistake]:
    """Every mistake that makes sense at a site, in the order of the codes."""
    for name, code, kind in sorted(_KINDS, key=lambda each: each[1]):
        change = kind(site)
        if change is not None:
            yield Mistake(name, code, change)


def _kind(name: str, code: str) -> Callable[[Kind], Kind]:
    def enter(kind: Kind) -> Kind:
        _KINDS.append((name, code, kind))
        return kind

    return enter


@_kind("nonlinear in cotangent", "GC001")
def _nonlinear(site: Site) -> Change | None:
    return (lambda call: call.pull(call.g * np.abs(call.g))) if site.takes_cotangent else None


@_kind("one axis too many", "GC002")
def _wrong_shape(site: Site) -> Change | None:
    return (lambda call: call.right[None]) if site.is_called else None


@_kind("cut to whole numbers", "GC003")
def _whole_numbers(site: Site) -> Change | None:
    return (lambda call: call.right.astype(int)) if site.is_called else None


@_kind("not a number", "GC004")
def _nan(site: Site) -> Change | None:
    return _AtLargest(np.nan)


@_kind("another in each call", "GC005")
def _another(site: Site) -> Change | None:
    calls = count(1)
    return (lambda call: call.right * next(calls)) if site.is_called else None


@_kind("argument overwritten", "GC006")
def _in_place(site: Site) -> Change | None:
    def change(call: Call) -> Array:
        cotangent = call.right
        call.x[...] = 1.5 * call.x + 1
        return cotangent

    return change if site.is_called else None


@_kind("an exception", "GC007")
def _raises(site: Site) -> Change | None:
    def change(call: Call) -> Array:
        raise RuntimeError("a planted mistake")

    return change if site.is_called else None


@_kind("sign flipped", "GC101")
def _sign(site: Site) -> Change | None:
    return lambda call: -call.right


@_kind("doubled", "GC102")
def _doubled(site: Site) -> Change | None:
    return lambda call: 2 * call.right


@_kind("mean for batch sum", "GC102")
def _mean(site: Site) -> Change | None:
    return (lambda call: call.right / site.rows) if site.rows else None


@_kind("option as a factor", "GC102")
def _option(site: Site) -> Change | None:
    factor = site.factor
    return None if factor is None else (lambda call: factor * call.right)


@_kind("zero", "GC103")
def _zero(site: Site) -> Change | None:
    return None if site.shared else (lambda call: 0 * call.right)


@_kind("transposed", "GC104")
def _transposed(site: Site) -> Change | None:
    if len(site.shape) != 2 or site.shape[0] != site.shape[1] or site.size == 1:
        return None
    return lambda call: np.swapaxes(call.right, -1, -2).copy()


@_kind("clipped", "GC105")
def _clipped(site: Site) -> Change | None:
    if site.size < 3:
        return None

    def change(call: Call) -> Array:
        limit = np.partition(np.abs(call.right).ravel(), -2)[-2] / 2  # so that it cuts off two
        return np.clip(call.right, -limit, limit)

    return change


@_kind("one row for batch sum", "GC106")
def _one_row(site: Site) -> Change | None:
    if site.rows < 2:
        return None

    def change(call: Call) -> Array:
        first = np.zeros_like(call.g)
        first[0] = call.g[0]
        return call.pull(first)

    return change


@_kind("wrong in one branch", "GC107")
def _one_branch(site: Site) -> Change | None:
    branch = site.branch
    if branch is None:
        return None
    return lambda call: call.right * np.where(branch(call.x), 1.5, 1.0).astype(call.right.dtype)


@_kind("last row left out", "GC108")
def _last_row(site: Site) -> Change | None:
    if len(site.shape) < 2 or not 2 <= site.shape[0] < site.size:
        return None

    def change(call: Call) -> Array:
        cotangent = call.right.copy()
        cotangent[-1] = 0
        return cotangent

    return change


@_kind("one entry 10% off", "GC109")
def _one_entry(site: Site) -> Change | None:
    if site.size < 4:
        return None
    return _AtLargest(1.1)


@_kind("shifted by a place", "GC110")
def _shifted(site: Site) -> Change | None:
    if not site.shape or site.shape[-1] < 3:
        return None
    return lambda call: np.roll(call.right, 1, axis=-1)


@_kind("contribution missing", "GC111")
def _missing(site: Site) -> Change | None:
    part = site.part
    if part is not None:
        return lambda call: call.right - part
    return (lambda call: 0 * call.right) if site.shared else None


@_kind("rounded to float32", "GC112")
def _float32(site: Site) -> Change | None:
    if site.single:
        return None
    return lambda call: call.right.astype(np.float32).astype(call.right.dtype)


@_kind("rounded to float16", "GC112")
def _float16(site: Site) -> Change | None:
    def change(call: Call) -> Array:
        with np.errstate(over="ignore"):
            return call.right.astype(np.float16).astype(call.right.dtype)

    return change
