"""A rule's explanation as a card."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from gradcli.diagnostics.explanation import HEADINGS, explanation, key_of
from gradcli.diagnostics.rules import Rule, all_rules
from gradcli.errors import ExitCode, UsageError
from gradcli.report.markdown import escaped, fenced
from gradcli.report.surface import Surface

__all__ = ["render_cards"]


def render_cards(codes: tuple[str, ...], form: str, surface: Surface) -> str:
    """The cards of these rules, named by code or by name, in one of the formats of a report.

    Raises UsageError, with the nearest ones, for what is neither.
    """
    cards = [explanation(rule) for code in codes for rule in _find(code)]
    if form == "json":
        from gradcli import __version__
        from gradcli.report.json import encode

        head = {"schema": "gradcli/1", "command": "explain", "version": __version__}
        return encode({**head, "exit_code": int(ExitCode.OK), "seed": None, "results": cards})
    if form == "markdown":
        return "\n\n".join(map(_markdown, cards)) + "\n"
    from gradcli.report.card_text import draw_card
    from gradcli.report.layout import draw

    return "\n".join(draw(draw_card(card, surface), surface) for card in cards)


def _find(wanted: str) -> list[type[Rule]]:
    """The rule with this code, or those with this name: commands may share one."""
    rules = all_rules()
    if wanted.upper() in rules:
        return [rules[wanted.upper()]]
    named = [rule for rule in rules.values() if rule.name == wanted.lower()]
    if named:
        return named
    near = get_close_matches(wanted.upper(), rules, 1)
    near = near or get_close_matches(wanted.lower(), [rule.name for rule in rules.values()], 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(rules)}"
    raise UsageError(f"no rule has the code or name {wanted!r}; {hint}")


def _markdown(card: dict[str, Any]) -> str:
    blocks = [
        f"## {card['code']} {escaped(card['name'])} ({card['severity']})",
        escaped(card["summary"]),
    ]
    for heading in HEADINGS:
        text = card[key_of(heading)]
        shown = fenced(text) if heading == "Example" else escaped(" ".join(text.split()))
        blocks += [f"### {heading}", shown]
    return "\n\n".join(blocks)
