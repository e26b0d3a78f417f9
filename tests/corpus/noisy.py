"""Correct gradients of functions with noise: float32 inside, rounding, iterations, draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from corpus import Hard
from corpus.points import (
    DATA32,
    F32,
    TARGET32,
    X,
    array,
    hilbert,
    logsumexp,
    softmax,
)
from gradcli.core.arrays import Array

__all__ = ["NOISY"]


def _root_by_bisection(x: Array, tolerance: float) -> float:
    """√ by bisection, down to an interval of `tolerance`."""
    total = 0.0
    for value in x:
        low, high = 0.0, 2.0
        while high - low > tolerance:
            middle = (low + high) / 2
            low, high = (middle, high) if middle**2 < value else (low, middle)
        total += low
    return total


def _linear32(w: Array) -> Any:
    return np.mean((DATA32 @ w - TARGET32) ** 2)


NOISY: dict[str, Hard] = {
    "float32": Hard(lambda x: np.sin(x).sum(), np.cos, F32),
    "float32, a mean of many": Hard(
        lambda x: (x**2).mean(), lambda x: 2 * x / x.size,
        np.random.default_rng(4).standard_normal(300).astype(np.float32),
    ),
    "float32, log-sum-exp": Hard(logsumexp, softmax, 10 * F32),
    "float32, least squares": Hard(
        _linear32, lambda w: 2 * DATA32.T @ (DATA32 @ w - TARGET32) / np.float32(20), F32[:4]
    ),
    "float32 on 1e4": Hard(lambda x: np.float32(1e4) + np.sin(x).sum(), np.cos, F32),
    "float32, small slopes": Hard(
        lambda x: np.float32(1e-6) * np.sin(x).sum(), lambda x: np.float32(1e-6) * np.cos(x), F32
    ),
    "float32, a difference that cancels": Hard(
        lambda x: np.tanh(x).sum(), lambda x: 1 - np.tanh(x) ** 2, 3 * F32
    ),
    "float32, relu at zero": Hard(
        lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0).astype(np.float32),
        np.array([0, 1, -1e-6], np.float32),
    ),
    "float32, through float64": Hard(
        lambda x: float(np.sin(x.astype(float)).sum()),
        lambda x: np.cos(x.astype(float)).astype(np.float32), F32,
    ),
    "float32, ill-conditioned": Hard(
        lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.inv(x).T,
        hilbert(4).astype(np.float32),
    ),
    "float32 inside": Hard(lambda x: float(np.sin(x.astype(np.float32)).sum()), np.cos, X),
    "float32 result": Hard(lambda x: np.float32(np.sin(x).sum()), np.cos, X),
    "float16 inside": Hard(lambda x: float(np.sin(x.astype(np.float16)).sum()), np.cos, X),
    "rounded to 8 places": Hard(lambda x: round(float(np.sin(x).sum()), 8), np.cos, X),
    "rounded to 4 places": Hard(lambda x: round(float(np.sin(x).sum()), 4), np.cos, X),
    "as printed": Hard(lambda x: float(f"{np.exp(x).sum():.6g}"), np.exp, X),
    "noise of 1e-10": Hard(
        lambda x: np.sin(x).sum() + 1e-10 * np.sin(1e18 * x.sum()), np.cos, X
    ),
    "noise of 1e-5": Hard(lambda x: np.sin(x).sum() + 1e-5 * np.sin(1e18 * x.sum()), np.cos, X),
    "bisection to 1e-9": Hard(
        lambda x: _root_by_bisection(x, 1e-9), lambda x: 0.5 / np.sqrt(x), array(0.7, 1.3)
    ),
    "mean over fixed draws": Hard(
        lambda x: np.exp(np.random.default_rng(0).standard_normal((500, 4)) @ x).mean(),
        lambda x: _draws_gradient(x), X / 4,
    ),
    "sum of many terms": Hard(
        lambda x: sum(math.sin(x[0] * k) / k for k in range(1, 2000)),
        lambda x: array(sum(math.cos(x[0] * k) for k in range(1, 2000))), array(0.3),
    ),
}  # fmt: skip


def _draws_gradient(x: Array) -> Array:
    z = np.random.default_rng(0).standard_normal((500, 4))
    return np.asarray(z.T @ np.exp(z @ x) / 500)
