"""The one encoder: reports as JSON that every parser reads, the same bytes every time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

__all__ = ["encode", "encode_line", "jsonable"]


def jsonable(value: Any) -> Any:
    """The value in JSON's own types; numbers that JSON lacks become "nan", "inf" and "-inf".

    NumPy scalars and arrays become numbers and lists. Raises TypeError for anything else.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's, without importing it
        return jsonable(value.tolist())
    raise TypeError(f"no JSON for {type(value).__name__}")


def encode(document: Mapping[str, Any]) -> str:
    """The document, indented, keys in their own order; ASCII, so that no locale can spoil it."""
    return json.dumps(jsonable(document), indent=2, allow_nan=False) + "\n"


def encode_line(document: Mapping[str, Any]) -> str:
    """The document on a line of its own."""
    return json.dumps(jsonable(document), allow_nan=False) + "\n"
