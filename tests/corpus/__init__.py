"""Functions with gradients, right and wrong, on which a gradient check shows what it is worth.

All are plain NumPy, nothing that gradcli knows. Every gradient is written by hand from the calculus
of its function; none comes from a check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gradcli
from gradcli.analysis.gradcheck.report import CheckReport

__all__ = ["Hard", "Planted", "check"]


class Hard(NamedTuple):
    """A function with its true gradient at a point where it is hard to measure.

    A scalar function of the point, or with `vector` a forward and its backward.
    """

    fun: Callable[..., Any]
    grad: Callable[..., Any]
    point: Any
    vector: bool = False


class Planted(NamedTuple):
    """A function with a wrong gradient beside the right one."""

    fun: Callable[..., Any]
    right: Callable[..., Any]
    wrong: Callable[..., Any]
    point: Any
    vector: bool = False


def check(
    fun: Callable[..., Any],
    grad: Callable[..., Any],
    point: Any,
    vector: bool = False,
    seed: int = 0,
) -> CheckReport:
    """The report on a case."""
    call = gradcli.check_vjp if vector else gradcli.gradcheck
    return call(fun, grad, point, seed=seed)
