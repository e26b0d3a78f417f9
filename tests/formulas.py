"""Formulas in short, for tests of their language."""

from __future__ import annotations

import numpy as np

from gradcli.core.formula import Formula

__all__ = ["ROUNDING", "STEP", "formula", "gradient"]

ROUNDING = 1e-14  # a few dozen roundings of float64
STEP = 1e-200  # of the complex step: its square underflows to zero


def formula(text: str, *names: str) -> Formula:
    return Formula.parse(text, names or ("x", "y"))


def gradient(text: str, **env: object) -> dict[str, np.ndarray]:
    """Cotangents of all variables for a cotangent of ones."""
    value, pullback = formula(text, *env).value_and_pullback(env, list(env))  # type: ignore[arg-type]
    return pullback(np.ones_like(value))
