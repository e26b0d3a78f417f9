"""Ops as a command line writes them: NAME, or NAME:PARAM=VALUE,... with options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gradcli.core.op import Op
from gradcli.core.param import REQUIRED, Param
from gradcli.core.registry import nearest
from gradcli.errors import UsageError

__all__ = ["options_of", "pairs", "suggestion"]

_WORDS: Final[dict[str, Any]] = {"null": None, "true": True, "false": False}


def suggestion(word: str, names: list[str]) -> str:
    """The name that a misspelled word is nearest to, or all there are, as a hint."""
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near}?"
    return f"there are {', '.join(names)}" if names else "there are none"


def pairs(text: str, op: Op) -> dict[str, str]:
    """`delta=2,tau=0.5` by name.

    Raises UsageError for anything else, and for what the op has no parameter for.
    """
    found = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            raise UsageError(f"{op.name}:{text}: expected PARAM=VALUE, not {part!r}")
        if op.param(key) is None:
            names = [param.name for param in op.params]
            raise UsageError(f"{op.name} has no parameter {key!r}; {suggestion(key, names)}")
        found[key] = value
    return found


def options_of(op: Op, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the op: as given, in words or in values, else by default.

    Raises UsageError for a value that does not fit, or one that is missing.
    """
    options = {param.name: _value(op, param, given) for param in op.params}
    if op.validate is not None:
        try:
            op.validate(**options)
        except ValueError as error:
            raise UsageError(f"{op.name}: {error}") from None
    return options


def _value(op: Op, param: Param, given: Mapping[str, Any]) -> Any:
    if param.name not in given:
        if param.default is REQUIRED:
            raise UsageError(f"{op.name} needs {param.name}: {param.expected()}")
        return param.default
    value = given[param.name]
    try:
        return param.convert(_read(value) if isinstance(value, str) else value)
    except ValueError as error:
        raise UsageError(f"{op.name}: {param.name} cannot be {value!r}, {error}") from None


def _read(text: str) -> Any:
    """A number or word as a spec writes it."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return float(text)
    except ValueError:
        return text
