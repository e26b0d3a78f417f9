"""Initializers draw what they claim, and every op is documented."""

from __future__ import annotations

import math

import numpy as np

from gradcli.core.op import Activation, Initializer, Loss, Op, OutputTerm
from gradcli.core.param import REQUIRED
from gradcli.core.references import REFERENCES
from gradcli.testing.case import Case
from gradcli.testing.law import LawBroken, law

__all__: list[str] = []

SIGMAS = 6.0  # a right claim fails once in a billion seeds, and seeds are fixed
FANS = ((40, 400), (400, 40), (200, 200))


@law("variance", Initializer)
def variance(case: Case) -> None:
    """Drawn weights have mean zero, unless constant, and the claimed variance.

    By the central limit theorem, with the sample's fourth moment; exactly where it is constant.
    """
    op = case.op
    assert isinstance(op, Initializer)
    if op.resolves or op.variance is None:
        return
    for fan_in, fan_out in FANS:
        claimed = op.variance(fan_in, fan_out, **case.options)
        drawn = op.function(case.rng(), (fan_out, fan_in), fan_in, fan_out, **case.options)
        if drawn.shape != (fan_out, fan_in):
            raise LawBroken(f"drew shape {drawn.shape} for {(fan_out, fan_in)}")
        if claimed == 0:
            if np.ptp(drawn) != 0:
                raise LawBroken("variance 0 is claimed, but the entries differ")
            continue
        mean_error = SIGMAS * math.sqrt(claimed / drawn.size)
        if abs(drawn.mean()) > mean_error:
            raise LawBroken(f"mean {drawn.mean():.3g} is farther from 0 than {mean_error:.3g}")
        found = float(np.mean(drawn**2))
        spread = SIGMAS * math.sqrt(max(float(np.mean(drawn**4)) - found**2, 0.0) / drawn.size)
        if abs(found - claimed) > spread:
            raise LawBroken(f"variance {claimed:.6g} is claimed, {found:.6g} ± {spread:.2g} found")


@law("reproducible", Initializer)
def reproducible(case: Case) -> None:
    """The same generator state draws the same float64 numbers, and nothing else is random."""
    op = case.op
    assert isinstance(op, Initializer)
    if op.resolves:
        return
    first, second = (op.function(case.rng(), (6, 4), 4, 6, **case.options) for _ in range(2))
    if first.dtype != np.float64 or not np.array_equal(first, second):
        raise LawBroken("two draws from the same seed differ, or are not float64")


@law("documented", Op)
def documented(case: Case) -> None:
    """There is a summary; sources are known; options are valid; formulas and traits are stated."""
    op = case.op
    if not op.summary:
        raise LawBroken("the function has no docstring")
    unknown = [key for key in op.references if key not in REFERENCES]
    if unknown:
        raise LawBroken(f"unknown references {unknown}")
    for param in op.params:
        values = [*param.sweep, *(() if param.default is REQUIRED else (param.default,))]
        for value in values:
            param.convert(value)
    if isinstance(op, OutputTerm):
        return
    if isinstance(op, (Activation, Loss)) and op.traits is None:
        raise LawBroken("no traits are stated")
