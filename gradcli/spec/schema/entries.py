"""Entries that name an op: a layer, a loss, an initializer, ...; a name, or one with options.

Where a spec defines ops of its own an entry may name one of those as well, and no schema can tell
which there are. The definitions are therefore written twice: `layer`, and `own_layer` for such a
spec.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from gradcli.core.op import (
    Initializer,
    Loss,
    Macro,
    Op,
    OutputTerm,
    Term,
    Weighting,
)
from gradcli.core.param import REQUIRED
from gradcli.core.registry import Catalogue
from gradcli.core.training_op import Curriculum, Optimizer, Schedule
from gradcli.spec.read_loss import SUM
from gradcli.spec.read_network import CLASSES, RESERVED
from gradcli.spec.read_network import KEYS as NETWORK_KEYS
from gradcli.spec.read_tasks import KEYS as TASK_KEYS
from gradcli.spec.read_tasks import WEIGHT
from gradcli.spec.schema.values import (
    OWN_NAME,
    Schema,
    closed,
    either,
    list_of,
    param_schema,
    ref,
)

__all__ = ["OWN", "entry_definitions"]

OWN: Final = "own_"
"""Before the name of a definition for specs that define ops of their own."""

_NAME: Final = "name"
_NAMED: Final[Mapping[str, Schema]] = MappingProxyType(
    {
        _NAME: {
            **OWN_NAME,
            "not": {"enum": list(RESERVED)},
            "description": "what this layer is called",
        }
    }
)
_WEIGHTED: Final[Mapping[str, Schema]] = MappingProxyType({WEIGHT.name: param_schema(WEIGHT, {})})
_OWN_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {"description": "an op that this spec defines, with its parameters"}
)
_NOTHING: Final[Mapping[str, Schema]] = MappingProxyType({})


def entry_definitions(catalogue: Catalogue) -> dict[str, Schema]:
    """Everything that names ops, for specs with and without definitions of their own."""
    found: dict[str, Schema] = {
        op_class.kind: _entry(_ops(catalogue, op_class), _NOTHING, _NOTHING, own=False)
        for op_class in (Initializer, Optimizer, Schedule, Curriculum)
    }
    for own in (False, True):
        prefix = OWN if own else ""
        forms = {
            "initializer": ref("initializer"),
            "layers": ref(f"{prefix}layers"),
            "losses": ref(f"{prefix}tasks"),
        }
        layers = _ops(catalogue, *CLASSES)
        losses = _ops(catalogue, Loss)
        mixed = [*losses, *_ops(catalogue, Weighting)]
        summed = [*mixed, *_ops(catalogue, Term, OutputTerm)]
        found |= {
            f"{prefix}layer": _entry(layers, forms, _NAMED, own=own),
            f"{prefix}layers": list_of(ref(f"{prefix}layer")),
            f"{prefix}network": _network(ref(f"{prefix}layers")),
            f"{prefix}task_loss": _entry(losses, forms, _NOTHING, own=own),
            f"{prefix}summand": _entry(summed, forms, _WEIGHTED, own=own),
            f"{prefix}tasks": _tasks(prefix),
            f"{prefix}loss": _entry(
                mixed, forms, _NOTHING, own=own, more={SUM: list_of(ref(f"{prefix}summand"))}
            ),
        }
    return found


def _ops(catalogue: Catalogue, *classes: type[Op]) -> list[Op]:
    kinds = {op_class.kind for op_class in classes}
    return [op for op in catalogue if isinstance(op, classes) and op.kind in kinds]


def _network(layers: Schema) -> Schema:
    heads: Schema = {
        "type": "object",
        "propertyNames": OWN_NAME,
        "additionalProperties": layers,
        "minProperties": 1,
        "description": "lists of layers by the names of the heads",
    }
    trunk = {**layers, "description": "the layers below all heads"}
    return either(layers, closed({"trunk": trunk, "heads": heads}, NETWORK_KEYS, ["heads"]))


def _tasks(prefix: str) -> Schema:
    loss = ref(f"{prefix}task_loss")
    task = closed({"loss": loss, **_WEIGHTED}, TASK_KEYS, ["loss"])
    return {
        "type": "object",
        "propertyNames": OWN_NAME,
        "additionalProperties": either(OWN_NAME, task),
        "minProperties": 1,
    }


def _entry(
    ops: Sequence[Op],
    forms: Mapping[str, Schema],
    extra: Mapping[str, Schema],
    *,
    own: bool,
    more: Mapping[str, Schema] = _NOTHING,
) -> Schema:
    """A name alone, or one name with its options; `more` are further names that take a value."""
    alone: list[Schema] = []
    options: dict[str, Schema] = dict(more)
    for op in ops:
        needed = [param.name for param in op.params if param.default is REQUIRED]
        needed += [WEIGHT.name] * (isinstance(op, (Term, OutputTerm)) and WEIGHT.name in extra)
        about = {"description": op.summary}
        for name in (op.name, *op.aliases):
            if not needed:
                alone.append({"const": name, **about})
            options[name] = {**_options(op, forms, extra, needed), **about}
    named = {
        "type": "object",
        "title": "a name with options",
        "properties": options,
        "additionalProperties": dict(_OWN_OPTIONS) if own else False,
        "minProperties": 1,
        # apart: beside the properties it would keep editors from offering them in an empty entry
        "allOf": [{"maxProperties": 1}],
    }
    return either(named, *alone, *([_own_name(options)] if own else []))


def _options(
    op: Op, forms: Mapping[str, Schema], extra: Mapping[str, Schema], needed: Collection[str]
) -> Schema:
    """Options by name; the first one alone, if no other is needed; none, if none is."""
    params = {param.name: param_schema(param, forms) for param in op.params}
    params |= {} if isinstance(op, Macro) else extra
    alternatives = [closed(params, params, needed, title=f"options of {op.name}")]
    first = next((name for name in params if name != _NAME), None)
    if first is not None and set(needed) <= {first}:
        alternatives.insert(0, params[first])
    if not needed:
        alternatives.append({"type": "null"})
    return either(*alternatives)


def _own_name(known: Collection[str]) -> Schema:
    return {**OWN_NAME, "not": {"enum": list(known)}, "description": "an op of this spec's own"}
