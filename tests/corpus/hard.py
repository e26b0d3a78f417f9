"""Correct gradients that are hard to confirm: kinks, scales, flat and steep places, noise."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from corpus import Hard
from corpus.layers import LAYERS
from corpus.noisy import NOISY
from corpus.points import (
    DATA,
    TARGET,
    X,
    array,
    hilbert,
    logsumexp,
    one_hot,
    sigmoid,
    softmax,
)
from gradcli.core.arrays import Array

__all__ = ["HARD"]

KINKS: dict[str, Hard] = {
    "relu at zero": Hard(
        lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0, array(0, 1, -1, 0)
    ),
    "relu at zero, other slope": Hard(
        lambda x: np.maximum(x, 0).sum(), lambda x: (x >= 0) * 1.0, array(0, 1, -1, -0.0)
    ),
    "relu near zero": Hard(
        lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0, array(1e-8, -1e-8, 1e-12, -1e-5)
    ),
    "abs near zero": Hard(lambda x: np.abs(x).sum(), np.sign, array(1e-8, -1e-8, 1e-12, 2)),
    "abs at zero": Hard(lambda x: np.abs(x).sum(), np.sign, array(0, 0, 1)),
    "abs at zero, slope at the end": Hard(
        lambda x: np.abs(x).sum(), lambda x: np.where(x < 0, -1.0, 1.0), array(0, -1, 1)
    ),
    "tie of max, all to one": Hard(lambda x: x.max(), lambda x: one_hot(x.argmax(), 4), np.ones(4)),
    "tie of max, shared": Hard(
        lambda x: x.max(), lambda x: (x == x.max()) / (x == x.max()).sum(), np.ones(4)
    ),
    "tie of max, two of three": Hard(
        lambda x: x.max(), lambda x: one_hot(x.argmax(), 3), array(0.3, 2, 2)
    ),
    "nearly a tie": Hard(
        lambda x: x.max(), lambda x: one_hot(x.argmax(), 3), array(1, 1 + 1e-9, 0.5)
    ),
    "tie of min": Hard(lambda x: x.min(), lambda x: one_hot(x.argmin(), 3), array(-1, -1, 5)),
    "hinge at its margin": Hard(
        lambda x: np.maximum(0, 1 - x).sum(), lambda x: np.where(x < 1, -1.0, 0), array(1, 2, 0.5)
    ),
    "hinge within 1e-9 of its margin": Hard(
        lambda x: np.maximum(0, 1 - x).sum(), lambda x: np.where(x < 1, -1.0, 0),
        array(1 - 1e-9, 1 + 1e-9),
    ),
    "squared hinge at its margin": Hard(
        lambda x: (np.maximum(0, 1 - x) ** 2).sum(), lambda x: -2 * np.maximum(0, 1 - x),
        array(1, 2, 0.5, 1 - 1e-7),
    ),
    "huber at its delta": Hard(
        lambda x: np.where(np.abs(x) <= 1, x * x / 2, np.abs(x) - 0.5).sum(),
        lambda x: np.clip(x, -1, 1), array(1, -1, 1 + 1e-8, 0.3),
    ),
    "pinball at zero": Hard(
        lambda x: np.maximum(0.9 * x, -0.1 * x).sum(), lambda x: np.where(x > 0, 0.9, -0.1),
        array(0, 1e-9, -2),
    ),
    "leaky relu at zero": Hard(
        lambda x: np.where(x > 0, x, 0.01 * x).sum(), lambda x: np.where(x > 0, 1, 0.01),
        array(0, -1e-10, 3),
    ),
    "elu with a bend": Hard(
        lambda x: np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0))).sum(),
        lambda x: np.where(x > 0, 1, 1.5 * np.exp(np.minimum(x, 0))), array(0, -1e-6, 2),
    ),
    "clip at its ends": Hard(
        lambda x: (np.clip(x, 0, 6) ** 2).sum(), lambda x: 2 * x * ((x > 0) & (x < 6)),
        array(0, 6, 3, 6 - 1e-9),
    ),
    "soft threshold": Hard(
        lambda x: (np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)).sum(),
        lambda x: (np.abs(x) > 0.5) * 1.0, array(0.5, -0.5, 0.5 + 1e-8, 0),
    ),
    "lasso with zeros": Hard(
        lambda w: ((DATA @ w - TARGET) ** 2).mean() + 0.1 * np.abs(w).sum(),
        lambda w: 2 * DATA.T @ (DATA @ w - TARGET) / 20 + 0.1 * np.sign(w), array(0.5, 0, 0, -1),
    ),
    "two largest, tied": Hard(
        lambda x: np.sort(x)[-2:].sum(), lambda x: one_hot(np.argsort(x)[-2:], 4).sum(axis=0),
        array(0, 2, 2, 2),
    ),
    "median, tied": Hard(
        lambda x: np.median(x), lambda x: one_hot(int(np.argsort(x)[1]), 3), array(1, 1, 4)
    ),
    "triplet at its margin": Hard(
        lambda x: max(0.0, x[0] ** 2 - x[1] ** 2 + 1),
        lambda x: np.array([2 * x[0], -2 * x[1]]) * (x[0] ** 2 - x[1] ** 2 + 1 > 0),
        array(0.75, 1.25),
    ),
    "kinks that meet": Hard(
        lambda x: np.abs(x[0] - x[1]) + np.maximum(x[0] + x[1], 0),
        lambda x: np.array([np.sign(x[0] - x[1]) + (x[0] + x[1] > 0),
                            -np.sign(x[0] - x[1]) + (x[0] + x[1] > 0)]), array(0, 0),
    ),
    "kinks of opposite sign": Hard(
        lambda x: np.abs(x[0]) - np.abs(x[1]), lambda x: np.array([1.0, 1.0]) * np.where(
            x == 0, 1, np.array([1, -1]) * np.sign(x)), array(0, 0),
    ),
    "distance of equals": Hard(
        lambda x: np.abs(x[:2] - x[2:]).sum(),
        lambda x: np.concatenate([np.sign(x[:2] - x[2:]), -np.sign(x[:2] - x[2:])]),
        array(0.3, 1, 0.3, 2),
    ),
    "norm at zero": Hard(
        lambda x: np.sqrt((x**2).sum()), lambda x: x / max(np.sqrt((x**2).sum()), 1e-300),
        np.zeros(3),
    ),
    "norm near zero": Hard(
        lambda x: np.sqrt((x**2).sum()), lambda x: x / np.sqrt((x**2).sum()), array(3e-10, -4e-10)
    ),
    "bend of width 1e-6": Hard(
        lambda x: np.sqrt(x**2 + 1e-12).sum(), lambda x: x / np.sqrt(x**2 + 1e-12),
        array(0, 1e-6, -1e-7, 1),
    ),
    "square with a sign": Hard(
        lambda x: (x * np.abs(x)).sum(), lambda x: 2 * np.abs(x), array(0, 1e-9, -1)
    ),
    "four thirds at zero": Hard(
        lambda x: (np.abs(x) ** (4 / 3)).sum(),
        lambda x: 4 / 3 * np.sign(x) * np.abs(x) ** (1 / 3), array(0, 1e-6, 1),
    ),
    "hidden units at zero": Hard(
        lambda w: (np.maximum(DATA @ w, 0)).sum(), lambda w: DATA.T @ (DATA @ w > 0), np.zeros(4)
    ),
}  # fmt: skip

SCALES: dict[str, Hard] = {
    "sine on 1e8": Hard(lambda x: 1e8 + np.sin(x).sum(), np.cos, X),
    "small sine on 1e8": Hard(
        lambda x: 1e8 + 1e-3 * np.sin(x).sum(), lambda x: 1e-3 * np.cos(x), X
    ),
    "sine on 1e12": Hard(lambda x: 1e12 + np.sin(x).sum(), np.cos, X),
    "sine of 1e-12": Hard(lambda x: 1e-12 * np.sin(x).sum(), lambda x: 1e-12 * np.cos(x), X),
    "square of 1e-30": Hard(lambda x: 1e-30 * (x**2).sum(), lambda x: 2e-30 * x, X),
    "sine of 1e-200": Hard(lambda x: 1e-200 * np.sin(x).sum(), lambda x: 1e-200 * np.cos(x), X),
    "sine of 1e200": Hard(lambda x: 1e200 * np.sin(x).sum(), lambda x: 1e200 * np.cos(x), X),
    "slopes of 1e10 and 1": Hard(
        lambda x: 1e10 * np.sin(x[0]) + np.sin(x[1]),
        lambda x: np.array([1e10 * np.cos(x[0]), np.cos(x[1])]), array(0.3, 0.4),
    ),
    "slopes of 1e5 and 1e-5": Hard(
        lambda x: 1e5 * np.exp(x[0]) + 1e-5 * np.exp(x[1]),
        lambda x: np.array([1e5 * np.exp(x[0]), 1e-5 * np.exp(x[1])]), array(0.3, 0.4),
    ),
    "arguments of 1e10 and 1e-10": Hard(
        lambda x: np.log(x).sum(), lambda x: 1 / x, array(1e10, 1, 1e-10)
    ),
    "waves of 1e8 and 1e-8": Hard(
        lambda x: np.sin(x / array(1e8, 1, 1e-8)).sum(),
        lambda x: np.cos(x / array(1e8, 1, 1e-8)) / array(1e8, 1, 1e-8), array(1e8, 1, 1e-8),
    ),
    "parameter of 1e-12": Hard(
        lambda x: np.exp(1e12 * x).sum(), lambda x: 1e12 * np.exp(1e12 * x), array(1e-12, -2e-12)
    ),
    "parameter of 1e12": Hard(
        lambda x: np.sin(1e-12 * x).sum(), lambda x: 1e-12 * np.cos(1e-12 * x), array(1e12, -2e12)
    ),
    "Rosenbrock": Hard(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
        lambda x: np.array([-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]),
                            200 * (x[1] - x[0] ** 2)]), array(1 + 1e-6, 1),
    ),
    "Rosenbrock at its minimum": Hard(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
        lambda x: np.array([-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]),
                            200 * (x[1] - x[0] ** 2)]), array(1, 1),
    ),
    "quadratic form of condition 1e12": Hard(
        lambda x: (x * array(1e12, 1e6, 1) * x).sum(), lambda x: 2 * array(1e12, 1e6, 1) * x,
        array(1, -1, 1),
    ),
    "log-determinant, ill-conditioned": Hard(
        lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.inv(x).T, hilbert(6)
    ),
    "log-determinant, nearly singular": Hard(
        lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.inv(x).T,
        np.array([[1.0, 1], [1, 1 + 1e-9]]),
    ),
    "trace of an ill-conditioned inverse": Hard(
        lambda x: np.trace(np.linalg.inv(x)),
        lambda x: -np.linalg.matrix_power(np.linalg.inv(x), 2).T, hilbert(4),
    ),
    "sum that cancels": Hard(
        lambda x: (1e10 * x - 1e10 * np.tanh(x)).sum(), lambda x: 1e10 * np.tanh(x) ** 2,
        array(1e-4, 0.3),
    ),
    "mean of a thousand": Hard(
        lambda x: (x**2).mean(), lambda x: x / 500, np.random.default_rng(3).standard_normal(1000)
    ),
}  # fmt: skip

CURVED: dict[str, Hard] = {
    "wave of 1e4": Hard(lambda x: np.sin(1e4 * x).sum(), lambda x: 1e4 * np.cos(1e4 * x), X),
    "wave of 1e6": Hard(lambda x: np.sin(1e6 * x).sum(), lambda x: 1e6 * np.cos(1e6 * x), X),
    "chirp": Hard(lambda x: np.cos(x**2).sum(), lambda x: -2 * x * np.sin(x**2), array(3, 30, 90)),
    "narrow bump": Hard(
        lambda x: np.exp(-1e6 * (x - 0.3) ** 2).sum(),
        lambda x: -2e6 * (x - 0.3) * np.exp(-1e6 * (x - 0.3) ** 2), array(0.3, 0.3003, 0.301),
    ),
    "resonance": Hard(
        lambda x: (1 / (1 + 1e8 * x * x)).sum(), lambda x: -2e8 * x / (1 + 1e8 * x * x) ** 2,
        array(0, 1e-4, 0.5),
    ),
    "twentieth power": Hard(lambda x: (x**20).sum(), lambda x: 20 * x**19, array(1.5, -0.9, 0.1)),
    "line with a step of width 1e-3": Hard(
        lambda x: (x + 0.01 * np.tanh(1e3 * x)).sum(), lambda x: 1 + 10 / np.cosh(1e3 * x) ** 2,
        array(0, 1e-3, 0.3),
    ),
    "pole at 1e-8": Hard(lambda x: (1 / x).sum(), lambda x: -1 / x**2, array(1e-8, 1)),
    "essential singularity": Hard(
        lambda x: np.exp(-1 / x).sum(), lambda x: np.exp(-1 / x) / x**2, array(0.05, 0.02, 1)
    ),
    "a hundred Euler steps": Hard(
        lambda x: float(_euler(x)[-1]), lambda x: _euler_gradient(x), array(0.3, 1.7)
    ),
}  # fmt: skip


def _euler(x: Array) -> list[Any]:
    """y' = sin(a y), from b, a hundred steps of 0.05."""
    path = [x[1]]
    for _ in range(100):
        path.append(path[-1] + 0.05 * np.sin(x[0] * path[-1]))
    return path


def _euler_gradient(x: Array) -> Array:
    adjoint, rate = 1.0, 0.0
    for y in reversed(_euler(x)[:-1]):
        rate += adjoint * 0.05 * y * np.cos(x[0] * y)
        adjoint *= 1 + 0.05 * x[0] * np.cos(x[0] * y)
    return np.array([rate, adjoint])


FLAT: dict[str, Hard] = {
    "saturated tanh, by a difference": Hard(
        lambda x: np.tanh(x).sum(), lambda x: 1 - np.tanh(x) ** 2, array(0, 5, 15, 19, 25, 40)
    ),
    "saturated tanh": Hard(
        lambda x: np.tanh(x).sum(), lambda x: 1 / np.cosh(x) ** 2, array(0, 5, 15, -19, 40)
    ),
    "saturated sigmoid": Hard(
        lambda x: sigmoid(x).sum(), lambda x: sigmoid(x) * (1 - sigmoid(x)), array(-40, 20, 36, 40)
    ),
    "softplus in its tails": Hard(
        lambda x: np.logaddexp(0, x).sum(), sigmoid, array(-700, -40, 0, 40, 700)
    ),
    "log-sum-exp, far apart": Hard(logsumexp, softmax, array(0, -30, 700, 5)),
    "confident cross-entropy": Hard(
        lambda x: logsumexp(x) - x[0], lambda x: softmax(x) - one_hot(0, 3), array(40, 0, -5)
    ),
    "mistaken cross-entropy": Hard(
        lambda x: logsumexp(x) - x[0], lambda x: softmax(x) - one_hot(0, 3), array(-700, 0, -5)
    ),
    "fourth power": Hard(lambda x: (x**4).sum(), lambda x: 4 * x**3, array(0, 1e-5, 1e-2)),
    "eighth power at zero": Hard(lambda x: (x**8).sum(), lambda x: 8 * x**7, array(0, 1e-3, 0.1)),
    "constant": Hard(lambda x: 3.0, lambda x: 0 * x, np.ones(3)),
    "some do not matter": Hard(lambda x: x[0] ** 2, lambda x: 2 * x * array(1, 0, 0), np.ones(3)),
    "dead units": Hard(
        lambda w: np.maximum(w - 5, 0).sum(), lambda w: (w > 5) * 1.0, array(0.1, 1, 4.9, 6)
    ),
    "tail of a Gaussian": Hard(
        lambda x: np.exp(-(x**2)).sum(), lambda x: -2 * x * np.exp(-(x**2)), array(6, 0.1, 25)
    ),
    "complementary error function": Hard(
        lambda x: sum(map(math.erfc, x)), lambda x: -2 / np.sqrt(np.pi) * np.exp(-(x**2)),
        array(0, 5, 20),
    ),
    "bias before a batch norm": Hard(
        lambda b: float(np.tanh(TARGET + b - (TARGET + b).mean()).sum()), lambda b: 0 * b,
        array(0.7),
    ),
    "stationary": Hard(
        lambda x: ((x - 1) ** 2).sum(), lambda x: 2 * (x - 1), array(1, 1, 1 + 1e-9)
    ),
}  # fmt: skip

BORDERS: dict[str, Hard] = {
    "log near zero": Hard(lambda x: np.log(x).sum(), lambda x: 1 / x, array(1e-9, 1e-3, 1)),
    "entropy near zero": Hard(
        lambda x: (x * np.log(x)).sum(), lambda x: np.log(x) + 1, array(1e-6, 0.5)
    ),
    "cross-entropy of sure probabilities": Hard(
        lambda p: -(np.log(p[0]) + np.log1p(-p[1])), lambda p: array(-1 / p[0], 1 / (1 - p[1])),
        array(1e-12, 1 - 1e-9),
    ),
    "root near zero": Hard(lambda x: np.sqrt(x).sum(), lambda x: 0.5 / np.sqrt(x), array(1e-12, 1)),
    "root at zero": Hard(
        lambda x: np.sqrt(x).sum(), lambda x: _root_slope(x), array(0, 1)
    ),
    "power 1.5 at zero": Hard(
        lambda x: (x * np.sqrt(x)).sum(), lambda x: 1.5 * np.sqrt(x), array(0, 1e-4, 1)
    ),
    "square on one side": Hard(
        lambda x: np.where(x >= 0, x**2 + x, np.nan).sum(), lambda x: 2 * x + 1, array(0, 1)
    ),
    "infinite beyond a barrier": Hard(
        lambda x: -np.log(np.maximum(1 - x, 0)).sum(), lambda x: 1 / (1 - x), array(0.999999, 0)
    ),
    "log1p near minus one": Hard(
        lambda x: np.log1p(x).sum(), lambda x: 1 / (1 + x), array(-1 + 2.0**-33, 0)
    ),
    "arc cosine near one": Hard(
        lambda x: np.arccos(x).sum(), lambda x: -1 / np.sqrt((1 - x) * (1 + x)),
        array(1 - 2.0**-30, 0),
    ),
    "inverse tanh near one": Hard(
        lambda x: np.arctanh(x).sum(), lambda x: 1 / ((1 - x) * (1 + x)), array(1 - 2.0**-30, 0.3)
    ),
    "circle near its edge": Hard(
        lambda x: np.sqrt(1 - x**2).sum(), lambda x: -x / np.sqrt(1 - x**2), array(1 - 1e-6, 0.1)
    ),
    "raises outside its domain": Hard(
        lambda x: sum(map(math.log, x)), lambda x: 1 / x, array(0.1, 2)
    ),
    "refuses points a little further": Hard(
        lambda x: _within(x, 1.0) ** 2, lambda x: 2 * x, array(1 - 1e-9)
    ),
    "refuses points outside, at the end": Hard(
        lambda x: _within(x, 1.0) ** 2, lambda x: 2 * x, array(1.0)
    ),
    "jump beside the point": Hard(
        lambda x: ((x > 0) + x**2).sum(), lambda x: 2 * x, array(1e-3, -1e-6, 1e-8)
    ),
    "saw teeth": Hard(lambda x: (x - np.floor(x)).sum(), np.ones_like, array(2 + 1e-7, 0.5)),
    "stairs": Hard(lambda x: np.floor(10 * x).sum(), lambda x: 0 * x, array(0.33, 2.57)),
    "angle beside its cut": Hard(
        lambda x: np.arctan2(x[1], x[0]), lambda x: array(-x[1], x[0]) / (x**2).sum(),
        array(-1, 1e-7),
    ),
    "not a number half the time": Hard(
        lambda x: np.where(np.sin(1e3 * x) > 0, x**2, np.nan).sum(), lambda x: 2 * x,
        array(0.5e-3 * np.pi),
    ),
}  # fmt: skip


def _root_slope(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return 0.5 / np.sqrt(x)


def _within(x: Any, limit: float) -> Any:
    if abs(x) > limit:
        raise ValueError("outside")
    return x


HARD: Final[dict[str, Hard]] = {
    **KINKS, **SCALES, **CURVED, **FLAT, **BORDERS, **NOISY,
    **{name: Hard(layer.forward, layer.backward, layer.inputs, vector=True)
       for name, layer in LAYERS.items()},
}  # fmt: skip
