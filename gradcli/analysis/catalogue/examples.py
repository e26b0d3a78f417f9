"""How an op is written in a spec."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any, Final

from gradcli.core.op import (
    Initializer,
    Loss,
    Op,
    OutputTerm,
    Term,
    Weighting,
)
from gradcli.core.param import REQUIRED, Param
from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Curriculum, Optimizer, Schedule

__all__ = ["default_of", "example_of", "example_options"]

_WIDTH: Final = 58
"""Longest line of an example: what a card indents by two leaves of a terminal's 60 columns."""


def default_of(op: Op, param: Param) -> Any:
    """What an option is where a spec writes none: of biases, what the default of weights brings."""
    weights = op.param(param.name.removeprefix("bias_"))
    if weights is None or weights is param or not isinstance(weights.default, str):
        return param.default
    drawn = CATALOGUE.find(weights.default, Initializer)
    return param.default if drawn is None or drawn.bias is None else drawn.bias


def example_options(op: Op) -> dict[str, Any]:
    """The op's defaults; where it has none, the last of the values at which its laws are tried."""
    return {param.name: _example(op, param) for param in op.params}


def _example(op: Op, param: Param) -> Any:
    if param.default is not REQUIRED:
        return default_of(op, param)
    if param.kind == "layers":
        return ["tanh"]
    if param.kind == "losses":
        return {"depth": "mse", "label": "cross_entropy"}
    return param.sweep[-1]


@singledispatch
def example_of(op: Op) -> str:
    """A piece of a spec in which the op stands with all of its options."""
    entry = f"network:\n  - {_entry(op.name, options := example_options(op))}"
    if all(len(line) <= _WIDTH for line in entry.splitlines()):
        return entry
    lines = (f"      {key}: {_written(value)}" for key, value in options.items())
    return "\n".join([f"network:\n  - {op.name}:", *lines])


@example_of.register
def _(op: Loss) -> str:
    options = example_options(op)
    return f"loss:\n  {_entry(op.name, options)}" if options else f"loss: {op.name}"


@example_of.register
def _(op: Term) -> str:
    return _in_a_sum(op, "mse", 1e-4)


@example_of.register
def _(op: OutputTerm) -> str:
    return _in_a_sum(op, "cross_entropy", 0.1)


def _in_a_sum(op: Op, loss: str, weight: float) -> str:
    entry = _entry(op.name, {"weight": weight, **example_options(op)})
    return f"loss:\n  sum:\n    - {loss}\n    - {entry}"


@example_of.register
def _(op: Weighting) -> str:
    heads = "network:\n  heads: {depth: [dense: 1], label: [dense: 5]}"
    options = (f"    {key}: {_written(value)}" for key, value in example_options(op).items())
    return "\n".join([heads, "loss:", f"  {op.name}:", *options])


@example_of.register
def _(op: Initializer) -> str:
    options = example_options(op)
    init = f"{{{_entry(op.name, options)}}}" if options else op.name
    return f"network:\n  - dense: {{units: 16, init: {init}}}"


@example_of.register(Optimizer)
@example_of.register(Schedule)
@example_of.register(Curriculum)
def _(op: Op) -> str:
    options = example_options(op)
    if not options:
        return f"train: {{{op.kind}: {op.name}}}"
    entry = f"train:\n  {op.kind}: {{{_entry(op.name, options)}}}"
    if all(len(line) <= _WIDTH for line in entry.splitlines()):
        return entry
    lines = (f"      {key}: {_written(value)}" for key, value in options.items())
    return "\n".join(["train:", f"  {op.kind}:", f"    {op.name}:", *lines])


def _entry(name: str, options: Mapping[str, Any]) -> str:
    if not options:
        return name
    return f"{name}: {_written(dict(options))}"


def _written(value: Any) -> str:
    """A value as YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(item)}' for key, item in value.items())}}}"
    return f"{value:g}" if isinstance(value, float) else str(value)
