"""Wrong backwards of layers and other functions of arrays beside right ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from corpus import Planted
from corpus.layers import LAYERS, norm_back
from gradcli.core.arrays import Array

__all__ = ["VECTORS", "changed"]


def layer(name: str, wrong: Callable[..., Any], inputs: Any = None) -> Planted:
    """A layer with another backward."""
    forward, right, own = LAYERS[name]
    return Planted(forward, right, wrong, own if inputs is None else inputs, vector=True)


def dense_with(**mistakes: Callable[[dict[str, Array], Array], Array]) -> Planted:
    """A dense layer some of whose cotangents are computed otherwise, from (inputs, cotangent)."""
    forward, right, inputs = LAYERS["dense, square"]

    def wrong(p: dict[str, Array], y: Array, g: Array) -> dict[str, Array]:
        return {**right(p, y, g), **{name: made(p, g) for name, made in mistakes.items()}}

    return Planted(forward, right, wrong, inputs, vector=True)


def changed(gradient: Array, index: Any, value: Any) -> Array:
    made = np.array(gradient)
    made[index] = value(made[index]) if callable(value) else value
    return made


VECTORS: dict[str, Planted] = {
    "dense, weight transposed": dense_with(w=lambda p, g: p["x"].T @ g),
    "dense, input by the transpose": dense_with(x=lambda p, g: g @ p["w"].T),
    "dense, bias of the first row": dense_with(b=lambda p, g: g[0]),
    "dense, bias as a mean": dense_with(b=lambda p, g: g.mean(axis=0)),
    "dense, weight as a mean": dense_with(w=lambda p, g: g.T @ p["x"] / len(g)),
    "dense, one row of the weight": dense_with(
        w=lambda p, g: changed(g.T @ p["x"], 2, lambda row: 0 * row)
    ),
    "dense, one column of the weight": dense_with(
        w=lambda p, g: changed(g.T @ p["x"], (slice(None), 1), lambda column: -column)
    ),
    "dense, last row of the batch": dense_with(w=lambda p, g: g[:-1].T @ p["x"][:-1]),
    "dense, everything": dense_with(
        w=lambda p, g: -g.T @ p["x"], x=lambda p, g: 2 * g @ p["w"], b=lambda p, g: 0 * p["b"]
    ),
    "softmax, its diagonal alone": layer("softmax", lambda x, y, g: y * (1 - y) * g),
    "softmax, without its mean": layer("softmax", lambda x, y, g: y * g),
    "softmax, along the other axis": layer(
        "softmax", lambda x, y, g: y * (g - (g * y).sum(axis=0))
    ),
    "log-softmax, like softmax": layer(
        "log-softmax", lambda x, y, g: g - np.exp(y) * (g * np.exp(y)).sum(axis=-1, keepdims=True)
    ),
    "layer norm, mean left out": layer(
        "layer norm", lambda p, y, g, saved: {
            **LAYERS["layer norm"].backward(p, y, g, saved),
            "x": norm_back(g * p["gamma"], *saved, axis=-1)
            + saved[1] * (g * p["gamma"]).mean(axis=-1, keepdims=True)}
    ),
    "layer norm, gamma forgotten": layer(
        "layer norm", lambda p, y, g, saved: {
            **LAYERS["layer norm"].backward(p, y, g, saved), "x": norm_back(g, *saved, axis=-1)}
    ),
    "batch norm, variance as constant": layer(
        "batch norm", lambda x, y, g, saved: saved[1] * (g - g.mean(axis=0))
    ),
    "batch norm, along the features": layer(
        "batch norm", lambda x, y, g, saved: norm_back(g, *saved, axis=1)
    ),
    "convolution, kernel not flipped": layer(
        "convolution", lambda p, y, g: {
            **LAYERS["convolution"].backward(p, y, g),
            "x": LAYERS["convolution"].backward({**p, "k": p["k"][::-1]}, y, g)["x"]}
    ),
    "pooling, to the first": layer(
        "pooling", lambda x, y, g, at: LAYERS["pooling"].backward(x, y, g, 0 * at)
    ),
    "pooling, to both": layer("pooling", lambda x, y, g, at: np.repeat(g, 2, axis=-1)),
    "embedding, repeated rows overwritten": layer(
        "embedding with repeated rows", lambda p, y, g: {
            "table": changed(np.zeros_like(p["table"]), p["rows"], g)}
    ),
    "attention, scale left out": layer(
        "attention", lambda p, y, g, saved: {
            name: value * (1 if name == "v" else 2)
            for name, value in LAYERS["attention"].backward(p, y, g, saved).items()}
    ),
    "recurrent, cut off after one step": layer(
        "recurrent", lambda p, y, g, saved: {
            **LAYERS["recurrent"].backward(p, y, g, saved),
            "u": saved[-2].T @ (g * (1 - y**2))}
    ),
    "dropout without its scale": layer(
        "dropout with a saved mask", lambda x, y, g, mask: g * mask
    ),
    "unit rows, not projected": layer(
        "rows of unit length", lambda x, y, g: g / np.linalg.norm(x, axis=1, keepdims=True)
    ),
    "linear system, not transposed": layer(
        "linear system", lambda p, y, g: {
            "a": -np.outer(np.linalg.solve(p["a"], g), y), "b": np.linalg.solve(p["a"], g)}
    ),
    "inverse, without its signs": layer("inverse", lambda x, y, g: y.T @ g @ y.T),
    "determinant, its factor left out": layer(
        "determinant", lambda x, y, g: g * np.linalg.inv(x).T
    ),
    "running sum, forwards": layer("running sum", lambda x, y, g: np.cumsum(g)),
    "sorting, by the inverse": layer("sorting", lambda x, y, g: g[np.argsort(x)]),
    "broadcast not summed but averaged": layer(
        "column added to a row", lambda p, y, g: {
            "a": g.sum(axis=1, keepdims=True), "b": g.mean(axis=0)}
    ),
    "cotangent ignored": layer("running sum", lambda x, y, g: np.arange(7.0)[::-1] + 1),
    "float32, dense, weight transposed": Planted(
        LAYERS["dense, square"].forward, LAYERS["dense, square"].backward,
        lambda p, y, g: {**LAYERS["dense, square"].backward(p, y, g), "w": p["x"].T @ g},
        {name: value.astype(np.float32) for name, value in LAYERS["dense, square"].inputs.items()},
        vector=True,
    ),
}  # fmt: skip
