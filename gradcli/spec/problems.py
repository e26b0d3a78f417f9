"""The collector that lets a file report all of its errors at once."""

from __future__ import annotations

from typing import Final

from gradcli.core.registry import nearest
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec.codes import CODES
from gradcli.spec.nodes import Node, Place

__all__ = ["MAX_PROBLEMS", "Problems", "did_you_mean", "split_lines"]


MAX_PROBLEMS: Final = 100
"""Problems after which reading stops, so that a wrong file of a megabyte is refused quickly."""


def did_you_mean(word: str, names: list[str]) -> str:
    """A hint naming the nearest of the names, or all where none is near and they are few."""
    match = nearest(word, names) if len(word) <= 100 else None
    if match is not None:
        return f"did you mean {match}?"
    return "expected " + ", ".join(names) if 0 < len(names) <= 16 else ""


class Problems:
    """Collects the problems of one file. One that aliases repeat is kept once."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.lines = tuple(split_lines(text))
        self._found: dict[tuple[str, int, int, str], SpecProblem] = {}

    def __len__(self) -> int:
        return len(self._found)

    def source_line(self, line: int) -> str:
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""

    def add(
        self,
        code: str,
        message: str,
        node: Node | None = None,
        *,
        hint: str = "",
        place: Place | None = None,
        at_key: bool = False,
    ) -> None:
        """Note a problem at a node (or at its key, or at a place within it).

        Raises SpecError when there are more problems than anybody reads.
        """
        if place is None:
            place = Place(0, 0, 1) if node is None else node.key_place if at_key else node.place
        self._add(code, message, place, node.path if node is not None else "", hint)
        if len(self._found) >= MAX_PROBLEMS:
            text = f"{MAX_PROBLEMS} errors found; the rest of the file was not read"
            self._add("SP004", text, place, "", "")
            self.raise_any()

    def _add(self, code: str, message: str, place: Place, key: str, hint: str) -> None:
        assert code in CODES, code
        self._found.setdefault(
            (code, place.line, place.column, message),
            SpecProblem(
                code=code,
                message=message,
                file=self.file,
                line=place.line,
                column=place.column,
                key=key,
                hint=hint,
                source_line=self.source_line(place.line),
                length=max(1, place.length),
            ),
        )

    def error(self) -> SpecError:
        """Everything found, to be raised."""
        return SpecError(list(self._found.values()))

    def raise_any(self) -> None:
        """Raise SpecError if anything was found."""
        if self._found:
            raise self.error()


def split_lines(text: str) -> list[str]:
    """The lines of a text, at the line ends that the YAML parser counts."""
    for end in ("\r\n", "\r", "\x85", "\u2028", "\u2029"):
        text = text.replace(end, "\n")
    return text.split("\n")
