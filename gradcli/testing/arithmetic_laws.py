"""What floating point may not do to an op."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Activation, Loss, Term
from gradcli.testing.case import Case, Rows, Subject
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.numeric import complex_step, curvature, jacobian
from gradcli.testing.points import FAR, GRADES, TAIL, border, extremes, grid
from gradcli.testing.precise import evaluate

__all__: list[str] = []

DTYPES = (np.float32, np.float64, np.complex128)
NUDGE = 1e-6
ULPS = 16.0  # a handful of roundings; the condition of the function itself comes on top
_TAILS = (-TAIL, -20.0, -5.0, -0.5, -1e-3, 1e-3, 0.5, 5.0, 20.0, TAIL)
_ROW_TAILS = (0.0, 0.5, TAIL)


@law("finite", Activation, Loss, Term)
def finite(case: Case) -> None:
    """Values and pullbacks are finite at ±800 and at the ends of a domain, and warn of nothing."""
    for dtype in DTYPES:
        spacing = float(np.finfo(dtype).eps)
        for block in extremes(case, (-FAR, -TAIL, 0.0, TAIL, FAR)) + border(case, spacing):
            rows = block.cast(dtype)
            try:
                with np.errstate(over="raise", divide="raise", invalid="raise"):
                    value, pull = case.subject(rows)
                    slope = pull(np.ones_like(value))
            except FloatingPointError as error:
                raise LawBroken(f"{np.dtype(dtype)} arithmetic: {error}") from error
            for what, found in (("value", value), ("pullback", slope)):
                if not np.isfinite(found).all():
                    row = int(np.argwhere(~np.isfinite(found))[0, 0])
                    place = rows.describe(row)
                    raise LawBroken(f"{np.dtype(dtype)} {what} at {place} is not finite")


@law("precision", Activation, Loss, Term)
def precision(case: Case) -> None:
    """float32 in, float32 out; float64 and complex128 likewise, whatever the cotangent's size."""
    for block in grid(case):
        for dtype in DTYPES:
            rows = block.cast(dtype)
            with np.errstate(over="ignore"):  # squares of 1e8 and more; float32 has few exponents
                value, pull = case.subject(rows)
                slope = pull(np.ones_like(value))
            for what, found in (("value", value), ("pullback", slope)):
                if found.dtype != dtype:
                    raise LawBroken(f"{what} is {found.dtype} for {np.dtype(dtype)} arguments")
            if slope.shape != rows.x.shape:
                raise LawBroken(f"pullback has shape {slope.shape} for {rows.x.shape}")


@law("arguments unchanged", Activation, Loss, Term)
def arguments_unchanged(case: Case) -> None:
    """Neither evaluation nor pullback writes into what it was given or has given."""
    for rows in grid(case):
        before = Rows(rows.x.copy(), None if rows.y is None else rows.y.copy())
        value, pull = case.subject(rows)
        kept, g = value.copy(), np.ones_like(value)
        first = pull(g).copy()
        same = [
            (rows.x, before.x, "input"),
            (value, kept, "value"),
            (g, np.ones_like(g), "cotangent"),
            (pull(g), first, "second pullback"),
        ]
        if rows.y is not None and before.y is not None:
            same.append((rows.y, before.y, "target"))
        for now, then, what in same:
            if not np.array_equal(now, then):
                raise LawBroken(f"the {what} is changed")


def _reference(subject: Subject, text: str, rows: Rows, row: int, g: Array | None) -> list[Decimal]:
    parts = {name: part.tolist() for name, part in subject.parts(rows.x[row]).items()}
    env: dict[str, Any] = {**parts, **subject.constants}
    targets = subject.one_hot(rows)
    if targets is not None:
        env["y"] = targets[row].tolist()
    if g is not None:
        env["g"] = g.tolist()
    return evaluate(text, env)


def _exact_slope(subject: Subject, rows: Rows, row: int, g: Array | None) -> list[Decimal]:
    """The derivative as written, those by all variables side by side."""
    width = rows.x.shape[-1] // subject.group
    written = [_reference(subject, each.text, rows, row, g) for each in subject.derivatives]
    return [entry for part in written for entry in (part * width if len(part) == 1 else part)]


def _accurate(
    found: float, exact: Decimal, condition: float, size: float, dtype: Any, what: str, place: str
) -> None:
    if abs(Decimal(float(found)) - exact) <= Decimal(ULPS * float(np.finfo(dtype).eps) * size):
        return
    smallest = float(np.finfo(dtype).tiny)
    if abs(exact) < smallest / np.finfo(dtype).eps:
        if abs(found) > smallest / np.finfo(dtype).eps * 2:
            raise LawBroken(f"{what} at {place}: {found!r} instead of {exact:.3e}")
        return
    error = float(abs((Decimal(float(found)) - exact) / exact))
    allowed = ULPS * float(np.finfo(dtype).eps) * (1 + condition)
    if not error <= allowed:
        raise LawBroken(
            f"{what} at {place}: {found!r} instead of {exact:.17e}, "
            f"relative error {error:.3g} (within {allowed:.3g})"
        )


def _condition(rows: Rows, derivative: Array, value: Array) -> Array:
    """How much a relative error of the inputs is magnified: Σ|x·∂f/∂x|/|f|."""
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.abs(derivative * np.expand_dims(rows.x, tuple(range(1, derivative.ndim - 1))))
        condition: Array = moved.sum(axis=-1) / np.abs(value)
    return np.nan_to_num(condition, nan=0.0)


@law("accurate in the tails", Activation, Loss, Term)
def accurate_in_tails(case: Case) -> None:
    """Relative to themselves, values and slopes are as exact as their inputs' rounding allows.

    Up to ±36, in float64, float32 and through the complex step, against decimals. The slopes of
    rows that belong together are differences, as exact as the largest of them allows.
    """
    subject = case.subject
    points = _TAILS if subject.elementwise else _ROW_TAILS
    for block in extremes(case, points):
        wide = block.cast(np.float32).cast(np.float64)  # the same numbers in every precision
        slopes = jacobian(subject, wide)
        value = subject.value(wide)
        on_value = _condition(wide, slopes, value)
        together = np.abs(slopes).max(axis=-1, keepdims=True) * (subject.group > 1)
        size = np.broadcast_to(together, slopes.shape)
        on_slope = _condition(wide, curvature(subject, wide), slopes)
        if (moved := _targets_moved(subject, wide)) is not None:
            on_value += _relative(subject.value(moved) - value, value)
            on_slope += _relative(jacobian(subject, moved) - slopes, slopes)
        values = _exact_values(subject, wide)
        exact_slopes = _exact_slopes(subject, wide, slopes.shape[1])
        for dtype in (np.float64, np.float32):
            rows = wide.cast(dtype)
            got = {"value": subject.value(rows), "pullback": jacobian(subject, rows)}
            _compare(rows, got["value"], values, on_value, dtype, "value")
            _compare(rows, got["pullback"], exact_slopes, on_slope, dtype, "pullback", size)
        for feature, unit in enumerate(np.eye(wide.x.shape[-1])):
            carried = complex_step(subject, wide, unit, 1e-10)
            exact = [[row[k][feature] for k in range(len(row))] for row in exact_slopes]
            _compare(
                wide,
                carried,
                exact,
                on_slope[..., feature],
                np.float64,
                "complex step",
                size[..., feature],
            )


@law("any cotangent in the tails", Activation)
def any_cotangent_in_tails(case: Case) -> None:
    """A pullback that mixes features is as exact for cotangents of all sizes as for units."""
    subject, rng = case.subject, case.rng()
    if not subject.takes_g:
        return
    for block in extremes(case, _ROW_TAILS):
        rows = block.cast(np.float32).cast(np.float64)
        slopes, bends = jacobian(subject, rows), curvature(subject, rows)
        graded = rng.permuted(np.full(rows.x.shape, GRADES[: rows.x.shape[-1]]), axis=-1)
        for g in (rng.standard_normal(rows.x.shape), graded):
            g = g.astype(np.float32).astype(np.float64)
            pulled = np.einsum("nk,nkj->nj", g, slopes)
            condition = _condition(rows, np.einsum("nk,nkji->nji", g, bends), pulled)
            with np.errstate(divide="ignore", invalid="ignore"):
                moved = np.einsum("nk,nkj->nj", np.abs(g), np.abs(slopes)) / np.abs(pulled)
            condition += np.nan_to_num(moved, nan=0.0)
            exact = [_exact_slope(subject, rows, row, g[row]) for row in range(len(rows))]
            for dtype in (np.float64, np.float32):
                found = subject(rows.cast(dtype))[1](g.astype(dtype))
                _compare(rows, found, exact, condition, dtype, "pullback")


def _targets_moved(subject: Subject, rows: Rows) -> Rows | None:
    """The rows with every target that may be rounded changed by a relative NUDGE, up and down."""
    if rows.y is None or subject.reads in ("events", "signs") or rows.y.dtype.kind in "iu":
        return None
    return Rows(rows.x, rows.y * (1 + NUDGE * (-1.0) ** np.arange(rows.y.shape[-1])))


def _relative(change: Array, value: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.abs(change / value) / NUDGE, nan=0.0)


def _exact_values(subject: Subject, rows: Rows) -> list[Any]:
    return [_reference(subject, subject.formula.text, rows, i, None) for i in range(len(rows))]


def _exact_slopes(subject: Subject, rows: Rows, outputs: int) -> list[Any]:
    """By row, output and feature."""
    width = rows.x.shape[-1]
    exact = []
    for i in range(len(rows)):
        units = np.eye(width)[:outputs] if subject.takes_g else [None]
        exact.append([_exact_slope(subject, rows, i, g) for g in units])
    return exact


def _compare(
    rows: Rows,
    found: Array,
    exact: list[Any],
    condition: Array,
    dtype: Any,
    what: str,
    size: Array | None = None,
) -> None:
    """Each entry against its reference, relative to itself or to its `size`."""
    sizes = np.zeros(found.shape) if size is None else size
    for index in np.ndindex(found.shape):
        reference = exact[index[0]]
        for position in index[1:]:
            reference = reference[position]
        place = rows.describe(index[0])
        moved = float(condition[index])
        _accurate(found[index].item(), reference, moved, float(sizes[index]), dtype, what, place)


@law("replicas of targets", Loss)
def replicas(case: Case) -> None:
    """Stacked predictions share the targets, and give what each gives alone."""
    subject, rng = case.subject, case.rng()
    for block in extremes(case, (-TAIL, 0.5, TAIL)):
        x = np.stack([block.x, block.x[::-1], rng.permutation(block.x)])
        value, pull = subject(block.at(x))
        g = rng.standard_normal(value.shape)
        slope = pull(g)
        for i in range(len(x)):
            alone, pull_alone = subject(block.at(x[i]))
            require(value[i], alone, 0, "value of a replica")
            require(slope[i], pull_alone(g[i]), 0, "pullback of a replica")
