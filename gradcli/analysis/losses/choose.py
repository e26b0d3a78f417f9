"""Which losses are meant: by name with parameters, or those of a spec."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gradcli.analysis.named import options_of, pairs, suggestion
from gradcli.core.op import (
    Activation,
    Initializer,
    Layer,
    Loss,
    Op,
    Options,
    OutputTerm,
    Term,
    Weighting,
)
from gradcli.core.record import Record
from gradcli.core.registry import CATALOGUE
from gradcli.errors import SpecError, SpecProblem, UsageError
from gradcli.spec.plan import ElementwiseDefinition, Plan

__all__ = ["Chosen", "is_loss_name", "named_losses", "on_one_group", "spec_losses"]

_MINED: Final = "identities"
"""What a loss reads to find the rows that belong together."""


class Chosen(Record):
    """A loss with its options, what it is called here, and where a spec uses or defines it."""

    name: str
    op: Loss
    options: Options
    weight: float = 1.0
    spec: str = ""
    definition: ElementwiseDefinition | None = None


def is_loss_name(written: str) -> bool:
    """Whether a word means a loss rather than a spec: there is one, or there is no such file."""
    if written.endswith((".yaml", ".yml")) or os.sep in written:
        return False
    return _found(written.partition(":")[0]) is not None or not os.path.exists(written)


def _found(name: str) -> Loss | None:
    return CATALOGUE.find(name, Loss, OutputTerm)


def on_one_group(chosen: Chosen) -> Chosen:
    """A loss that mines its groups of rows within a batch, as what it is for one group of them."""
    op, options = chosen.op, chosen.options
    for param in op.params if op.reads_at(options) == _MINED else ():
        plain = {**options, param.name: param.default}
        if op.reads_at(plain) != _MINED:
            return chosen.replace(options=plain)
    return chosen


def named_losses(names: Sequence[str], params: Mapping[str, Any]) -> dict[str, Chosen]:
    """Losses of the catalogue, each written as NAME or NAME:PARAM=VALUE,..., by what is written.

    `params` go to every loss that has them and does not state its own. Raises UsageError, with the
    nearest name, for what there is not, and for values that do not fit.
    """
    chosen: dict[str, Chosen] = {}
    for written in names:
        name, _, inline = written.partition(":")
        op = _loss(name)
        own = pairs(inline, op) if inline else {}
        given = {key: value for key, value in params.items() if op.param(key) is not None}
        chosen[written] = Chosen(written, op, options_of(op, {**given, **own}))
    if params and not names:
        raise UsageError(f"{', '.join(params)}: a spec states the parameters of its losses itself")
    known = {param.name for each in chosen.values() for param in each.op.params}
    for key in params:
        if key not in known:
            names = list(dict.fromkeys(each.op.name for each in chosen.values()))
            who = f"{names[0]} has" if len(names) == 1 else f"{', '.join(names)} have"
            raise UsageError(f"{who} no parameter {key!r}; {suggestion(key, sorted(known))}")
    return chosen


def _loss(name: str) -> Loss:
    op = _found(name)
    if op is not None:
        return op
    found: Op | None = CATALOGUE.find(name, Term, Weighting, Activation, Layer, Initializer)
    if isinstance(found, Weighting):
        hint = "a spec with it has a loss for each head, which `gradcli loss SPEC` shows"
        raise UsageError(f"{name} combines the losses of several heads; {hint}")
    if found is not None:
        raise UsageError(f"{name} is in the catalogue, but no loss: see `gradcli explain {name}`")
    raise UsageError(f"there is no loss {name!r}; {suggestion(name, CATALOGUE.names(Loss))}")


def spec_losses(plan: Plan) -> list[Chosen]:
    """The losses that a spec uses, then those that it only defines.

    Raises SpecError for a spec without any.
    """
    own = {
        id(definition.op): definition
        for definition in plan.definitions
        if isinstance(definition, ElementwiseDefinition) and isinstance(definition.op, Loss)
    }
    chosen = [
        Chosen(loss.name, loss.op, loss.options, loss.weight, plan.file, own.get(id(loss.op)))
        for loss in plan.losses
    ]
    used = {id(each.op) for each in chosen}
    for key, definition in own.items():
        if key not in used and isinstance(definition.op, Loss):
            defined = Chosen(
                definition.name, definition.op, definition.params, 1.0, plan.file, definition
            )
            chosen.append(defined)
    if not chosen:
        message = f"{plan.name} has no loss, and defines none"
        raise SpecError([SpecProblem("SP008", message, plan.file)])
    return chosen
