"""From what somebody asks for to the cards that answer it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gradcli.analysis.catalogue.cards import (
    Card,
    ConceptCard,
    RuleCard,
    SpecErrorCard,
    spec_errors,
)
from gradcli.analysis.catalogue.op_cards import curves_of, op_card
from gradcli.core.op import Op
from gradcli.core.registry import CATALOGUE
from gradcli.core.training_op import Schedule
from gradcli.diagnostics.concept import Concept, all_concepts
from gradcli.diagnostics.rules import Rule, all_rules
from gradcli.errors import UsageError

__all__ = ["find_cards", "key_of_topic", "topics"]

Topic = Op | Concept | type[Rule] | SpecErrorCard
"""What a card is of."""

_SURE: Final = 0.85
"""Likeness beyond which one topic is meant, and not one of several."""

_NEAREST: Final = 3


def find_cards(wanted: Sequence[str]) -> tuple[Card, ...]:
    """The cards of these topics, each once; a name that several things share gives all of them.

    Case does not matter, nor whether words are joined by blanks, hyphens or underscores; several
    words that mean nothing by themselves are tried as one topic. Raises UsageError, with the
    nearest topics, for what is not known.
    """
    index = topics()
    together = " ".join(wanted)
    if any(not _found(word, index) for word in wanted) and _found(together, index):
        wanted = [together]
    found: dict[int, Topic] = {}
    for word in wanted:
        matches = _found(word, index)
        if not matches:
            raise UsageError(f"there is no topic {word!r}; {_hint(word, index)}")
        found.update((id(match), match) for match in matches)
    return tuple(_card(topic) for topic in found.values())


def topics() -> dict[str, list[Topic]]:
    """Every topic by the keys of its names."""
    index: dict[str, list[Topic]] = {}
    for name, topic in _named():
        entries = index.setdefault(key_of_topic(name), [])
        if topic not in entries:
            entries.append(topic)
    return index


def _named() -> Iterator[tuple[str, Topic]]:
    for op in CATALOGUE:
        yield from ((name, op) for name in (op.name, *op.aliases, *op.known_as))
    for concept in all_concepts().values():
        yield from ((name, concept) for name in (concept.name, concept.title, *concept.aliases))
    for code, rule in all_rules().items():
        yield from ((name, rule) for name in (code, rule.name))
    for code, error in spec_errors().items():
        yield from ((name, error) for name in (code, error.name))


def key_of_topic(name: str) -> str:
    """A name as it is compared."""
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())


def _found(word: str, index: Mapping[str, list[Topic]]) -> list[Topic]:
    """What goes by the name, or by its singular."""
    key = key_of_topic(word)
    return index.get(key) or index.get(key.removesuffix("s"), [])


def _hint(word: str, index: Mapping[str, list[Topic]]) -> str:
    from difflib import get_close_matches

    key = key_of_topic(word[:100])
    near = get_close_matches(key, index, 1, _SURE) or get_close_matches(key, index, _NEAREST)
    if not near:
        return "gradcli list shows all there are"
    written = {key_of_topic(name): name for name, _ in reversed(list(_named()))}
    return f"did you mean {' or '.join(written[key] for key in near)}?"


def _card(topic: Topic) -> Card:
    if isinstance(topic, Op):
        return op_card(topic, _naming(topic.name))
    if isinstance(topic, Concept):
        named = [CATALOGUE.find(name, Schedule) for name in topic.see]
        curves = curves_of(each for each in named if each is not None)
        return ConceptCard(topic, topic.see, curves)
    if isinstance(topic, SpecErrorCard):
        return topic
    return RuleCard(topic, _naming(topic.code))


def _naming(name: str) -> tuple[str, ...]:
    """Concepts that point to this."""
    return tuple(concept.name for concept in all_concepts().values() if name in concept.see)
