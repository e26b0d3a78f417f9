"""Values of options, and the objects that hold them, in JSON Schema (draft 2020-12)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from gradcli.core.param import REQUIRED, Param
from gradcli.errors import InternalError
from gradcli.spec.fields import NAME
from gradcli.spec.options import Alternative, OpOption, Option

__all__ = [
    "FORMULA",
    "OWN_NAME",
    "TEXT",
    "Schema",
    "closed",
    "either",
    "list_of",
    "option_schema",
    "param_schema",
    "ref",
    "whole",
]

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
FORMULA: Final[Schema] = {"type": ["string", "number"], "minLength": 1}


def whole(pattern: str) -> str:
    """A pattern for all of a text: that of a schema may match anywhere in it."""
    return f"^({pattern})$"


OWN_NAME: Final[Schema] = {"type": "string", "pattern": whole(NAME.pattern)}
"""What a spec may call something of its own."""

_BOUNDS: Final = (
    ("above", "exclusiveMinimum"),
    ("at_least", "minimum"),
    ("below", "exclusiveMaximum"),
    ("at_most", "maximum"),
)


def ref(name: str) -> Schema:
    """A reference to one of the schema's definitions."""
    return {"$ref": f"#/$defs/{name}"}


def either(*schemas: Schema) -> Schema:
    """Any one of them."""
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def list_of(schema: Schema) -> Schema:
    """A list that is not empty."""
    return {"type": "array", "items": schema, "minItems": 1}


def closed(
    properties: Mapping[str, Schema],
    keys: Collection[str],
    required: Collection[str] = (),
    **more: Any,
) -> Schema:
    """An object with these properties and no others.

    `keys` are what the reader of the section knows; InternalError where it knows others.
    """
    if set(keys) != set(properties):
        raise InternalError(f"the schema knows {sorted(properties)}, a spec {sorted(keys)}")
    return {
        "type": "object",
        "properties": {key: properties[key] for key in keys},
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def param_schema(param: Param, forms: Mapping[str, Schema]) -> Schema:
    """What a parameter takes; `forms` are those of kinds that hold other ops."""
    schema = _form(param, forms)
    if param.nullable:
        schema = either(schema, {"type": "null"})
    schema["description"] = param.expected() + (f": {param.doc}" if param.doc else "")
    default = param.default
    if default is not REQUIRED and (
        default is None or isinstance(default, (bool, float, int, str))
    ):
        schema["default"] = default
    return schema


def _form(param: Param, forms: Mapping[str, Schema]) -> Schema:
    if param.kind in forms:
        return dict(forms[param.kind])
    if param.kind == "choice":
        return {"enum": list(param.choices)}
    if param.kind == "any":
        return {}
    bounds = {
        keyword: getattr(param, field)
        for field, keyword in _BOUNDS
        if math.isfinite(getattr(param, field))
    }
    return {"type": param.kind, **bounds}


def option_schema(option: Option | OpOption | Param) -> Schema:
    """What an option of a section takes."""
    if isinstance(option, OpOption):
        one = ref(option.op_class.kind)
        named = {"type": "object", "additionalProperties": one}
        return {**(named if option.by_name else one), "description": option.expected()}
    if isinstance(option, Param):
        return param_schema(option, {})
    schema = either(*map(_alternative, option.alternatives))
    return {**schema, "description": option.expected()}


def _alternative(alternative: Alternative) -> Schema:
    form = alternative.form
    if isinstance(form, Param):
        return _form(form, {})
    if isinstance(form, Alternative):
        one = _alternative(form)
        return either(one, {"type": "array", "items": one})
    return dict(form)
