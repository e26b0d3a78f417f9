"""Plain scalars as YAML 1.2's core schema reads them.

YAML 1.1, which PyYAML's own resolver follows, reads `1e-3` as a word and `no` as false.
"""

from __future__ import annotations

import math
import re
from typing import Final

from gradcli.spec.nodes import Beyond, as_float

__all__ = ["resolve"]

_WORDS: Final[dict[str, bool | float | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{
        sign + word: float(sign + "inf")
        for sign in ("", "+", "-")
        for word in (".inf", ".Inf", ".INF")
    },
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LENGTH_OF_64_BITS: Final = 21
"""A whole number written with more characters becomes a float anyway."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar; whole numbers beyond 64 bits become floats."""
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return _float(text) if len(text) >= _LENGTH_OF_64_BITS else as_float(int(text))
    if _BASED.fullmatch(text):
        return as_float(int(text, 0))
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def _float(text: str) -> float:
    value = float(text)
    return Beyond(text) if math.isinf(value) else value
