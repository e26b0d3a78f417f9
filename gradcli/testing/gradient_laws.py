"""Value, pullback and formulas belong to one function."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.branches import record_branches
from gradcli.core.op import Activation, Loss, Term
from gradcli.testing.case import Case, Rows, Subject
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.numeric import EPS, complex_step, curvature, differences, jacobian
from gradcli.testing.points import kink_rows, moderate

__all__: list[str] = []

ROUNDING = 256 * EPS  # a few dozen operations on numbers of the stated size
STEPS = (1e-200, 1e-30)  # the imaginary part is an infinitesimal, however small
OVERFLOWS = 0.2  # share of the points at which a formula has to be finite, whatever its options
RESOLVED = 1e-6  # differences less certain than this would accept anything


def _size(rows: Rows, *parts: Array) -> Array:
    """The size of what enters a sum, per row: inputs and the given arrays."""
    entries = [np.abs(rows.x).max(axis=-1)]
    entries += [np.abs(part).reshape(len(rows), -1).max(axis=-1) for part in parts]
    return np.asarray(1 + np.maximum.reduce(entries))


def _as_written(rows: Rows, found: Array, written: Array, what: str) -> None:
    """Both agree wherever plain arithmetic as written does not overflow on the way."""
    finite = np.isfinite(written).all(axis=-1)
    if np.mean(finite) < OVERFLOWS:
        raise LawBroken(f"{what}: written so, it is not finite at most of the points")
    rows, found, written = rows[finite], found[finite], written[finite]
    require(found, written, ROUNDING * _size(rows, written)[:, None], what, rows)


@law("formula", Activation, Loss, Term)
def formula(case: Case) -> None:
    """The value is what the formula says."""
    for rows in moderate(case):
        value, written = case.subject.value(rows), case.subject.written(case.subject.formula, rows)
        _as_written(rows, value, np.broadcast_to(written, value.shape), "value against the formula")


@law("derivative formula", Activation, Loss, Term)
def derivative_formula(case: Case) -> None:
    """The pullback is the derivative as written."""
    subject, rng = case.subject, case.rng()
    for rows in moderate(case):
        value, pull = subject(rows)
        g = rng.standard_normal(value.shape)
        if subject.takes_g:
            written = subject.derivative_written(rows, g)
        else:
            written = g * subject.derivative_written(rows)
        slope = pull(g)
        written = np.broadcast_to(written, slope.shape)
        _as_written(rows, slope, written, "pullback against the derivative")


@law("complex step", Activation, Loss, Term)
def complex_steps(case: Case) -> None:
    """The pullback is the complex step of the value, with imaginary parts however tiny."""
    subject, rng = case.subject, case.rng()
    for rows in moderate(case):
        v = rng.standard_normal(rows.x.shape)
        slope = np.einsum("nij,nj->ni", jacobian(subject, rows), v)
        for step in STEPS:
            found = complex_step(subject, rows, v, step)
            allowed = ROUNDING * _size(rows, slope)[:, None]
            require(slope, found, allowed, f"pullback against a complex step of {step}", rows)


def _reach(subject: Subject, rows: Rows) -> Array:
    """How far a difference may step: a part of the scale, on one side of all kinks and ends."""
    reach: Array = np.maximum(1.0, np.abs(rows.x).max(axis=-1)) / 16
    if subject.group > 1:
        parts = list(subject.parts(rows.x).values())
        apart = [np.linalg.norm(a - b, axis=-1) for a, b in combinations(parts, 2)]
        return np.asarray(np.minimum(reach, 0.25 * np.minimum.reduce(apart)))
    place = subject.place(rows)
    for border in (*subject.kinks, *subject.domain):
        if np.isfinite(border):
            reach = np.minimum(reach, 0.9 * np.abs(place - border).min(axis=-1))
    return reach


def _one_branch(subject: Subject, rows: Rows, v: Array) -> Array:
    """Rows around which the widest step stays in one branch, along v and feature by feature."""
    same = np.ones(len(rows), np.bool_)
    for direction in (v, *np.eye(rows.x.shape[-1])):
        step = _reach(subject, rows)[:, None] * direction
        records = []
        for side in (-1, 1):
            with record_branches() as record:
                subject.value(rows.at(rows.x + side * step))
            records.append(record)
        for below, above in zip(*records, strict=True):
            same &= (below == above).reshape(len(rows), -1).all(axis=-1)
    return same


def _beside_bend(subject: Subject, rows: Rows) -> Array:
    """Rows where the second derivative jumps within the smallest step, which differences blur."""
    step = 1e-3 * _reach(subject, rows)[:, None]
    below, above = (curvature(subject, rows.at(rows.x + side * step)) for side in (-2, 2))
    return np.asarray(np.abs(above - below).max(axis=(1, 2, 3)) > 0.05)


def _compare_differences(case: Case, *, second: bool) -> None:
    subject, rng = case.subject, case.rng()
    for block in moderate(case):
        rows = block[_reach(subject, block) > 1e-3]
        v = rng.choice([-1.0, 1.0], rows.x.shape)
        kept = _one_branch(subject, rows, v)
        if second:
            kept[kept] = ~_beside_bend(subject, rows[kept])
        rows, v = rows[kept], v[kept]
        derivative = curvature(subject, rows) if second else jacobian(subject, rows)
        claimed = derivative @ v[:, None, :, None] if second else derivative @ v[:, :, None]
        claimed = claimed[..., 0]

        def function(at: Rows) -> Array:
            return jacobian(subject, at) if second else subject.value(at)

        found, uncertainty = differences(function, rows, v, _reach(subject, rows))
        scale = _size(rows, claimed).reshape((-1,) + (1,) * (found.ndim - 1))
        if np.mean(uncertainty <= RESOLVED * scale) < 0.9:
            raise LawBroken("the function is too rough for central differences")
        allowed = 4 * uncertainty + ROUNDING * scale
        what = "complex step of the pullback" if second else "pullback"
        require(claimed, found, allowed, f"{what} against central differences", rows)


@law("central differences", Activation, Loss, Term)
def central_differences(case: Case) -> None:
    """The pullback is the slope that real numbers show."""
    _compare_differences(case, second=False)


@law("complex pullback", Activation, Loss, Term)
def complex_pullback(case: Case) -> None:
    """The pullback carries imaginary parts: second derivatives as real numbers show them."""
    _compare_differences(case, second=True)


@law("linear in g", Activation, Loss, Term)
def linear(case: Case) -> None:
    """The pullback is linear in its cotangent, complex ones included."""
    rng = case.rng()
    for rows in moderate(case):
        value, pull = case.subject(rows)
        g, h = rng.standard_normal((2, *value.shape))
        first, second = pull(g), pull(h)
        allowed = ROUNDING * _size(rows, first, second)[:, None]
        require(pull(2 * g - 3 * h), 2 * first - 3 * second, allowed, "pullback of a sum", rows)
        for step in (1.0, *STEPS):
            carried = pull(g + 1j * step * h)
            require(carried.real, first, allowed, "real part of a complex cotangent", rows)
            imaginary = carried.imag / step
            require(imaginary, second, allowed, "imaginary part of a cotangent", rows)


@law("slope at kinks", Activation, Loss)
def slope_at_kinks(case: Case) -> None:
    """Exactly at a kink the pullback gives a slope between those of both sides."""
    offset = 1e-9
    at, below, above = (kink_rows(case, shift) for shift in (0.0, -offset, offset))
    if at is None or below is None or above is None:
        return
    slope, left, right = (jacobian(case.subject, rows) for rows in (at, below, above))
    middle, half = (left + right) / 2, np.abs(right - left) / 2
    require(slope, middle, half + 1e-6 * (1 + half), "slope at a kink", at)


@law("labels", Loss)
def labels(case: Case) -> None:
    """Labels mean the same as probabilities of one."""
    subject = case.subject
    if subject.reads != "classes":
        return
    for rows in moderate(case):
        if rows.y is None or rows.y.ndim > 1:
            continue
        as_probabilities = Rows(rows.x, subject.one_hot(rows))
        value = subject.value(rows)
        require(subject.value(as_probabilities), value, 0, "value of probabilities", rows)
        require(jacobian(subject, as_probabilities), jacobian(subject, rows), 0, "slope", rows)


@law("branches", Activation, Loss, Term)
def branches(case: Case) -> None:
    """The recorded branches change at the kinks, and nowhere else."""
    subject = case.subject
    if not subject.elementwise or subject.traits is None:
        return
    for rows in moderate(case, np.inf):
        places = subject.place(rows)[:, 0]
        expected = [any((a < k) != (b < k) for k in subject.kinks) for a, b in pairwise(places)]
        with record_branches() as record:
            subject.value(rows)
        changes = np.zeros(len(rows) - 1, np.bool_)
        for mask in record:
            changes |= mask[1:, 0] != mask[:-1, 0]
        if not np.array_equal(changes, expected):
            at = int(np.flatnonzero(changes != expected)[0])
            raise LawBroken(
                f"a branch {'is' if changes[at] else 'is not'} recorded between "
                f"{rows.describe(at)} and {rows.describe(at + 1)}"
            )
