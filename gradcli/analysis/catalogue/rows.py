"""The catalogue as rows, and what they can be filtered by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from gradcli.analysis.catalogue.cards import spec_errors
from gradcli.analysis.catalogue.examples import default_of
from gradcli.analysis.catalogue.op_cards import claims_of, learned_by
from gradcli.analysis.catalogue.report import Row
from gradcli.core.op import (
    Activation,
    Initializer,
    Layer,
    Loss,
    Macro,
    Op,
    OutputTerm,
    Term,
    Weighting,
)
from gradcli.core.param import REQUIRED, Param
from gradcli.core.registry import CATALOGUE, nearest
from gradcli.core.training_op import Curriculum, Optimizer, Schedule
from gradcli.diagnostics.concept import all_concepts
from gradcli.diagnostics.explanation import sections
from gradcli.diagnostics.rules import all_rules
from gradcli.errors import UsageError
from gradcli.templates import all_templates

__all__ = ["KINDS", "catalogue_rows", "template_rows"]

_OPS: Final[Mapping[str, tuple[type[Op], ...]]] = MappingProxyType(
    {
        "activations": (Activation,),
        "layers": (Layer, Macro),
        "losses": (Loss, Weighting),
        "terms": (Term, OutputTerm),
        "initializers": (Initializer,),
        "optimizers": (Optimizer,),
        "schedules": (Schedule,),
        "curricula": (Curriculum,),
    }
)

KINDS: Final = (*_OPS, "rules", "concepts")
"""What can be listed, in the order in which all of it is."""

_FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {"GC": "check", "GF": "flow", "GT": "training", "SP": "spec"}
)
"""What finds a rule, by the letters of its code."""

_NOT: Final = "not-"


def catalogue_rows(
    kind: str | None = None, search: Sequence[str] = (), where: Sequence[str] = ()
) -> tuple[Row, ...]:
    """Rows of one of `KINDS`, or of all.

    Kept are those that hold every word of `search` in a name, an alias or the summary, and have
    every property in `where`; `not-` before a property asks for its absence. Raises UsageError,
    with the nearest, for a kind or a property that does not exist.
    """
    if kind is not None and kind not in KINDS:
        near = nearest(kind, list(KINDS))
        hint = f"did you mean {near}?" if near else f"there are {', '.join(KINDS)}"
        raise UsageError(f"there is no kind {kind!r}; {hint}")
    rows = [row for each in KINDS if kind in (None, each) for row in _of_kind(each)]
    _check_properties(where)
    return tuple(row for row in rows if _is_wanted(row, search, where))


def template_rows() -> tuple[Row, ...]:
    """The specs to start from, their files as parameters. They have no cards, and are no kind."""
    return tuple(
        Row("template", each.name, (), ", ".join(each.files), each.summary, ())
        for each in all_templates()
    )


def _of_kind(kind: str) -> Iterator[Row]:
    if kind in _OPS:
        for op in CATALOGUE:
            if isinstance(op, _OPS[kind]) and op.kind == _OPS[kind][0].kind:
                parameters = ", ".join(_signature(op, param) for param in op.params)
                yield Row(op.kind, op.name, op.aliases, parameters, op.summary, _properties(op))
    elif kind == "rules":
        told = {
            code: (rule.name, sections(rule)[""], rule.severity)
            for code, rule in all_rules().items()
        }
        told |= {code: (card.name, card.summary, "error") for code, card in spec_errors().items()}
        for code, (name, summary, severity) in sorted(told.items()):
            yield Row("rule", code, (name,), "", summary, (_FAMILIES[code[:2]], severity))
    else:
        for each in all_concepts().values():
            yield Row("concept", each.name, each.aliases, "", each.summary, (each.area,))


def _signature(op: Op, param: Param) -> str:
    default = default_of(op, param)
    if default is REQUIRED:
        return param.name
    if default is None or isinstance(default, bool):
        return f"{param.name}={str(default).lower()}"
    return f"{param.name}={default:g}" if isinstance(default, float) else f"{param.name}={default}"


_CLAIMED: Final[Mapping[str, Callable[[Mapping[str, Any]], bool]]] = MappingProxyType(
    {
        "convex": lambda claims: claims.get("convex") is True,
        "strongly-convex": lambda claims: claims.get("strong_convexity", 0) != 0,
        "lipschitz": lambda claims: claims.get("lipschitz", math.inf) != math.inf,
        "smooth": lambda claims: claims.get("smoothness", math.inf) != math.inf,
        "kinked": lambda claims: bool(claims.get("kinks")),
        "bounded": lambda claims: (
            claims.get("bounded") is True
            or ("range" in claims and math.inf not in map(abs, claims["range"]))
        ),
        "increasing": lambda claims: claims.get("monotone") == "increasing",
        "odd": lambda claims: claims.get("symmetry") == "odd",
        "homogeneous": lambda claims: claims.get("homogeneous") is True,
        "couples-rows": lambda claims: claims.get("couples_rows") is True,
    }
)
"""Properties by what an op claims of itself with its defaults."""


def _properties(op: Op) -> tuple[str, ...]:
    claims = claims_of(op)
    found = [name for name, holds in _CLAIMED.items() if holds(claims)]
    if learned_by(op):
        found.append("learned")
    return tuple(found)


def _check_properties(where: Sequence[str]) -> None:
    known = {name for kind in KINDS for row in _of_kind(kind) for name in row.properties}
    known.update(_CLAIMED)
    for asked in where:
        name = asked.removeprefix(_NOT)
        if name not in known:
            near = nearest(name, sorted(known))
            hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(known))}"
            raise UsageError(f"there is no property {name!r}; {hint}")


def _is_wanted(row: Row, search: Sequence[str], where: Sequence[str]) -> bool:
    text = " ".join([row.name, *row.aliases, row.summary]).lower()
    return all(word.lower() in text for word in search) and all(
        (asked.removeprefix(_NOT) in row.properties) != asked.startswith(_NOT) for asked in where
    )
