"""Foreign text as letters that are safe to show, and symbols for terminals that lack them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["NOTHING", "SYMBOLS", "in_ascii", "printable"]

NOTHING: Final = "–"
"""What stands in a cell where there is no number."""

SYMBOLS: Final = "✓✗·×±…─│┤┬└├→–█▌‖⣿•○◆"
"""What reports are drawn with; an encoding that lacks one of them gets ASCII instead."""

_ASCII: Final = str.maketrans(
    {
        **{"✓": "+", "✗": "x", "·": "-", "×": "x", "±": "+/-", "…": "...", "–": "-", "→": "->"},
        **{"┤": "+", "┬": "+", "└": "+", "├": "+", "•": "o", "○": "*", "◆": "#"},
        **{"─": "-", "│": "|", "≤": "<=", "≥": ">=", "√": "sqrt", "½": "1/2", "ᵀ": "^T", "∂": "d"},
        **{"ε": "eps", "−": "-", "²": "^2", "³": "^3", "⁴": "^4", "⁻": "^-", "¹": "1", "⁺": "^+"},
        **{"█": "#", "▌": "=", "‖": "|", "₂": "2", "≈": "~", "∝": "~", "⊙": "*", "←": "<-"},
        **{"▁": "_", "▂": ".", "▃": "-", "▄": ":", "▅": "=", "▆": "+", "▇": "*"},
        **{"∇": "grad ", "Σ": "sum", "Π": "prod", "∫": "int ", "∞": "inf"},
    }
)

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with tabs as spaces, and control characters, which a spec may hold, spelled out."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\t", "    "))


def in_ascii(text: str) -> str:
    """The text with the symbols of reports, and of mathematics, spelled in ASCII.

    Greek letters become their names, and accents are left out.
    """
    text = text.translate(_ASCII)
    return text if text.isascii() else "".join(map(_plain, text))


def _plain(letter: str) -> str:
    import unicodedata  # only where a letter is neither ASCII nor in the table

    if letter.isascii():
        return letter
    name = unicodedata.name(letter, "")
    if name.startswith("GREEK") and "LETTER" in name:
        return name.rsplit(" ", 1)[1].lower()
    base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return base or ("" if unicodedata.combining(letter) else letter)
