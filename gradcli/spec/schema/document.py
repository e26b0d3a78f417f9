"""The schema of a whole spec: its sections, and what they need of each other."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gradcli.core.registry import Catalogue
from gradcli.spec.assemble import KEYS, VERSION
from gradcli.spec.options import SECTIONS
from gradcli.spec.read_data import BATCH, DRAWN
from gradcli.spec.read_data import KEYS as DATA_KEYS
from gradcli.spec.read_function import INPUT_OPTIONS
from gradcli.spec.read_sections import DTYPE, EXPECTED, OUTCOME, SEED
from gradcli.spec.schema.definitions import array, define, values
from gradcli.spec.schema.entries import OWN, entry_definitions
from gradcli.spec.schema.values import (
    OWN_NAME,
    TEXT,
    Schema,
    closed,
    either,
    list_of,
    option_schema,
    param_schema,
    ref,
)

__all__ = ["json_schema"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_ABOUT: Final = {
    "gradcli": "version of the format",
    "name": "what the spec is called in reports; by default its file's name",
    "seed": "of everything that is drawn: data and weights",
    "dtype": "precision of the network",
    "data": "inputs and targets",
    "network": "a list of layers, or a trunk with heads",
    "weights": "an .npz file of arrays by parameter name",
    "loss": "one loss, a weighted sum, or one task for each head",
    "expect": "how the spec has to come out",
    "check": "options of gradcli check",
    "flow": "options of gradcli flow",
    "train": "options of training",
}


def json_schema(catalogue: Catalogue, check_codes: Collection[str] = ()) -> Schema:
    """What every spec conforms to, as far as JSON Schema (draft 2020-12) can say it.

    It says nothing of shapes, of formulas, and of names that the spec itself defines.
    `check_codes` are the codes that `expect: {check: ...}` may name; by default whatever looks
    like one.
    """
    sections = {name: _section(name) for name in SECTIONS}
    properties: dict[str, Schema] = {
        "gradcli": {"const": VERSION},
        "name": TEXT,
        "seed": param_schema(SEED, {}),
        "dtype": param_schema(DTYPE, {}),
        "data": ref("data"),
        "network": {},
        "weights": TEXT,
        "loss": {},
        "define": define(catalogue),
        "expect": _expect(check_codes),
        **sections,
    }
    told = {
        name: {**schema, "description": _ABOUT[name]} if name in _ABOUT else schema
        for name, schema in properties.items()
    }
    return {
        "$schema": DIALECT,
        "title": "A spec of gradcli",
        **closed(told, KEYS, ["gradcli"]),
        "anyOf": [{"required": [key]} for key in ("network", "loss", "define")],
        "dependentRequired": {"network": ["data"], "loss": ["data"]},
        "if": {"required": ["define"]},
        "then": _parts(OWN),
        "else": _parts(""),
        "$defs": {
            "data": _data(),
            "values": values(),
            "array": array(),
            "layer_input": array(INPUT_OPTIONS, scalar=True),
            **entry_definitions(catalogue),
        },
    }


def _parts(prefix: str) -> Schema:
    """The sections that name ops."""
    return {"properties": {name: ref(f"{prefix}{name}") for name in ("network", "loss")}}


def _data() -> Schema:
    columns = either(TEXT, list_of(TEXT))
    target = either({"const": DRAWN}, ref("array"), columns)
    by_head = {
        "type": "object",
        "propertyNames": OWN_NAME,
        "additionalProperties": target,
        "minProperties": 1,
    }
    properties = {
        "file": {**TEXT, "description": ".npz, .npy or .csv, relative to the spec"},
        "inputs": {
            **either(ref("array"), columns),
            "description": "an array, or names of arrays or columns of the file",
        },
        "targets": {
            **either(*target["anyOf"], by_head),
            "description": f"as inputs, `{DRAWN}` to suit the loss, or by head",
        },
        BATCH.name: param_schema(BATCH, {}),
    }
    with_file = {"required": ["file"]}
    stated = {"required": ["inputs"], "properties": {"inputs": {"type": "object"}}}
    return closed(properties, DATA_KEYS, anyOf=[with_file, stated])


def _expect(check_codes: Collection[str]) -> Schema:
    commands = {name: option_schema(option) for name, option in EXPECTED.items()}
    if check_codes:
        commands["check"] = {
            **commands["check"],
            "anyOf": [{"enum": list(OUTCOME.choices)}, {"enum": list(check_codes)}],
        }
    return either(param_schema(OUTCOME, {}), closed(commands, EXPECTED))


def _section(name: str) -> Schema:
    """Options, whose names may be written with hyphens, or nothing."""
    options = {key: option_schema(option) for key, option in SECTIONS[name].items()}
    hyphened = {
        f"^{key.replace('_', '-')}$": schema for key, schema in options.items() if "_" in key
    }
    return either(closed(options, options, patternProperties=hyphened), {"type": "null"})
