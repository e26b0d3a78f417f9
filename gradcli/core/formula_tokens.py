"""The words of formulas, and the error that names a place in one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MAX_LENGTH", "MAX_LEVELS", "FormulaError", "Token", "tokenize"]

MAX_LENGTH = 10_000
MAX_LEVELS = 100


class FormulaError(ValueError):
    """A formula that cannot be used: what is wrong, where in its text, and what may be meant.

    `offset` counts characters from 0; `length` is the number of characters that it concerns.
    """

    def __init__(self, message: str, offset: int = 0, length: int = 1, hint: str = "") -> None:
        self.message = message
        self.offset = offset
        self.length = length
        self.hint = hint
        super().__init__(message + (f" ({hint})" if hint else ""))


_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|<=|>=|==|!=|[-+*/@<>(),])"
)
_FORBIDDEN = {
    ".": ("attributes are not part of a formula", ""),
    "[": ("subscripts are not part of a formula", ""),
    "{": ("sets and dictionaries are not part of a formula", ""),
    '"': ("text is not part of a formula", ""),
    "'": ("text is not part of a formula", ""),
    "=": ("= is not part of a formula", "use == to compare"),
    ":": ("the colon is not part of a formula", ""),
    "^": ("^ is not part of a formula", "use ** for powers"),
    "%": ("the remainder is not part of a formula", ""),
    "&": ("& is not part of a formula", "use and"),
    "|": ("| is not part of a formula", "use abs(x), or the word or"),
    "!": ("! is not part of a formula", "use not, or != to compare"),
    "\N{MINUS SIGN}": ("the character U+2212 is not part of a formula", "use -"),
    "\N{MULTIPLICATION SIGN}": ("the character U+00D7 is not part of a formula", "use *"),
    "\N{MIDDLE DOT}": ("the character U+00B7 is not part of a formula", "use *"),
}


@dataclass(frozen=True)
class Token:
    """A number, a name, a symbol, or the end of the text."""

    kind: str
    text: str
    offset: int

    def error(self, message: str, hint: str = "") -> FormulaError:
        return FormulaError(message, self.offset, max(1, len(self.text)), hint)


def tokenize(text: str) -> Iterator[Token]:
    """The words of a formula; FormulaError for a character that has no place in one."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"the formula has {len(text):,} characters, more than {MAX_LENGTH:,}", MAX_LENGTH
        )
    offset = 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None or match.lastgroup is None:
            character = text[offset]
            visible = character.isascii() and character.isprintable()
            shown = character if visible else f"the character U+{ord(character):04X}"
            message, hint = _FORBIDDEN.get(character, (f"{shown} is not part of a formula", ""))
            raise FormulaError(message, offset, 1, hint)
        if match.lastgroup != "space":
            yield Token(match.lastgroup, match.group(), offset)
        offset = match.end()
    yield Token("end", "", len(text))
