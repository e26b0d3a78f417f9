"""A network for `gradcli flow` from a handful of numbers, as a spec."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from gradcli.analysis.named import options_of, pairs
from gradcli.core.op import Activation, Initializer, Loss, Op
from gradcli.core.registry import CATALOGUE, nearest
from gradcli.errors import UsageError
from gradcli.spec.read_arrays import DISTRIBUTION, STD
from gradcli.spec.read_loss import SUM

__all__ = [
    "Entry",
    "build_spec",
    "drawn_inputs",
    "head_units",
    "initialization",
    "known",
    "read_entry",
]

AnyOp = TypeVar("AnyOp", bound=Op)

Entry = str | Mapping[str, Any]

_NORMS: Final = {"batch": "batch_norm", "layer": "layer_norm", "rms": "rms_norm"}
_POSITIONS: Final = ("pre", "post")

_CLASSES = 10
"""Units of the head for a loss on classes: of one class alone it is constant."""


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
    norm: str = "none",
    norm_position: str | None = None,
    dropout: float = 0.0,
    input: str | float = "normal",
    seed: int = 0,
) -> dict[str, Any]:
    """The spec of `depth` dense layers, each with its activation, and a linear head.

    The head has one unit, or ten where the loss is on classes.
    Inputs have the shape (batch, width); `input` is their distribution, their standard deviation,
    or both: `uniform`, 0.5, `uniform:0.5`. Entries are written as in a spec, or in one word:
    `leaky_relu:alpha=0.3`. `gain` multiplies
    the standard deviation of the initializer's own rule; biases are what the initializer says,
    or normal with `bias_std` where that is above zero. With `residual`, each layer becomes a block
    x + residual_scale·f(W x + b). `norm` (none, batch, layer, rms) puts a normalization into each
    layer: in front of the activation (`norm_position` pre, the default) or behind it (post), and in
    a residual network at the start of the branch (pre, x + f(norm(x))) or behind the sum (post,
    norm(x + f(x))), as in Xiong et al. 2020. `dropout`, the share of entries dropped, comes last in
    a layer, or in its branch. Options and numbers that the spec's reader would refuse are passed
    on to it. Raises UsageError for names that are not known, for a gain that is no number above 0,
    for one that the initializer cannot take, and for what would have no effect.
    """
    activation = read_entry("activation", activation, Activation)
    init = read_entry("init", init, Initializer)
    loss = read_entry("loss", loss, Loss)
    known("activation", activation, Activation)
    known("init", init, Initializer)
    if not isinstance(gain, (int, float)) or not 0 < gain < math.inf:
        raise UsageError(f"gain: expected a number above 0, got {gain!r}")
    if residual_scale != 1 and not residual:
        raise UsageError("residual_scale: only for residual networks; add residual")
    dense: dict[str, Any] = {"units": width, **initialization(activation, init, gain, width)}
    if bias_std:
        dense["bias_init"] = {"normal": {"std": bias_std}}
    layer: list[Any] = [{"dense": dense}, activation]
    before, behind = _normalization(norm, norm_position)
    dropped = [{"dropout": {"p": dropout}}] if dropout else []
    if residual:
        branch = [*before, *layer, *dropped]
        layers = [{"residual": {"layers": branch, "scale": residual_scale}}, *behind]
    else:
        layers = [layer[0], *before, layer[1], *behind, *dropped]
    return {
        "gradcli": 1,
        "name": f"{depth} x {width} {_named(activation)[0]}",
        "seed": seed,
        "dtype": dtype,
        "data": {
            "inputs": {"shape": [batch, width], **drawn_inputs(input)},
            "targets": "auto",
        },
        "network": [
            {"repeat": {"times": depth, "layers": layers}},
            {"dense": {"units": head_units(loss), "name": "head"}},
        ],
        "loss": loss,
    }


def read_entry(option: str, entry: Entry, op_class: type[Op]) -> Entry:
    """An entry as a spec has it, where it may be written as NAME:PARAM=VALUE,...

    Raises UsageError, naming the option, for what there is not, and for values that do not fit.
    """
    if not isinstance(entry, str) or ":" not in entry:
        return entry
    name, _, inline = entry.partition(":")
    op = known(option, name, op_class)
    given = pairs(inline, op)
    read = options_of(op, given)
    return {name: {key: read[key] for key in given}}


def known(option: str, entry: Entry, op_class: type[AnyOp]) -> AnyOp:
    """The op that an entry names; UsageError naming the option and the nearest op, or all."""
    name = entry if isinstance(entry, str) else None
    if isinstance(entry, Mapping) and len(entry) == 1:
        name = next(iter(entry))
    found = None if name is None else CATALOGUE.find(name, op_class)
    if found is not None:
        return found
    names = CATALOGUE.names(op_class)
    near = nearest(name[:100], names) if isinstance(name, str) else None
    hint = f"did you mean {near}?" if near else "expected one of " + ", ".join(names)
    raise UsageError(f"{option}: there is no {op_class.kind} {name or entry!r}; {hint}")


def _normalization(norm: str, position: str | None) -> tuple[list[str], list[str]]:
    """The normalization as entries in front and behind."""
    if norm not in ("none", *_NORMS):
        raise UsageError(f"norm: expected one of none, {', '.join(_NORMS)}, got {norm!r}")
    if position not in (None, *_POSITIONS):
        raise UsageError(f"norm_position: expected pre or post, got {position!r}")
    if norm == "none":
        if position is not None:
            raise UsageError("norm_position: only for a network with a normalization; add norm")
        return [], []
    return ([], [_NORMS[norm]]) if position == "post" else ([_NORMS[norm]], [])


def drawn_inputs(given: str | float) -> dict[str, Any]:
    """How the inputs are drawn."""
    chosen = {each.name: each.default for each in (DISTRIBUTION, STD)}
    parts = str(given).split(":")
    try:
        if parts[0] in DISTRIBUTION.choices:
            chosen[DISTRIBUTION.name] = parts.pop(0)
        if parts:
            (std,) = parts
            chosen[STD.name] = STD.convert(float(std))
    except ValueError:
        expected = f"{' or '.join(DISTRIBUTION.choices)}, a standard deviation above 0, or both"
        raise UsageError(f"input: expected {expected} (uniform:0.5), got {given!r}") from None
    return chosen


def head_units(loss: Entry) -> int:
    """Units of the linear head: one, or several for a loss on classes."""
    return _CLASSES if _on_rows(loss) else 1


def _on_rows(loss: Entry) -> bool:
    summands = loss.get(SUM) if isinstance(loss, Mapping) else None
    if not isinstance(summands, (list, tuple)):
        return not known("loss", loss, Loss).elementwise
    ops = (CATALOGUE.find(_named(entry)[0], Loss) for entry in summands if entry)
    return any(op is not None and not op.elementwise for op in ops)


def _named(entry: Entry) -> tuple[str, Any]:
    """An entry's name and what it says of its options."""
    return (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))


def initialization(activation: Entry, init: Entry, gain: float, width: int) -> dict[str, Any]:
    """The `init` entry of a layer, and of its bias where that goes with it, with the gain in it."""
    if gain == 1:
        return {"init": init}
    name, written = _named(init)
    op = known("init", name, Initializer)
    if op.resolves:
        name = known("activation", _named(activation)[0], Activation).init
        op = known("init", name, Initializer)
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
