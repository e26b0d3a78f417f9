"""Assertions for tests of functions whose gradients are written by hand.

They fail with the diagnosis of `gradcli check`, at the line of the test that made them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from gradcli import api
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.calls.functions import Arrays
from gradcli.report.check_cases import cases

__all__ = ["assert_gradients", "assert_vjp"]

Entries = int | Literal["all"] | None


def assert_gradients(
    fun: Callable[..., Any],
    grad: Callable[..., Any] | Arrays,
    params: Arrays,
    *,
    require: str | float | None = None,
    entries: Entries = None,
    seed: int = 0,
    name: str = "gradient",
) -> CheckReport:
    """Assert that grad(params), or grad, is the gradient of fun(params); see `gradcli.gradcheck`.

    Returns the report. Raises AssertionError, with the diagnosis, where an entry is proven wrong,
    a contract is broken, or something could not be decided; UsageError where `fun` itself cannot be
    evaluated.
    """
    __tracebackhide__ = True
    report = api.gradcheck(
        fun, grad, params, require=require, entries=entries, seed=seed, name=name
    )
    _demand(report)
    return report


def assert_vjp(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Arrays,
    *,
    require: str | float | None = None,
    entries: Entries = None,
    seed: int = 0,
    name: str = "vjp",
) -> CheckReport:
    """Assert that backward(inputs, output, cotangent) is the pullback of forward(inputs).

    As `assert_gradients`; for the functions see `gradcli.check_vjp`.
    """
    __tracebackhide__ = True
    report = api.check_vjp(
        forward, backward, inputs, require=require, entries=entries, seed=seed, name=name
    )
    _demand(report)
    return report


def _demand(report: CheckReport) -> None:
    __tracebackhide__ = True
    red = [case for result in report.results for case in cases(result) if case.is_red]
    if red:
        raise AssertionError("\n\n".join(case.text or case.message for case in red))
