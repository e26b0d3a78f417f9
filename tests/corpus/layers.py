"""Forwards with their backwards, as layers of a small framework are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from gradcli.core.arrays import Array

__all__ = ["LAYERS", "Layer"]

RNG: Final = np.random.default_rng(23)


class Layer(NamedTuple):
    """A forward and its backward, in gradcli's signatures."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    inputs: Any


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_back(x: Array, y: Array, g: Array) -> Array:
    return y * (g - (g * y).sum(axis=-1, keepdims=True))


def dense(p: dict[str, Array]) -> Array:
    return p["x"] @ p["w"].T + p["b"]


def dense_back(p: dict[str, Array], y: Array, g: Array) -> dict[str, Array]:
    return {"x": g @ p["w"], "w": g.T @ p["x"], "b": g.sum(axis=0)}


def layer_norm(p: dict[str, Array]) -> tuple[Array, tuple[Array, Array]]:
    centred = p["x"] - p["x"].mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return centred * inverse * p["gamma"] + p["beta"], (centred * inverse, inverse)


def layer_norm_back(
    p: dict[str, Array], y: Array, g: Array, saved: tuple[Array, Array]
) -> dict[str, Array]:
    normed, inverse = saved
    return {
        "x": norm_back(g * p["gamma"], normed, inverse, axis=-1),
        "gamma": (g * normed).sum(axis=0),
        "beta": g.sum(axis=0),
    }


def norm_back(g: Array, normed: Array, inverse: Array, axis: int) -> Array:
    mean = g.mean(axis=axis, keepdims=True)
    along = (g * normed).mean(axis=axis, keepdims=True)
    return inverse * (g - mean - normed * along)


def batch_norm(x: Array) -> tuple[Array, tuple[Array, Array]]:
    centred = x - x.mean(axis=0)
    inverse = 1 / np.sqrt((centred**2).mean(axis=0) + 1e-5)
    return centred * inverse, (centred * inverse, inverse)


def convolve(p: dict[str, Array]) -> Array:
    """Cross-correlation of each row with a kernel, without padding."""
    windows = np.lib.stride_tricks.sliding_window_view(p["x"], p["k"].size, axis=1)
    return np.asarray(windows @ p["k"])


def convolve_back(p: dict[str, Array], y: Array, g: Array) -> dict[str, Array]:
    windows = np.lib.stride_tricks.sliding_window_view(p["x"], p["k"].size, axis=1)
    dx = np.zeros_like(p["x"])
    for offset, weight in enumerate(p["k"]):
        dx[:, offset : offset + g.shape[1]] += weight * g
    return {"x": dx, "k": np.einsum("nwk,nw->k", windows, g)}


def pool(x: Array) -> tuple[Array, Array]:
    """The largest of each two neighbours, and where it is."""
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    return pairs.max(axis=-1), pairs.argmax(axis=-1)


def pool_back(x: Array, y: Array, g: Array, at: Array) -> Array:
    return (g[..., None] * (at[..., None] == np.arange(2))).reshape(x.shape)


def embed(p: dict[str, Array]) -> Array:
    return p["table"][p["rows"]]


def embed_back(p: dict[str, Array], y: Array, g: Array) -> dict[str, Array]:
    dx = np.zeros_like(p["table"])
    np.add.at(dx, p["rows"], g)
    return {"table": dx}


def attention(p: dict[str, Array]) -> tuple[Array, Array]:
    weights = softmax(p["q"] @ p["k"].T / np.sqrt(p["q"].shape[1]))
    return weights @ p["v"], weights


def attention_back(p: dict[str, Array], y: Array, g: Array, weights: Array) -> dict[str, Array]:
    scores = softmax_back(weights, weights, g @ p["v"].T) / np.sqrt(p["q"].shape[1])
    return {"q": scores @ p["k"], "k": scores.T @ p["q"], "v": weights.T @ g}


def cell(p: dict[str, Array]) -> tuple[Array, list[Array]]:
    """The last state of a recurrent network h = tanh(x_t W + h U)."""
    states = [np.zeros((p["x"].shape[0], p["u"].shape[0]))]
    for t in range(p["x"].shape[1]):
        states.append(np.tanh(p["x"][:, t] @ p["w"] + states[-1] @ p["u"]))
    return states[-1], states


def cell_back(p: dict[str, Array], y: Array, g: Array, states: list[Array]) -> dict[str, Array]:
    made = {name: np.zeros_like(value) for name, value in p.items()}
    for t in reversed(range(p["x"].shape[1])):
        inner = g * (1 - states[t + 1] ** 2)
        made["w"] += p["x"][:, t].T @ inner
        made["u"] += states[t].T @ inner
        made["x"][:, t] = inner @ p["w"].T
        g = inner @ p["u"].T
    return made


def unit_rows_back(x: Array, y: Array, g: Array) -> Array:
    size = np.linalg.norm(x, axis=1, keepdims=True)
    return (g - y * (g * y).sum(axis=1, keepdims=True)) / size


def solve_back(p: dict[str, Array], y: Array, g: Array) -> dict[str, Array]:
    b = np.linalg.solve(p["a"].T, g)
    return {"a": -np.outer(b, y), "b": b}


def sort_back(x: Array, y: Array, g: Array) -> Array:
    dx = np.empty_like(g)
    dx[np.argsort(x, kind="stable")] = g
    return dx


MASK: Final = RNG.random((4, 5)) < 0.5
TIED: Final = np.array([[1.0, 1, 0, 2], [3, 3, -1, -1], [0, 0, 0.5, 0.25]])

LAYERS: Final[dict[str, Layer]] = {
    "dense": Layer(dense, dense_back, {"x": normal(6, 4), "w": normal(3, 4), "b": normal(3)}),
    "dense, square": Layer(
        dense, dense_back, {"x": normal(6, 4), "w": normal(4, 4), "b": normal(4)}
    ),
    "dense, inputs and weights at zero": Layer(
        dense, dense_back, {"x": np.zeros((2, 3)), "w": np.zeros((2, 3)), "b": np.zeros(2)}
    ),
    "softmax": Layer(softmax, softmax_back, normal(3, 5)),
    "softmax, far apart": Layer(softmax, softmax_back, 300 * normal(3, 5)),
    "log-softmax": Layer(
        lambda x: np.log(softmax(x)),
        lambda x, y, g: g - np.exp(y) * g.sum(axis=-1, keepdims=True), normal(3, 5),
    ),
    "layer norm": Layer(
        layer_norm, layer_norm_back, {"x": normal(4, 5), "gamma": normal(5), "beta": normal(5)}
    ),
    "layer norm of nearly equal values": Layer(
        layer_norm, layer_norm_back,
        {"x": 1 + 1e-6 * normal(2, 4), "gamma": normal(4), "beta": normal(4)},
    ),
    "batch norm": Layer(
        batch_norm, lambda x, y, g, saved: norm_back(g, *saved, axis=0), normal(6, 3)
    ),
    "convolution": Layer(convolve, convolve_back, {"x": normal(2, 8), "k": normal(3)}),
    "pooling": Layer(pool, pool_back, normal(3, 6)),
    "pooling of equal values": Layer(pool, pool_back, TIED),
    "embedding with repeated rows": Layer(
        embed, embed_back, {"table": normal(5, 3), "rows": np.array([1, 3, 1, 1])}
    ),
    "attention": Layer(
        attention, attention_back, {"q": normal(3, 4), "k": normal(5, 4), "v": normal(5, 2)}
    ),
    "recurrent": Layer(
        cell, cell_back, {"x": normal(2, 6, 3), "w": normal(3, 4) / 2, "u": normal(4, 4) / 2}
    ),
    "dropout with a saved mask": Layer(
        lambda x: (x * MASK / 0.5, MASK), lambda x, y, g, mask: g * mask / 0.5, normal(4, 5)
    ),
    "rows of unit length": Layer(
        lambda x: x / np.linalg.norm(x, axis=1, keepdims=True), unit_rows_back, normal(3, 4)
    ),
    "linear system": Layer(
        lambda p: np.linalg.solve(p["a"], p["b"]), solve_back,
        {"a": normal(4, 4) + 3 * np.eye(4), "b": normal(4)},
    ),
    "inverse": Layer(np.linalg.inv, lambda x, y, g: -y.T @ g @ y.T, normal(3, 3) + 2 * np.eye(3)),
    "determinant": Layer(
        np.linalg.det, lambda x, y, g: g * y * np.linalg.inv(x).T, normal(3, 3)
    ),
    "running sum": Layer(
        np.cumsum, lambda x, y, g: np.cumsum(g[::-1])[::-1], normal(7)
    ),
    "sorting": Layer(np.sort, sort_back, normal(6)),
    "sorting equal values": Layer(
        lambda x: np.sort(x, kind="stable"), sort_back, np.array([2.0, 1, 2, 0, 1])
    ),
    "outer product": Layer(
        lambda p: np.outer(p["a"], p["b"]), lambda p, y, g: {"a": g @ p["b"], "b": p["a"] @ g},
        {"a": normal(3), "b": normal(4)},
    ),
    "column added to a row": Layer(
        lambda p: p["a"] + p["b"],
        lambda p, y, g: {"a": g.sum(axis=1, keepdims=True), "b": g.sum(axis=0)},
        {"a": normal(3, 1), "b": normal(4)},
    ),
    "relu with zeros": Layer(
        lambda x: np.maximum(x, 0), lambda x, y, g: g * (x > 0),
        np.array([[0.0, 1, -1], [-0.0, 1e-9, -1e-9]]),
    ),
    "float32, dense": Layer(
        dense, dense_back,
        {name: value.astype(np.float32) for name, value in
         {"x": normal(6, 4), "w": normal(3, 4), "b": normal(3)}.items()},
    ),
    "float32, softmax": Layer(softmax, softmax_back, normal(3, 5).astype(np.float32)),
}  # fmt: skip
