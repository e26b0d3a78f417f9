"""An option of an op, as a spec writes it."""

from __future__ import annotations

import math
from typing import Any, Literal

from gradcli.core.record import Record

__all__ = ["REQUIRED", "Param", "ParamKind"]

ParamKind = Literal[
    "number", "integer", "boolean", "choice", "initializer", "layers", "losses", "any"
]
REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()
"""Default of a parameter that a spec has to write."""


class Param(Record):
    """Name, default, type and bounds of one option.

    `sweep` are the values at which the laws are tried. `nullable` lets a spec write `null`.
    """

    name: str
    default: Any = REQUIRED
    kind: ParamKind = "number"
    above: float = -math.inf
    at_least: float = -math.inf
    below: float = math.inf
    at_most: float = math.inf
    choices: tuple[str, ...] = ()
    nullable: bool = False
    sweep: tuple[Any, ...] = ()
    doc: str = ""

    def expected(self) -> str:
        """What a value has to be, in words: `a number above 0`."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        noun = {
            "number": "a number",
            "integer": "a whole number",
            "boolean": "true or false",
            "initializer": "an initializer",
            "layers": "a list of layers",
            "losses": "losses by task",
            "any": "a value",
        }[self.kind]
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (
                ("above", self.above),
                ("at least", self.at_least),
                ("below", self.below),
                ("at most", self.at_most),
            )
            if math.isfinite(bound)
        ]
        return " ".join([noun, " and ".join(bounds)]).strip() + (
            " or null" if self.nullable else ""
        )

    def convert(self, value: Any) -> Any:
        """The value as the op takes it; raises ValueError with what was expected.

        Initializers, layers and losses are read by the spec reader and pass through, as does any
        value that is meant for users' Python.
        """
        if value is None and self.nullable:
            return None
        if self.kind in ("initializer", "layers", "losses", "any"):
            return value
        if self.kind == "boolean":
            if isinstance(value, bool):
                return value
        elif self.kind == "choice":
            if value in self.choices:
                return value
        elif (
            isinstance(value, (int, float)) and not isinstance(value, bool) and self._within(value)
        ):
            if self.kind == "number":
                return float(value)
            if float(value).is_integer():
                return int(value)
        raise ValueError(f"expected {self.expected()}")

    def _within(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and self.above < value < self.below
            and self.at_least <= value <= self.at_most
        )
