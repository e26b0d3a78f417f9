"""A network for `gradcli flow` from a handful of numbers, as a spec."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradcli.core.op import Activation, Initializer
from gradcli.core.registry import CATALOGUE
from gradcli.errors import UsageError

__all__ = ["build_spec"]

Entry = str | Mapping[str, Any]


def build_spec(
    depth: int = 50,
    width: int = 256,
    activation: Entry = "relu",
    init: Entry = "auto",
    gain: float = 1.0,
    bias_std: float = 0.0,
    batch: int = 128,
    loss: Entry = "mse",
    dtype: str = "float64",
    residual: bool = False,
    residual_scale: float = 1.0,
    input_std: float = 1.0,
    seed: int = 0,
) -> dict[str, Any]:
    """The spec of `depth` dense layers, each with its activation, and a linear head of one unit.

    Inputs are normal, of shape (batch, width). Entries are written as in a spec. `gain` multiplies
    the standard deviation of the initializer's own rule; biases are what the initializer says,
    or normal with `bias_std` where that is above zero. With `residual`, each layer becomes a block
    x + residual_scale·f(W x + b). What the spec's reader would refuse is passed on to it. Raises
    UsageError for a gain that the initializer cannot take.
    """
    dense: dict[str, Any] = {"units": width, **_initialization(activation, init, gain, width)}
    if bias_std:
        dense["bias_init"] = {"normal": {"std": bias_std}}
    layers: list[Any] = [{"dense": dense}, activation]
    if residual:
        layers = [{"residual": {"layers": layers, "scale": residual_scale}}]
    return {
        "gradcli": 1,
        "name": f"{depth} x {width} {_named(activation)[0]}",
        "seed": seed,
        "dtype": dtype,
        "data": {
            "inputs": {"shape": [batch, width], "distribution": "normal", "std": input_std},
            "targets": "auto",
        },
        "network": [
            {"repeat": {"times": depth, "layers": layers}},
            {"dense": {"units": 1, "name": "head"}},
        ],
        "loss": loss,
    }


def _named(entry: Entry) -> tuple[str, Any]:
    """An entry's name and what it says of its options."""
    if isinstance(entry, str):
        return entry, {}
    return next(iter(entry.items()), ("", {}))


def _initialization(activation: Entry, init: Entry, gain: float, width: int) -> dict[str, Any]:
    if gain == 1:
        return {"init": init}
    name, written = _named(init)
    op = CATALOGUE.find(name, Initializer)
    if op is not None and op.resolves:
        active = CATALOGUE.find(_named(activation)[0], Activation)
        name = Activation.init if active is None else active.init
        op = CATALOGUE.find(name, Initializer)
    if op is None:
        return {"init": init}
    first = op.params[0].name if op.params else ""
    options = dict(written) if isinstance(written, Mapping) else {first: written}
    # The rule's own gain, or else the number that is its spread.
    scale = "gain" if op.param("gain") is not None else first
    if scale:
        value = options.get(scale, op.defaults()[scale])
        if isinstance(value, (int, float)):
            options[scale] = value * gain
        return {"init": {name: options}}
    variance = 0.0 if op.variance is None else op.variance(width, width)
    if not variance:
        raise UsageError(f"gain: {name} has no spread to multiply; use an initializer that has")
    chosen: dict[str, Any] = {"init": {"uniform": {"bound": gain * math.sqrt(3 * variance)}}}
    return {**chosen, "bias_init": op.bias} if op.bias is not None else chosen
