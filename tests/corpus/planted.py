"""Wrong gradients beside right ones: every kind of mistake, in places where it is easy to miss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from corpus import Planted
from corpus.hard import HARD
from corpus.planted_vectors import VECTORS, changed
from corpus.points import DATA, TARGET, X, array, logsumexp, one_hot, sigmoid, softmax
from gradcli.core.arrays import Array

__all__ = ["PLANTED"]

ROWS: Final = np.random.default_rng(5).standard_normal((3, 4))
SQUARE: Final = np.random.default_rng(6).standard_normal((4, 4))
LONG: Final = np.random.default_rng(7).uniform(0.5, 2, 100)


def spoiled(name: str, mistake: Callable[[Array, Array], Array], point: Any = None) -> Planted:
    """A hard function with its right gradient spoiled: mistake(point, gradient)."""
    fun, right, own, _ = HARD[name]
    return Planted(fun, right, lambda x: mistake(x, right(x)), own if point is None else point)


def exp_with(mistake: Callable[[Array, Array], Array], point: Array = X) -> Planted:
    """The sum of exp(x), which has no special place, with a spoiled gradient."""
    return Planted(lambda x: np.exp(x).sum(), np.exp, lambda x: mistake(x, np.exp(x)), point)


PLAIN: dict[str, Planted] = {
    "sign flipped": exp_with(lambda x, g: -g),
    "twice": exp_with(lambda x, g: 2 * g),
    "half": exp_with(lambda x, g: g / 2),
    "sum for a mean": Planted(lambda x: (x**2).mean(), lambda x: x / 50, lambda x: 2 * x, LONG),
    "mean for a sum": Planted(lambda x: (x**2).sum(), lambda x: 2 * x, lambda x: x / 50, LONG),
    "one per cent": exp_with(lambda x, g: 1.01 * g),
    "one in ten thousand": exp_with(lambda x, g: (1 + 1e-4) * g),
    "one in a million": exp_with(lambda x, g: (1 + 1e-6) * g),
    "one in a million, one entry of a hundred": exp_with(
        lambda x, g: changed(g, 42, lambda v: v * (1 + 1e-6)), LONG
    ),
    "one in a million, either way": exp_with(lambda x, g: g * (1 + 1e-6 * np.cos(9 * x)), LONG),
    "one in a billion": exp_with(lambda x, g: (1 + 1e-9) * g),
    "one in a million million": exp_with(lambda x, g: (1 + 1e-12) * g),
    "zero": exp_with(lambda x, g: 0 * g),
    "absolute values": spoiled("sine on 1e8", lambda x, g: np.abs(g), 2 * X),
    "added constant": exp_with(lambda x, g: g + 1e-3),
    "reversed": exp_with(lambda x, g: g[::-1]),
    "two entries swapped": exp_with(lambda x, g: g[[1, 0, *range(2, 100)]], LONG),
    "shifted by one": exp_with(lambda x, g: np.roll(g, 1), LONG),
    "one entry of a hundred": exp_with(lambda x, g: changed(g, 57, lambda v: 1.1 * v), LONG),
    "one entry's sign": exp_with(lambda x, g: changed(g, 57, lambda v: -v), LONG),
    "last entry left out": exp_with(lambda x, g: changed(g, -1, 0), LONG),
    "clipped": exp_with(lambda x, g: np.clip(g, -2, 2), LONG),
    "normalised": exp_with(lambda x, g: g / np.linalg.norm(g)),
    "small entries put to zero": exp_with(lambda x, g: np.where(g < 1e-3, 0, g), array(-8, 0, 1)),
    "not a number in one entry": exp_with(lambda x, g: changed(g, 3, np.nan), LONG),
    "infinite in one entry": exp_with(lambda x, g: changed(g, 3, -np.inf), LONG),
    "not a number at all": exp_with(lambda x, g: g * np.nan),
    "float32 in the backward": exp_with(lambda x, g: g.astype(np.float32).astype(float), LONG),
    "float16 in the backward": exp_with(lambda x, g: g.astype(np.float16).astype(float), LONG),
    "noise of 1e-6": exp_with(
        lambda x, g: g * (1 + 1e-6 * np.random.default_rng(0).standard_normal(100)), LONG
    ),
    "by differences of its own": exp_with(lambda x, g: (np.exp(x + 1e-6) - np.exp(x)) / 1e-6),
    "whole numbers": exp_with(lambda x, g: g.astype(int)),
}  # fmt: skip

FORMULAS: dict[str, Planted] = {
    "sine for cosine": Planted(lambda x: np.sin(x).sum(), np.cos, np.sin, X),
    "inner factor left out": Planted(
        lambda x: np.sin(3 * x).sum(), lambda x: 3 * np.cos(3 * x), lambda x: np.cos(3 * x), X
    ),
    "inner factor squared": Planted(
        lambda x: np.sin(3 * x).sum(), lambda x: 3 * np.cos(3 * x), lambda x: 9 * np.cos(3 * x), X
    ),
    "tanh with its output not squared": Planted(
        lambda x: np.tanh(x).sum(), lambda x: 1 - np.tanh(x) ** 2, lambda x: 1 - np.tanh(x), X
    ),
    "sigmoid of x for its output": Planted(
        lambda x: sigmoid(x).sum(), lambda x: sigmoid(x) * (1 - sigmoid(x)),
        lambda x: x * (1 - x), X,
    ),
    "swish, second term left out": Planted(
        lambda x: (x * sigmoid(x)).sum(),
        lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))), sigmoid, X,
    ),
    "logarithm to base two": Planted(
        lambda x: np.log2(x).sum(), lambda x: 1 / (x * math.log(2)), lambda x: 1 / x, LONG[:5]
    ),
    "degrees": Planted(
        lambda x: np.sin(np.radians(x)).sum(), lambda x: np.radians(np.cos(np.radians(x))),
        lambda x: np.cos(np.radians(x)), 30 * X,
    ),
    "eps outside the root": Planted(
        lambda x: x[0] / np.sqrt(x[1] + 1e-3),
        lambda x: array(1 / np.sqrt(x[1] + 1e-3), -x[0] / 2 / (x[1] + 1e-3) ** 1.5),
        lambda x: array(1 / (np.sqrt(x[1]) + 1e-3), -x[0] / 2 / (x[1] + 1e-3) ** 1.5),
        array(0.7, 0.9),
    ),
    "asymmetric form taken as symmetric": Planted(
        lambda x: x @ SQUARE @ x, lambda x: (SQUARE + SQUARE.T) @ x, lambda x: 2 * SQUARE @ x, X
    ),
    "log-determinant without the transpose": Planted(
        lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.inv(x).T, np.linalg.inv, SQUARE
    ),
    "norm taken as constant": Planted(
        lambda x: x[0] / np.sqrt(x @ x),
        lambda x: (one_hot(0, 4) - x[0] * x / (x @ x)) / np.sqrt(x @ x),
        lambda x: one_hot(0, 4) / np.sqrt(x @ x), X,
    ),
    "variance with n - 1": Planted(
        lambda x: ((x - x.mean()) ** 2).mean(), lambda x: 2 * (x - x.mean()) / x.size,
        lambda x: 2 * (x - x.mean()) / (x.size - 1), LONG,
    ),
    "weight decay left out": Planted(
        lambda w: ((DATA @ w - TARGET) ** 2).mean() + 1e-3 * (w**2).sum(),
        lambda w: DATA.T @ (DATA @ w - TARGET) / 10 + 2e-3 * w,
        lambda w: DATA.T @ (DATA @ w - TARGET) / 10, X,
    ),
    "weight decay twice": Planted(
        lambda w: ((DATA @ w - TARGET) ** 2).mean() + 1e-5 * (w**2).sum(),
        lambda w: DATA.T @ (DATA @ w - TARGET) / 10 + 2e-5 * w,
        lambda w: DATA.T @ (DATA @ w - TARGET) / 10 + 4e-5 * w, X,
    ),
    "cross-entropy without its label": Planted(
        lambda x: logsumexp(x) - x[1], lambda x: softmax(x) - one_hot(1, 4), softmax, X
    ),
    "cross-entropy of another label": Planted(
        lambda x: logsumexp(x) - x[1], lambda x: softmax(x) - one_hot(1, 4),
        lambda x: softmax(x) - one_hot(2, 4), X,
    ),
    "temperature left out": Planted(
        lambda x: logsumexp(x / 3) - x[1] / 3, lambda x: (softmax(x / 3) - one_hot(1, 4)) / 3,
        lambda x: softmax(x / 3) - one_hot(1, 4), X,
    ),
    "focal loss with a constant weight": Planted(
        lambda x: -((1 - sigmoid(x)) ** 2 * np.log(sigmoid(x))).sum(),
        lambda x: 2 * (1 - sigmoid(x)) ** 2 * sigmoid(x) * np.log(sigmoid(x))
        - (1 - sigmoid(x)) ** 3,
        lambda x: -((1 - sigmoid(x)) ** 3), X,
    ),
    "adjoint a step behind": Planted(
        HARD["a hundred Euler steps"].fun, HARD["a hundred Euler steps"].grad,
        lambda x: HARD["a hundred Euler steps"].grad(x) * (1 + 0.05 * x[0] * np.cos(x[0] * x[1])),
        array(0.3, 1.7),
    ),
}  # fmt: skip

BRANCHES: dict[str, Planted] = {
    "leaky slope left out": Planted(
        lambda x: np.where(x > 0, x, 0.01 * x).sum(), lambda x: np.where(x > 0, 1, 0.01),
        lambda x: (x > 0) * 1.0, X,
    ),
    "huber with the sign of the outside": Planted(
        lambda x: np.where(np.abs(x) <= 1, x * x / 2, np.abs(x) - 0.5).sum(),
        lambda x: np.clip(x, -1, 1), lambda x: np.where(np.abs(x) <= 1, x, 1.0), array(0.3, 2, -3),
    ),
    "huber with delta squared": Planted(
        lambda x: np.where(np.abs(x) <= 2, x * x / 2, 2 * np.abs(x) - 2).sum(),
        lambda x: np.clip(x, -2, 2), lambda x: np.where(np.abs(x) <= 2, x, 4 * np.sign(x)),
        array(0.3, 3, -4),
    ),
    "clip that passes outside": spoiled(
        "clip at its ends", lambda x, g: 2 * np.clip(x, 0, 6), array(-1, 7, 3)
    ),
    "relu of the wrong side": spoiled("relu at zero", lambda x, g: 1 - g, X),
    "relu from one on": spoiled("relu at zero", lambda x, g: (x > 1) * 1.0, array(0.5, -1, 2)),
    "hinge that never rests": spoiled(
        "hinge at its margin", lambda x, g: g * 0 - 1, array(0.5, 2, 3)
    ),
    "elu without alpha": spoiled(
        "elu with a bend", lambda x, g: np.where(x > 0, 1, np.exp(np.minimum(x, 0))), X
    ),
    "quantile with its sides exchanged": spoiled(
        "pinball at zero", lambda x, g: np.where(x > 0, -0.1, 0.9), X
    ),
    "slope beyond both sides of a kink": spoiled(
        "relu at zero", lambda x, g: g + 2.0 * (x == 0)
    ),
    "slope of a square at a kink": Planted(
        lambda x: np.abs(x).sum(), np.sign, lambda x: 2 * x, array(0, 0, 0)
    ),
    "zero at every kink and beside it": spoiled("tie of max, all to one", lambda x, g: 0 * g),
    "tie of max, to all": spoiled(
        "tie of max, all to one", lambda x, g: np.ones(4), array(0.1, 2, 2, -1)
    ),
    "second largest": spoiled(
        "two largest, tied", lambda x, g: one_hot(x.argmax(), 4), array(0, 1, 2, 3)
    ),
    "sign at 1e-8": spoiled(
        "abs near zero", lambda x, g: changed(g, 1, 1.0), array(1e-8, -1e-8, 1)
    ),
    "relu beside zero": spoiled(
        "relu near zero", lambda x, g: (x > -1e-3) * 1.0, array(1e-4, -1e-4, 1, -1)
    ),
    "zero where saturated": spoiled(
        "saturated tanh", lambda x, g: np.where(np.abs(x) > 3, 0, g), array(0, 2, 4)
    ),
    "infinity of a root": Planted(
        lambda x: np.sqrt(x**2 + 1e-8).sum(), lambda x: x / np.sqrt(x**2 + 1e-8),
        lambda x: x / np.sqrt(x**2 + 1e-16), array(1e-4, 2e-4, 1),
    ),
    "wrong at the end of the domain": spoiled(
        "square on one side", lambda x, g: g + (x == 0) * 1.0
    ),
    "wrong beside the end of the domain": spoiled("log near zero", lambda x, g: 1 / (x + 1e-9)),
    "a border mistaken": spoiled("refuses points a little further", lambda x, g: -g),
}  # fmt: skip

SCALES: dict[str, Planted] = {
    "sign of small slopes": spoiled("sine of 1e-12", lambda x, g: -g),
    "twice, of 1e-30": spoiled("square of 1e-30", lambda x, g: 2 * g),
    "twice, of 1e-200": spoiled("sine of 1e-200", lambda x, g: 2 * g),
    "one per cent, of 1e200": spoiled("sine of 1e200", lambda x, g: 1.01 * g),
    "one per cent, on 1e8": spoiled("sine on 1e8", lambda x, g: 1.01 * g),
    "twice, on 1e12": spoiled("sine on 1e12", lambda x, g: 2 * g),
    "one in ten million, on 1e8": spoiled("sine on 1e8", lambda x, g: g * (1 + 1e-7)),
    "small slope beside one of 1e10": spoiled(
        "slopes of 1e10 and 1", lambda x, g: g * array(1, 1 + 1e-9)
    ),
    "wrong slope beside one of 1e5": spoiled(
        "slopes of 1e5 and 1e-5", lambda x, g: g * array(1, 2)
    ),
    "small argument beside one of 1e10": spoiled(
        "arguments of 1e10 and 1e-10", lambda x, g: g * array(1, 1, 1.01)
    ),
    "large argument beside one of 1e-10": spoiled(
        "arguments of 1e10 and 1e-10", lambda x, g: g * array(1.01, 1, 1), array(1e10, 1, 1e-2)
    ),
    "sign of 1e-7 among ones": Planted(
        lambda x: np.sin(x[:3]).sum() + 1e-7 * np.sin(x[3]),
        lambda x: np.cos(x) * array(1, 1, 1, 1e-7), lambda x: np.cos(x) * array(1, 1, 1, -1e-7), X,
    ),
    "parameter of 1e-12, half": spoiled("parameter of 1e-12", lambda x, g: g / 2),
    "parameter of 1e12, half": spoiled("parameter of 1e12", lambda x, g: g / 2),
    "fast wave, one per cent": spoiled("wave of 1e4", lambda x, g: 1.01 * g),
    "narrow bump, half": spoiled("narrow bump", lambda x, g: g / 2),
    "resonance, without its square": spoiled(
        "resonance", lambda x, g: g * (1 + 1e8 * x * x), array(1e-4, 0.5)
    ),
    "flat, with a power too few": spoiled(
        "fourth power", lambda x, g: 4 * x**2, array(0.5, 1e-2, 1)
    ),
    "flat, sign": spoiled("fourth power", lambda x, g: -g, array(1e-2, 3e-2)),
    "ill-conditioned, twice": spoiled(
        "log-determinant, ill-conditioned", lambda x, g: 2 * g
    ),
    "ill-conditioned, one entry": spoiled(
        "log-determinant, ill-conditioned", lambda x, g: changed(g, (2, 3), lambda v: 1.1 * v)
    ),
    "bend of width 1e-6, half": spoiled("bend of width 1e-6", lambda x, g: g / 2),
    "far tail, sign": spoiled("softplus in its tails", lambda x, g: -g, array(-40, -3, 2)),
    "first layer of a deep network, zero": Planted(
        lambda w: _deep(w)[0], lambda w: _deep(w)[1], lambda w: changed(_deep(w)[1], 0, 0),
        np.full(9, 0.8),
    ),
    "first layer of a deep network, sign": Planted(
        lambda w: _deep(w)[0], lambda w: _deep(w)[1],
        lambda w: changed(_deep(w)[1], 0, lambda v: -v), np.full(9, 0.8),
    ),
}  # fmt: skip


def _deep(weights: Array) -> tuple[float, Array]:
    """A chain of sigmoid units, one weight each, and its gradient."""
    values = [0.7]
    for weight in weights:
        values.append(float(sigmoid(weight * values[-1])))
    gradient, cotangent = np.zeros(len(weights)), 1.0
    for i in reversed(range(len(weights))):
        cotangent *= values[i + 1] * (1 - values[i + 1])
        gradient[i] = cotangent * values[i]
        cotangent *= weights[i]
    return values[-1], gradient


NOISY: dict[str, Planted] = {
    "float32, one per cent": spoiled("float32", lambda x, g: np.float32(1.01) * g),
    "float32, sign of one": spoiled("float32", lambda x, g: changed(g, 2, lambda v: -v)),
    "float32, twice on a mean": spoiled("float32, a mean of many", lambda x, g: 2 * g),
    "float32, least squares without the mean": spoiled(
        "float32, least squares", lambda x, g: 20 * g
    ),
    "float32, of 1e-6": spoiled("float32, small slopes", lambda x, g: -g),
    "float32 inside, one per cent": spoiled("float32 inside", lambda x, g: 1.01 * g),
    "float32 inside, zero": spoiled("float32 inside", lambda x, g: 0 * g),
    "float32 inside, one in ten thousand": spoiled(
        "float32 inside", lambda x, g: (1 + 1e-4) * g
    ),
    "rounded to 8 places, one per cent": spoiled(
        "rounded to 8 places", lambda x, g: 1.01 * g
    ),
    "as printed, twice": spoiled("as printed", lambda x, g: 2 * g),
    "noise of 1e-10, one per cent": spoiled("noise of 1e-10", lambda x, g: 1.01 * g),
    "bisection, twice": spoiled("bisection to 1e-9", lambda x, g: 2 * g),
    "fixed draws, without the mean": spoiled("mean over fixed draws", lambda x, g: 500 * g),
    "many terms, one left out": spoiled(
        "sum of many terms", lambda x, g: g - np.cos(1999 * x)
    ),
}  # fmt: skip


PLANTED: Final[dict[str, Planted]] = {
    **PLAIN, **FORMULAS, **BRANCHES, **SCALES, **NOISY, **VECTORS,
}  # fmt: skip
