"""Instances at random of the schema that `gradcli schema` prints: whatever it offers is drawn."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

__all__ = ["drawn", "schema"]

Schema = dict[str, Any]

_DEEPEST: Final = 12
_NAMES: Final = ("own", "x", "y", "p", "beta", "one", "two", "outputs", "dense_1")
_TEXTS: Final = (
    "x", "data.npz", "data.csv", "data.npy", "weights.npz", "canary.py", "x * x", "x * beta",
    "x ** 2", "own", "dense_1.*", "*", "mean((y - p) ** 2)", "g * x", "auto", "one", "two", "pass",
)  # fmt: skip
_NUMBERS: Final = (0, 1, 2, 3, 5, 8, 0.5, -1, 1e-3, 1.5, 0.1, 40, 1e300, 1e-300, 1 << 40, 1e18)


@cache
def schema() -> Schema:
    from gradcli import api

    return api.schema()


def drawn(rng: np.random.Generator, part: Schema | bool | None = None, depth: int = 0) -> Any:
    """A value of a part of the schema, of the whole by default; some break the finer rules."""
    if part is None:
        part = schema()
    if isinstance(part, bool) or depth > _DEEPEST:
        return _one_of(rng, _NUMBERS)
    part = _merged(rng, part)
    if "const" in part:
        return part["const"]
    if "enum" in part:
        return _one_of(rng, part["enum"])
    kind = part.get("type", "object" if "properties" in part else "")
    kind = _one_of(rng, kind) if isinstance(kind, list) else kind
    if kind == "object":
        return _mapping(rng, part, depth)
    if kind == "array":
        length = int(rng.integers(part.get("minItems", 0), part.get("maxItems", 4) + 1))
        return [drawn(rng, part.get("items", True), depth + 1) for _ in range(length)]
    if kind == "string":
        return _one_of(rng, _TEXTS)
    if kind == "boolean":
        return bool(rng.integers(2))
    if kind == "null":
        return None
    return _number(rng, part, kind)


def _merged(rng: np.random.Generator, part: Schema) -> Schema:
    """The part with what it refers to, and one of its alternatives."""
    found: Schema = {}
    open_parts = [part]
    while open_parts:
        each = dict(open_parts.pop())
        if "$ref" in each:
            open_parts.append(schema()["$defs"][each.pop("$ref").rsplit("/", 1)[1]])
        open_parts += [rule for rule in each.pop("allOf", ()) if isinstance(rule, dict)]
        for several in ("anyOf", "oneOf"):
            if several in each:
                chosen = _one_of(rng, each.pop(several))
                open_parts += [chosen] if isinstance(chosen, dict) else []
        for word in ("if", "then"):
            each.pop(word, None)
        if isinstance(each.get("else"), dict):
            open_parts.append(each.pop("else"))
        properties = {**found.get("properties", {}), **each.get("properties", {})}
        required = [*found.get("required", ()), *each.get("required", ())]
        found = {**found, **each, "required": required}
        if properties:
            found["properties"] = properties
    return found


def _mapping(rng: np.random.Generator, part: Schema, depth: int) -> dict[str, Any]:
    share = 0.6 if depth == 0 else 0.3
    made: dict[str, Any] = {}
    properties = part.get("properties", {})
    for name, child in properties.items():
        if name in part["required"] or rng.random() < share:
            made[name] = drawn(rng, child, depth + 1)
    further = part.get("additionalProperties", False)
    if isinstance(further, dict):
        for name in rng.choice(_NAMES, int(rng.integers(1, 3)), replace=False).tolist():
            made.setdefault(name, drawn(rng, further, depth + 1))
    least = part.get("minProperties", 0)
    while properties and len(made) < least:
        name = _one_of(rng, list(properties))
        made[name] = drawn(rng, properties[name], depth + 1)
    return made


def _number(rng: np.random.Generator, part: Schema, kind: str) -> Any:
    low = part.get("minimum", part.get("exclusiveMinimum", -2))
    high = part.get("maximum", part.get("exclusiveMaximum", max(low, 0) + 6))
    if rng.random() < 0.15:
        return _one_of(rng, _NUMBERS)
    value = low + (high - low) * rng.random()
    return int(np.ceil(value)) if kind == "integer" else round(float(value), 3)


def _one_of(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]
