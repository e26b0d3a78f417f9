"""Foreign text as letters that are safe to show, and symbols for terminals that lack them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SYMBOLS", "in_ascii", "printable"]

SYMBOLS: Final = "✓✗·×±…─│→–█▌‖"
"""What reports are drawn with; an encoding that lacks one of them gets ASCII instead."""

_ASCII: Final = str.maketrans(
    {
        **{"✓": "+", "✗": "x", "·": "-", "×": "x", "±": "+/-", "…": "...", "–": "-", "→": "->"},
        **{"─": "-", "│": "|", "≤": "<=", "≥": ">=", "√": "sqrt", "½": "1/2", "ᵀ": "^T", "∂": "d"},
        **{"π": "pi", "ε": "eps", "−": "-", "²": "^2"},
        **{"█": "#", "▌": "=", "‖": "|", "₂": "2"},
    }
)

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with tabs as spaces, and control characters, which a spec may hold, spelled out."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\t", "    "))


def in_ascii(text: str) -> str:
    """The text with the symbols of reports, and of mathematics, spelled in ASCII."""
    return text.translate(_ASCII)
