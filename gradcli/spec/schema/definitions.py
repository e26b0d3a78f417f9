"""Arrays, and the operations that a spec defines for itself, in JSON Schema."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from gradcli.core.op import X
from gradcli.core.param import Param
from gradcli.core.registry import Catalogue
from gradcli.spec.fields import NAME
from gradcli.spec.read_arrays import DISTRIBUTION, STD
from gradcli.spec.read_arrays import KEYS as ARRAY_KEYS
from gradcli.spec.read_define import BOUND, ELEMENTWISE, KIND, elementwise_keys, names_taken
from gradcli.spec.read_formula import SYMBOL
from gradcli.spec.read_function import INPUT_OPTIONS
from gradcli.spec.read_function import KEYS as FUNCTION_KEYS
from gradcli.spec.read_layer import KEYS as LAYER_KEYS
from gradcli.spec.read_layer import NAME_OPTION
from gradcli.spec.read_params import TAKEN
from gradcli.spec.schema.values import (
    FORMULA,
    TEXT,
    Schema,
    closed,
    either,
    list_of,
    option_schema,
    param_schema,
    ref,
    whole,
)

__all__ = ["array", "define", "values"]

_AXIS: Final = Param("axis", kind="integer", at_least=1)
_NUMBER: Final[Schema] = {"type": "number"}
_ABOUT: Final = {
    "forward": "the value: a formula, or the name of a Python function",
    "derivative": "the claimed derivative, a formula in x",
    "gradient": "the claimed gradient: a formula in p and y, or a formula for each input",
    "domain": "where the formula holds, two ends by variable",
    "at": "further points to check at, by variable",
    "python": "a file beside the spec, or a dotted module; needs --allow-python",
    "backward": "the name of a Python function",
    "class": "the name of a Python class",
    "params": "numbers by name, used in the formulas",
    "inputs": "arrays by name",
}


def values() -> Schema:
    """Nested lists of numbers."""
    return list_of(either(_NUMBER, ref("values")))


def array(options: Collection[Param] = (), *, scalar: bool = False) -> Schema:
    """An array that a spec states or has drawn, with further options."""
    shape = list_of(param_schema(_AXIS, {}))
    shape = {**shape, "minItems": int(not scalar), "maxItems": 16}
    own = {
        "values": either(ref("values"), *([_NUMBER] if scalar else [])),
        "shape": {**shape, "description": "axis lengths, rows first"},
        DISTRIBUTION.name: param_schema(DISTRIBUTION, {}),
        STD.name: param_schema(STD, {}),
    }
    more = {option.name: param_schema(option, {}) for option in options}
    return closed(
        {**own, **more},
        (*ARRAY_KEYS, *more),
        oneOf=[{"required": ["values"]}, {"required": ["shape"]}],
    )


def define(catalogue: Catalogue) -> Schema:
    """The section `define`: definitions by name."""
    kinds = [
        *(_elementwise(kind) for kind in ELEMENTWISE),
        _function(by_python=False),
        _function(by_python=True),
        _layer(),
    ]
    return {
        "type": "object",
        "description": "own operations, checked against what they claim",
        "propertyNames": {"pattern": whole(NAME.pattern), "not": {"enum": names_taken(catalogue)}},
        "additionalProperties": {
            "type": "object",
            "title": "a definition",
            "properties": {"kind": param_schema(KIND, {})},
            "required": ["kind"],
            "anyOf": kinds,
        },
        "minProperties": 1,
    }


def _elementwise(kind: str) -> Schema:
    variables, claimed = ELEMENTWISE[kind]
    bound = option_schema(BOUND)
    ends = {"type": "array", "items": bound, "minItems": 2, "maxItems": 2}
    points = either(_NUMBER, {"type": "array", "items": _NUMBER})
    return _kind(
        kind,
        {
            "params": _by_symbol(_NUMBER, variables),
            "forward": FORMULA,
            claimed: FORMULA,
            "domain": _by_variable(ends, variables),
            "at": _by_variable(points, variables),
        },
        elementwise_keys(kind),
        ["forward"],
    )


def _function(*, by_python: bool) -> Schema:
    inputs = {**_by_symbol(array(INPUT_OPTIONS, scalar=True), ()), "minProperties": 1}
    properties = {"inputs": inputs, "params": _by_symbol(_NUMBER, ())}
    in_python: dict[str, Schema] = {"python": TEXT, "backward": TEXT}
    by_formula: dict[str, Schema] = {
        "gradient": {"type": "object", "additionalProperties": FORMULA}
    }
    if by_python:
        properties |= {"forward": TEXT, **in_python}
        required, unfit = ["inputs", "forward", "python"], by_formula
    else:
        properties |= {"forward": FORMULA, **by_formula}
        required, unfit = ["inputs", "forward"], in_python
    keys = [key for key in FUNCTION_KEYS if key not in unfit]
    return _kind("function", properties, keys, required)


def _layer() -> Schema:
    x = ref("layer_input")
    properties = {
        "python": TEXT,
        "class": TEXT,
        "params": {"type": "object", "propertyNames": {"not": {"const": NAME_OPTION}}},
        "inputs": closed({X: x}, [X], [X]),
    }
    return _kind("layer", properties, LAYER_KEYS, ["python", "class"])


def _kind(
    kind: str, properties: dict[str, Schema], keys: Collection[str], required: list[str]
) -> Schema:
    told = {
        name: {**schema, "description": _ABOUT[name]} if name in _ABOUT else schema
        for name, schema in properties.items()
    }
    return closed({"kind": {"const": kind}, **told}, keys, ["kind", *required])


def _by_symbol(schema: Schema, taken: Collection[str]) -> Schema:
    """Values by names that formulas may use."""
    names: dict[str, Any] = {"pattern": whole(SYMBOL.pattern), "not": {"enum": [*TAKEN, *taken]}}
    names["not"]["enum"].sort()
    return {"type": "object", "propertyNames": names, "additionalProperties": schema}


def _by_variable(schema: Schema, variables: Collection[str]) -> Schema:
    return closed(dict.fromkeys(variables, schema), variables)
