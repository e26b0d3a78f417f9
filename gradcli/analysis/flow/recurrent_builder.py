"""A recurrent network for `gradcli flow` from a handful of numbers, as a spec."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from gradcli.analysis.flow.builder import (
    Entry,
    build_spec,
    drawn_inputs,
    head_units,
    initialization,
    read_entry,
)
from gradcli.core.op import Activation, Initializer, Layer, Loss
from gradcli.core.registry import CATALOGUE, nearest
from gradcli.errors import UsageError

__all__ = ["build_network", "build_recurrent_spec"]


def build_network(arch: str = "mlp", **options: Any) -> dict[str, Any]:
    """The spec of an mlp (see `build_spec`) or of a recurrent network (see below).

    Raises UsageError for options that it does not have, and where these raise it.
    """
    build = build_spec if arch == "mlp" else partial(build_recurrent_spec, arch)
    known = [name for name in inspect.signature(build).parameters if _is_read(name, arch)]
    unknown = [name for name in options if name not in known and name != "activation"]
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: expected {', '.join(known)} for {arch}")
    return build(**options)


def _is_read(option: str, arch: str) -> bool:
    """Whether a network reads an option of its builder: an activation, where it has the choice."""
    op = CATALOGUE.find(arch, Layer)
    return option != "activation" or op is None or op.param("activation") is not None


def build_recurrent_spec(
    arch: str,
    depth: int = 50,
    width: int = 64,
    activation: Entry | None = None,
    init: Entry = "pytorch_default",
    gain: float = 1.0,
    batch: int = 32,
    loss: Entry = "mse",
    dtype: str = "float64",
    input: str | float = "normal",
    seed: int = 0,
) -> dict[str, Any]:
    """The spec of one recurrent layer of `width` units over `depth` time steps, and a linear head.

    The loss reads the last step. Inputs have the shape (batch, depth, width) and are drawn as for
    `build_spec`. The activation is for layers that have a choice. Raises UsageError for anything
    else, and for names that are not in the catalogue.
    """
    op = CATALOGUE.find(arch, Layer)
    if op is None or op.layer_traits(op.defaults() | {"units": 1}).recurs is None:
        known = [
            layer.name
            for layer in CATALOGUE.all(Layer)
            if layer.param("units") is not None
            and layer.layer_traits(layer.defaults() | {"units": 1}).recurs is not None
        ]
        near = nearest(arch, ["mlp", *known])
        hint = f"did you mean {near}?" if near else f"expected one of mlp, {', '.join(known)}"
        raise UsageError(f"arch: there is no network {arch!r}; {hint}")
    init = read_entry("init", init, Initializer)
    loss = read_entry("loss", loss, Loss)
    if activation is not None:
        activation = read_entry("activation", activation, Activation)
    layer: dict[str, Any] = {"units": width, "output": "last"}
    layer.update(initialization(activation or "tanh", init, gain, width))
    if activation is not None:
        if op.param("activation") is None:
            raise UsageError(f"activation: {arch} has gates of its own and no choice of one")
        layer["activation"] = activation
    return {
        "gradcli": 1,
        "name": f"{arch} of {width} over {depth} steps",
        "seed": seed,
        "dtype": dtype,
        "data": {
            "inputs": {"shape": [batch, depth, width], **drawn_inputs(input)},
            "targets": "auto",
        },
        "network": [{arch: layer}, {"dense": {"units": head_units(loss), "name": "head"}}],
        "loss": loss,
    }
