"""The JSON Schema (draft 2020-12) of every report, read off the types of its results' fields."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, ClassVar, Final, Literal, Union, get_args, get_origin, get_type_hints

from gradcli.analysis.catalogue.report import ExplainReport, ListReport
from gradcli.analysis.curvature.report import CurvatureReport
from gradcli.analysis.flow.edge_report import EdgeReport
from gradcli.analysis.flow.paper.report import PaperReport
from gradcli.analysis.flow.report import FlowReport
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.analysis.gradcheck.self_test_report import SelfTest
from gradcli.analysis.gradcheck.step_size import StepCurve
from gradcli.analysis.graph.report import GraphReport
from gradcli.analysis.in_json import PROBLEM, Shape
from gradcli.analysis.losses.report import LossReport
from gradcli.analysis.training.report import TrainReport
from gradcli.analysis.verdict import SCHEMA, Report
from gradcli.core.record import Record
from gradcli.errors import ExitCode, InternalError, SpecProblem

__all__ = ["REPORTS", "report_schema"]

REPORTS: Final[tuple[type[Report], ...]] = (
    *(CheckReport, FlowReport, EdgeReport, PaperReport),
    *(LossReport, CurvatureReport, GraphReport, TrainReport),
    *(ExplainReport, ListReport),
)
"""What commands give as JSON: a new kind of report is entered here, and nowhere else."""

_LOADED_LATE: Final = {each.__name__: each for each in (SelfTest, StepCurve)}
"""Types that the modules of reports name and do not import."""

Schema = dict[str, Any]

_PLAIN: Final[Mapping[Any, Schema]] = {
    Any: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string"},
    types.NoneType: {"type": "null"},
    float: {"$ref": "#/$defs/number"},
}
_NUMBER: Final[Schema] = {
    "description": "A number; those that JSON lacks are texts.",
    "anyOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}],
}


def report_schema(reports: Sequence[type[Report]] = REPORTS) -> Schema:
    """What the JSON of each command conforms to: the envelope, and the command's own results."""
    definitions = _Definitions()
    results: dict[str, Any] = {}
    for report in reports:
        (result, *_) = get_args(_hints(report)["results"])
        command = str(report.command)
        results[command] = results[command] | result if command in results else result
    by_command = [
        {
            "if": {"properties": {"command": {"const": command}}},
            "then": {"properties": {"results": {"type": "array", "items": definitions.of(result)}}},
        }
        for command, result in results.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A report of gradcli",
        "type": "object",
        "properties": {
            "schema": {"const": SCHEMA},
            "command": {"enum": list(results)},
            "version": {"type": "string"},
            "exit_code": {"enum": [int(code) for code in ExitCode]},
            "seed": {"type": ["integer", "null"]},
            "results": {"type": "array"},
            "seconds": {"type": "number", "description": "with --timing only"},
        },
        "required": ["schema", "command", "version", "exit_code", "seed", "results"],
        "additionalProperties": False,
        "allOf": by_command,
        "$defs": {"number": _NUMBER, **definitions.found},
    }


class _Definitions:
    """Schemas of types; those of classes are kept, by name, and referred to."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}
        self._names: dict[type, str] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of what a value of this type becomes in JSON."""
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is None and isinstance(kind, type):
            return self._reference(kind)
        form = self._forms().get(origin)
        if form is None:
            raise InternalError(f"there is no JSON Schema for the type {kind}")
        return form(*arguments)

    def _forms(self) -> Mapping[Any, Callable[..., Schema]]:
        return {
            Literal: lambda *values: {"enum": list(values)},
            Union: self._any_of,
            types.UnionType: self._any_of,
            tuple: self._tuple,
            Sequence: lambda item: {"type": "array", "items": self.of(item)},
            Mapping: lambda _, item: {"type": "object", "additionalProperties": self.of(item)},
        }

    def _any_of(self, *kinds: Any) -> Schema:
        return {"anyOf": [self.of(kind) for kind in kinds]}

    def _tuple(self, *items: Any) -> Schema:
        if items[-1] is ...:
            return {"type": "array", "items": self.of(items[0])}
        prefix = [self.of(item) for item in items]
        return {"type": "array", "prefixItems": prefix, "items": False, "minItems": len(items)}

    def _reference(self, cls: type) -> Schema:
        if cls not in self._names:
            name = cls.__name__
            if name in self.found:
                name = f"{cls.__module__.split('.')[-2]}.{name}"
            self._names[cls] = name
            self.found[name] = {}  # a class may hold others of its own kind
            self.found[name] = self._class(cls)
        return {"$ref": f"#/$defs/{self._names[cls]}"}

    def _class(self, cls: type) -> Schema:
        if not (is_dataclass(cls) or issubclass(cls, Record)):
            raise InternalError(f"there is no JSON Schema for the class {cls.__name__}")
        shape: Shape = getattr(cls, "in_json", Shape())
        hints = _hints(cls)
        fields = {name: kind for name, kind in hints.items() if name not in shape.without}
        can_be_invalid = fields.pop("errors", None) == tuple[SpecProblem, ...]
        for name, kind in shape.added.items():
            fields[name] = _returned(cls, name) if kind is None else kind
        properties = {name: self.of(kind) for name, kind in fields.items()}
        schema = {
            "description": " ".join((cls.__doc__ or "").split()),
            **_closed(properties, shape.optional),
        }
        if shape.alone:
            few = _closed({name: properties[name] for name in shape.alone})
            return {"anyOf": [schema, few]}
        if not can_be_invalid:
            return schema
        self.found.setdefault("Invalid", _invalid())
        return {"if": _OF_INVALID, "then": {"$ref": "#/$defs/Invalid"}, "else": schema}


_OF_INVALID: Final[Schema] = {
    "properties": {"verdict": {"const": "invalid"}},
    "required": ["verdict"],
}


def _invalid() -> Schema:
    """A spec that cannot be used, with every problem found in it."""
    kinds = get_type_hints(SpecProblem)
    problem = {name: dict(_PLAIN[kinds[name]]) for name in PROBLEM}
    properties: dict[str, Schema] = {
        "spec": {"type": "string"},
        "verdict": {"const": "invalid"},
        "errors": {"type": "array", "items": _closed(problem), "minItems": 1},
    }
    return {"description": " ".join((_invalid.__doc__ or "").split()), **_closed(properties)}


def _closed(properties: Mapping[str, Schema], optional: Sequence[str] = ()) -> Schema:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _hints(cls: type) -> dict[str, Any]:
    """The types of a class's fields, by name."""
    hints = get_type_hints(cls, localns=_LOADED_LATE)
    return {name: kind for name, kind in hints.items() if ClassVar not in (kind, get_origin(kind))}


def _returned(cls: type, name: str) -> Any:
    """The type of one of its properties."""
    return get_type_hints(getattr(cls, name).fget, localns=_LOADED_LATE)["return"]
