"""What a concept of gradient checking is, and where all of them are found.

Concepts live in the modules of `gradcli.diagnostics.concepts`, each a tuple `CONCEPTS` of data, and
are loaded when a card or a list asks for them.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Final, Literal, get_args

from gradcli.core.record import Record

__all__ = ["AREAS", "Area", "Concept", "all_concepts", "flowing"]

Area = Literal[
    "differentiation",
    "numeric check",
    "second order",
    "gradient flow",
    "initialization",
    "loss",
    "property",
    "training",
    "cost",
    "open question",
]

AREAS: Final[tuple[Area, ...]] = get_args(Area)
"""What a concept belongs to, in the order in which they are listed."""


class Concept(Record, kw_only=True):
    """A term of the field: what it means, its formulas, and what gradcli offers for it.

    `text` begins with one sentence that stands alone; paragraphs are set apart by blank lines.
    `often_wrong` is what is often written instead, and why that is wrong. `offers` are commands,
    each with what it shows; `example` is a spec. `see` names ops, rules and other concepts;
    `references` are keys of `gradcli.core.references`.
    """

    name: str
    title: str
    area: Area
    text: str
    formulas: tuple[str, ...] = ()
    often_wrong: str = ""
    offers: tuple[tuple[str, str], ...] = ()
    example: str = ""
    see: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return flowing(self._paragraphs()[0])

    @property
    def description(self) -> str:
        """What follows the summary, a paragraph a line."""
        return "\n".join(map(flowing, self._paragraphs()[1:]))

    def _paragraphs(self) -> list[str]:
        return inspect.cleandoc(self.text).split("\n\n")


def flowing(text: str) -> str:
    """The text without the line breaks of its source."""
    return " ".join(text.split())


def all_concepts() -> dict[str, Concept]:
    """Every concept by name, by area and then in the order of definition."""
    import pkgutil

    from gradcli.diagnostics import concepts

    found: list[Concept] = []
    for module in pkgutil.iter_modules(concepts.__path__):
        found += importlib.import_module(f"{concepts.__name__}.{module.name}").CONCEPTS
    found.sort(key=lambda concept: AREAS.index(concept.area))
    return {concept.name: concept for concept in found}
