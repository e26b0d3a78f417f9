"""Checks of gradients that are Python functions, whatever these do inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from gradcli.analysis.gradcheck.options import check_options, stated_options
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.core.arrays import Array

__all__ = ["Arrays", "check_vjp", "gradcheck"]

Arrays = Array | Sequence[Any] | Mapping[str, Any] | float


def gradcheck(
    fun: Callable[..., Any],
    grad: Callable[..., Any] | Arrays,
    params: Arrays,
    *,
    require: str | float | None = None,
    entries: int | Literal["all"] | None = None,
    budget: float | None = None,
    seed: int = 0,
    name: str = "gradient",
) -> CheckReport:
    """Check grad(params) against differences of fun(params) -> float, whatever these do inside.

    `params` is an array, a list of arrays or a dict of arrays (scalars count as arrays of no axes);
    `grad` returns the same structure, or is it: the gradient at `params` alone, of which nothing
    can be asked beside a kink, where any slope between the one-sided ones is right.
    Integer arrays are passed along and not differentiated. Of arrays with so many entries that
    these would take more than the `budget` of multiply-adds, a sample is checked, and random
    projections of the whole; `entries="all"` checks all.
    Raises UsageError where `fun` itself cannot be evaluated at the point, and for options that
    make no sense.
    """
    from gradcli.analysis.gradcheck.from_python import check_scalar_function

    options = check_options(stated_options(require=require, entries=entries, budget=budget), seed)
    return check_scalar_function(fun, grad, params, options, name)


def check_vjp(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Arrays,
    *,
    require: str | float | None = None,
    entries: int | Literal["all"] | None = None,
    budget: float | None = None,
    seed: int = 0,
    name: str = "vjp",
) -> CheckReport:
    """Check backward(inputs, output, cotangent) against ⟨cotangent, forward(inputs)⟩.

    `inputs` is an array, a list or a dict of arrays; `forward` returns an array of any shape,
    or (array, saved), in which case saved is passed to `backward` as a fourth argument. `backward`
    returns cotangents in the structure of `inputs`. `entries` and `budget` are as for `gradcheck`.
    Raises UsageError where `forward` cannot be evaluated at the point, and for options that make no
    sense.
    """
    from gradcli.analysis.gradcheck.from_python import check_vector_function

    options = check_options(stated_options(require=require, entries=entries, budget=budget), seed)
    return check_vector_function(forward, backward, inputs, options, name)
