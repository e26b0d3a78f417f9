"""Cards: all that is known of one op, one rule or one concept, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal

from gradcli.analysis.in_json import Shape
from gradcli.core.record import Record
from gradcli.core.references import REFERENCES
from gradcli.diagnostics.concept import Area, Concept, flowing
from gradcli.diagnostics.explanation import HEADINGS, explanation, key_of, sections
from gradcli.diagnostics.finding import Severity
from gradcli.diagnostics.rules import Rule
from gradcli.spec.codes import CODES

__all__ = [
    "Card",
    "ConceptCard",
    "Form",
    "OpCard",
    "Parameter",
    "RuleCard",
    "SpecErrorCard",
    "cited",
    "spec_errors",
]


class Parameter(Record):
    """An option as a spec writes it; `default` is None where the spec has to."""

    name: str
    default: Any
    required: bool
    expected: str
    doc: str


class Form(Record):
    """The formulas of an op at options of its choice; "" where it has none.

    The derivative is a mapping by the rows that belong together, where there are any.
    """

    options: Mapping[str, Any]
    formula: str
    derivative: str | Mapping[str, str]


class OpCard(Record, kw_only=True):
    """An op of the catalogue.

    `derivative_of` is the variable of its formulas. `elementwise` is false where these are of one
    row; the derivative of an activation is then its pullback of a cotangent g. `claims` are its
    traits at the options `claimed_at`, verified by the laws of `gradcli.testing`. `facts` are
    further properties, a label and a text each. `curves` are factors over a run, by schedule.
    `example` is a piece of a spec, `offers` are commands about the op with what each does.
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    known_as: tuple[str, ...]
    summary: str
    description: str
    derivative_of: str
    elementwise: bool
    forms: tuple[Form, ...]
    parameters: tuple[Parameter, ...]
    learned: tuple[str, ...]
    claims: Mapping[str, Any]
    claimed_at: Mapping[str, Any]
    facts: tuple[tuple[str, str], ...]
    curves: Mapping[str, tuple[float, ...]]
    example: str
    offers: tuple[tuple[str, str], ...]
    often_wrong: str
    see: tuple[str, ...]
    references: tuple[str, ...]

    in_json: ClassVar = Shape(
        added=dict.fromkeys(("facts", "offers", "references"), Mapping[str, str])
    )

    def to_dict(self) -> dict[str, Any]:
        return self.as_dict() | {
            "forms": [form.as_dict() for form in self.forms],
            "parameters": [parameter.as_dict() for parameter in self.parameters],
            "facts": dict(self.facts),
            "offers": dict(self.offers),
            "references": cited(self.references),
        }


class RuleCard(Record):
    """A rule, with the concepts and ops that lead to it."""

    rule: type[Rule]
    see: tuple[str, ...] = ()

    in_json: ClassVar = Shape(
        without=("rule",),
        added={
            "kind": Literal["rule"],
            "severity": Severity,
            **dict.fromkeys(("name", "summary")),
            **dict.fromkeys(("code", *map(key_of, HEADINGS)), str),
        },
    )

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def summary(self) -> str:
        return sections(self.rule)[""]

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "rule", **explanation(self.rule), "see": list(self.see)}


class SpecErrorCard(Record):
    """An error that a spec can have, by its code; `example` is a spec or a command that has it."""

    code: str
    name: str
    summary: str
    what_to_look_at: str
    example: str

    in_json: ClassVar = Shape(added={"kind": Literal["spec error"]})

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "spec error", **self.as_dict()}


_WHERE_IN_A_SPEC: Final = (
    "The message has the line and column, the source with a caret, the key, what was expected "
    "and the nearest valid name. All errors of a file are reported at once, before anything is "
    "computed."
)


@cache
def spec_errors() -> Mapping[str, SpecErrorCard]:
    """The cards of all errors of specs, by code."""
    return {
        code: SpecErrorCard(
            code,
            error.name,
            f"{error.meaning[0].upper()}{error.meaning[1:]}.",
            _WHERE_IN_A_SPEC,
            error.example,
        )
        for code, error in CODES.items()
    }


class ConceptCard(Record):
    """A concept; `see` holds what it names and what names it, `curves` the schedules among it."""

    concept: Concept
    see: tuple[str, ...] = ()
    curves: Mapping[str, tuple[float, ...]] = MappingProxyType({})

    in_json: ClassVar = Shape(
        without=("concept",),
        added={
            "kind": Literal["concept"],
            "area": Area,
            **dict.fromkeys(("name", "summary")),
            **dict.fromkeys(("title", "description", "often_wrong", "example"), str),
            **dict.fromkeys(("aliases", "formulas"), tuple[str, ...]),
            **dict.fromkeys(("offers", "references"), Mapping[str, str]),
        },
    )

    @property
    def name(self) -> str:
        return self.concept.name

    @property
    def summary(self) -> str:
        return self.concept.summary

    def to_dict(self) -> dict[str, Any]:
        concept = self.concept
        return {
            "kind": "concept",
            "name": concept.name,
            "title": concept.title,
            "area": concept.area,
            "aliases": concept.aliases,
            "summary": concept.summary,
            "description": concept.description,
            "formulas": concept.formulas,
            "often_wrong": flowing(concept.often_wrong),
            "offers": dict(concept.offers),
            "example": concept.example,
            "see": self.see,
            "curves": dict(self.curves),
            "references": cited(concept.references),
        }


Card = OpCard | RuleCard | SpecErrorCard | ConceptCard


def cited(keys: tuple[str, ...]) -> Mapping[str, str]:
    """Titles of the works by key."""
    return MappingProxyType({key: REFERENCES[key] for key in keys})
