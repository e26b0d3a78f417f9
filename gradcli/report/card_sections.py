"""A card as headings with blocks under them: what every format draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import singledispatch
from typing import Any, Final, Literal, NamedTuple

from gradcli.analysis.catalogue.cards import (
    Card,
    ConceptCard,
    Form,
    OpCard,
    RuleCard,
    SpecErrorCard,
    cited,
)
from gradcli.analysis.gradcheck.step_size import StepCurve
from gradcli.diagnostics.explanation import HEADINGS, key_of
from gradcli.report.bars import bars
from gradcli.report.loss_claims import setting
from gradcli.report.step_curve import curve_lines, curve_words
from gradcli.report.trait_words import claim_words

__all__ = ["Block", "Head", "Section", "head", "sections_of"]


class Head(NamedTuple):
    """What a card is of: its name, and what kind of thing that is."""

    name: str
    kind: str


class Block(NamedTuple):
    """A piece of a section, maybe with a label before it.

    The lines of code are kept; a note belongs to what stands above it.
    """

    text: str
    kind: Literal["prose", "note", "formula", "code"] = "prose"
    label: str = ""


class Section(NamedTuple):
    """Blocks under a heading, "" for those at the top."""

    heading: str
    blocks: tuple[Block, ...]


_EXAMPLE: Final = "Example"


@singledispatch
def head(card: Card | StepCurve) -> Head:
    """The card's title line."""
    raise TypeError(type(card).__name__)  # pragma: no cover


@singledispatch
def sections_of(card: Card | StepCurve) -> Iterator[Section]:
    """The card's sections in their order, empty ones left out."""
    raise TypeError(type(card).__name__)  # pragma: no cover


@head.register
def _(card: RuleCard) -> Head:
    return Head(f"{card.rule.code} {card.rule.name}", card.rule.severity)


@sections_of.register
def _(card: RuleCard) -> Iterator[Section]:
    told = card.to_dict()
    yield Section("", (Block(told["summary"]),))
    for heading in HEADINGS:
        text = told[key_of(heading)]
        yield Section(heading, (Block(text, "code" if heading == _EXAMPLE else "prose"),))
    yield from _see(card.see)


@head.register
def _(card: SpecErrorCard) -> Head:
    return Head(f"{card.code} {card.name}", "spec error")


@sections_of.register
def _(card: SpecErrorCard) -> Iterator[Section]:
    yield Section("", (Block(card.summary),))
    yield Section("What to look at", (Block(card.what_to_look_at),))
    if card.example:
        yield Section(_EXAMPLE, (Block(card.example, "code"),))


@head.register
def _(card: StepCurve) -> Head:
    return Head(f"{card.name} on {card.spec}", "measured")


@sections_of.register
def _(card: StepCurve) -> Iterator[Section]:
    yield Section("", (Block(curve_words(card)),))
    yield Section("Error by step", (Block(curve_lines(card), "code"),))


@head.register
def _(card: ConceptCard) -> Head:
    return Head(card.concept.title, card.concept.area)


@sections_of.register
def _(card: ConceptCard) -> Iterator[Section]:
    concept = card.concept
    yield Section("", tuple(_paragraphs(concept.summary, concept.description)))
    yield from _listed("Formulas", concept.formulas, "formula")
    yield from _often_wrong(card.to_dict()["often_wrong"])
    yield from _offers(concept.offers)
    yield from _curves(card.curves)
    if concept.example:
        yield Section("In a spec", (Block(concept.example, "code"),))
    yield from _see(card.see)
    yield from _references(concept.references)


@head.register
def _(card: OpCard) -> Head:
    names = ", ".join((*card.aliases, *card.known_as))
    return Head(card.name, f"{card.kind}, also {names}" if names else card.kind)


@sections_of.register
def _(card: OpCard) -> Iterator[Section]:
    yield Section("", tuple(_paragraphs(card.summary, card.description)))
    formulas = tuple(block for form in card.forms for block in _formulas(card, form))
    if formulas:
        groups = any(not isinstance(form.derivative, str) for form in card.forms)
        of = "" if card.elementwise else " of one group of rows" if groups else " of one row"
        yield Section(f"Formula{of}", formulas)
    if card.parameters:
        yield Section("Parameters", tuple(_parameters(card)))
    facts = [Block(text, label=label) for label, text in card.facts]
    if card.learned:
        facts.insert(0, Block(", ".join(card.learned), label="learns"))
    facts += [Block(text, label=label) for label, text in claim_words(card.kind, card.claims)]
    if facts:
        yield Section("Properties", (*_circumstances(card), *facts))
    yield from _curves(card.curves)
    yield Section("In a spec", (Block(card.example, "code"),))
    yield from _offers(card.offers)
    yield from _often_wrong(card.often_wrong)
    yield from _see(card.see)
    yield from _references(card.references)


def _curves(curves: Mapping[str, Sequence[float]]) -> Iterator[Section]:
    """Factors over a run as bars, a line a schedule."""
    if curves:
        width = max(map(len, curves))
        lines = (f"{name:<{width}}  {bars(factors)}" for name, factors in curves.items())
        yield Section("Over a run", (Block("\n".join(lines), "code"),))


def _formulas(card: OpCard, form: Form) -> Iterator[Block]:
    variable = card.derivative_of
    if form.options:
        yield Block(f"with {_options(form.options)}")
    if not isinstance(form.derivative, str):
        rows = ", ".join(form.derivative)
        target = ", y" if "y" in form.formula else ""
        yield Block(form.formula, "formula", label=f"L({rows}{target})")
        for row, text in form.derivative.items():
            yield Block(text, "formula", label=f"dL/d{row}")
        return
    if variable == "p":
        arguments = "p, y" if "y" in form.formula else "p"
        names = f"L({arguments})", "dL/dp"
    elif card.elementwise:
        names = f"f({variable})", f"f'({variable})"
    else:
        names = f"f({variable})", "pullback of g"
    for name, text in zip(names, (form.formula, form.derivative), strict=True):
        if text:
            yield Block(text, "formula", label=name)


def _parameters(card: OpCard) -> Iterator[Block]:
    for parameter in card.parameters:
        given = "" if parameter.required else f" = {setting(parameter.default)}"
        text = parameter.expected + ("; has to be written" if parameter.required else "")
        doc = f": {parameter.doc}" if parameter.doc else ""
        yield Block(text + doc, label=parameter.name + given)


def _circumstances(card: OpCard) -> Iterator[Block]:
    """Under which options the claims hold, where there are any."""
    options = {
        parameter.name: card.claimed_at[parameter.name]
        for parameter in card.parameters
        if not isinstance(card.claimed_at[parameter.name], (list, dict))
    }
    if card.claims and options:
        yield Block(f"with {_options(options)}")


def _options(options: Any) -> str:
    return ", ".join(f"{name} = {setting(value)}" for name, value in options.items())


def _paragraphs(*texts: str) -> Iterator[Block]:
    return (Block(line) for text in texts for line in text.splitlines() if line)


def _listed(
    heading: str, texts: tuple[str, ...], kind: Literal["prose", "formula"] = "prose"
) -> Iterator[Section]:
    if texts:
        yield Section(heading, tuple(Block(text, kind) for text in texts))


def _often_wrong(text: str) -> Iterator[Section]:
    yield from _listed("Often written, and wrong", (text,) if text else ())


def _offers(offers: tuple[tuple[str, str], ...]) -> Iterator[Section]:
    """Commands, and what each does about it."""
    blocks = (
        block for command, what in offers for block in (Block(command, "code"), Block(what, "note"))
    )
    if offers:
        yield Section("With gradcli", tuple(blocks))


def _see(names: tuple[str, ...]) -> Iterator[Section]:
    if names:
        yield Section("See also", (Block(", ".join(names)),))


def _references(keys: tuple[str, ...]) -> Iterator[Section]:
    yield from _listed("References", tuple(cited(keys).values()))
