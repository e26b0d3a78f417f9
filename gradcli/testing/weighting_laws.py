"""What the engine relies on in a weighting of several heads' losses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.formula import Formula
from gradcli.core.op import Weighting
from gradcli.testing.case import Case
from gradcli.testing.law import LawBroken, law, require
from gradcli.testing.numeric import EPS

__all__: list[str] = []

ROUNDING = 64 * EPS  # a handful of operations on numbers of the stated size
STEP = 1e-200  # the imaginary part is an infinitesimal
VALUES = 7
LARGEST = 30.0  # of a loss


def _points(case: Case) -> Iterator[dict[str, Array]]:
    """Losses L of either sign, and what is learned about the task at its first value and beside."""
    op, rng = case.op, case.rng()
    assert isinstance(op, Weighting)
    for spread in (0.0, 1.0):
        learned = {
            name: np.full(1, value) + spread * rng.standard_normal(1)
            for name, value in op.weights(**case.options).items()
        }
        yield {"L": rng.uniform(-LARGEST, LARGEST, VALUES), **learned}


def _run(case: Case, point: dict[str, Array]) -> tuple[Array, tuple[Array, ...]]:
    """The value, and the pullback of a cotangent of ones."""
    op = case.op
    assert isinstance(op, Weighting)
    options = {name: value for name, value in case.options.items() if name != op.holds_tasks}
    value, pull = op.function(*point.values(), **options)
    pulled = pull(np.ones_like(value))
    return value, pulled if isinstance(pulled, tuple) else (pulled,)


@law("weighting formula", Weighting)
def weighting_formula(case: Case) -> None:
    """Value and slope in L are what the formulas say, and no slope depends on L: it is affine."""
    op = case.op
    assert isinstance(op, Weighting)
    for point in _points(case):
        value, (slope, *_) = _run(case, point)
        allowed = ROUNDING * (1 + np.abs(value) + np.abs(slope * point["L"]))
        for claim, found, what in (
            (op.formula, value, "value"),
            (op.derivative, slope, "slope in L"),
        ):
            formula = Formula.parse(claim(**case.options), set(point))
            env = {name: array for name, array in point.items() if name in formula.names}
            require(found, formula.evaluate(env) + 0 * point["L"], allowed, what)
        require(slope, slope[0], ROUNDING * np.abs(slope[0]), "slope at another L")


@law("weighting gradient", Weighting)
def weighting_gradient(case: Case) -> None:
    """The pullback to the loss and to all that is learned is the complex step of the value."""
    for point in _points(case):
        _, pulled = _run(case, point)
        for (name, array), slope in zip(point.items(), pulled, strict=True):
            moved, _ = _run(case, {**point, name: array + STEP * 1j})
            allowed = ROUNDING * (1 + np.abs(slope) + np.abs(point["L"] * pulled[0]))
            require(slope, moved.imag / STEP, allowed, f"cotangent of {name}")


@law("weighting precision", Weighting)
def weighting_precision(case: Case) -> None:
    """float32 in, float32 out, and arguments are left as they were."""
    for point in _points(case):
        narrow = {name: array.astype(np.float32) for name, array in point.items()}
        before = {name: array.copy() for name, array in narrow.items()}
        value, pulled = _run(case, narrow)
        if any(found.dtype != np.float32 for found in (value, *pulled)):
            raise LawBroken("float32 arguments leave float32")
        if not all(np.array_equal(before[name], array) for name, array in narrow.items()):
            raise LawBroken("an argument is changed")
