"""What the JSON of results has in common, and how it is told apart from their fields.

The published schema of reports is read off the fields of the results, by their types. What a
`to_dict` leaves out, adds or may leave out is stated beside it, in a class attribute `in_json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from gradcli.core.record import Record
from gradcli.errors import SpecProblem

__all__ = ["PROBLEM", "Shape", "invalid_result"]

PROBLEM: Final = ("code", "line", "column", "key", "message", "hint")
"""What the JSON has of a problem in a spec."""


class Shape(Record):
    """How the JSON of a class differs from its fields.

    It lacks those `without`, and has `added` keys with these types, or those of properties of
    the class where the type is None. `optional` keys are there where there is something to say;
    `alone` are those that are all there is where there is nothing to say but why.
    """

    without: tuple[str, ...] = ()
    added: Mapping[str, Any] = MappingProxyType({})
    optional: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


def invalid_result(spec: str, errors: Sequence[SpecProblem]) -> dict[str, Any]:
    """What the JSON of any command says of a spec that cannot be used."""
    told = [{key: getattr(problem, key) for key in PROBLEM} for problem in errors]
    return {"spec": spec, "verdict": "invalid", "errors": told}
