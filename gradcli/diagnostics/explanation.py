"""A rule's docstring as the sections it is made of."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

from gradcli.diagnostics.rules import Rule

__all__ = ["HEADINGS", "explanation", "key_of", "sections"]

HEADINGS: Final = ("Meaning", "Likely cause", "What to look at", "Example")
"""The headings of every rule's docstring, in their order."""


def key_of(heading: str) -> str:
    """A heading as the key of its section in `explanation`."""
    return heading.lower().replace(" ", "_")


def sections(rule: type[Rule]) -> dict[str, str]:
    """Text by heading, "" for the first sentence; without the indentation of the source."""
    pieces = re.split(r"^([A-Z][a-z ]+):\n", inspect.cleandoc(rule.__doc__ or ""), flags=re.M)
    texts = {"": pieces[0].strip()}
    for heading, text in zip(pieces[1::2], pieces[2::2], strict=True):
        texts[heading] = inspect.cleandoc("\n" + text)
    return texts


def explanation(rule: type[Rule]) -> dict[str, Any]:
    """The rule as data: code, name, severity, and each section by its heading in lower case."""
    texts = sections(rule)
    named = {key_of(heading): texts[heading] for heading in HEADINGS}
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "summary": texts[""],
        **named,
    }
