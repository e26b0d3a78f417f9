"""The codes of spec errors, and the collector that lets a file report all of its errors at once."""

from __future__ import annotations

from typing import Final, NamedTuple

from gradcli.core.registry import nearest
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec.nodes import Node, Place

__all__ = ["CODES", "MAX_PROBLEMS", "Code", "Problems", "did_you_mean"]


class Code(NamedTuple):
    """A spec error's short name, and what it means."""

    name: str
    meaning: str


CODES: Final[dict[str, Code]] = {
    "SP001": Code("unreadable", "the spec cannot be read, or is not UTF-8 text"),
    "SP002": Code("not-yaml", "the text is not valid YAML"),
    "SP003": Code("not-allowed", "YAML that specs do not use: tags, merge keys, several documents"),
    "SP004": Code("too-large", "a bound on the size of a spec is exceeded"),
    "SP005": Code("duplicate-key", "a key stands twice in one mapping"),
    "SP006": Code("unknown-key", "a key, or an option of an op, that does not exist"),
    "SP007": Code("unknown-name", "no op, loss, initializer, head or array of this name exists"),
    "SP008": Code("missing", "something required is not there"),
    "SP009": Code("wrong-value", "a value of the wrong type or outside its bounds"),
    "SP010": Code(
        "spec-version", "`gradcli: 1`, the version of the spec format, is missing or not known"
    ),
    "SP011": Code("bad-name", "a name that is taken, reserved or not a name"),
    "SP012": Code("shape-mismatch", "shapes that do not fit each other"),
    "SP013": Code(
        "bad-file", "a file of arrays is missing, damaged, or of a kind that is not read"
    ),
    "SP014": Code("not-finite", "NaN or infinity in data or weights"),
    "SP015": Code("bad-targets", "targets that the loss cannot be computed with"),
    "SP016": Code("too-much-memory", "the arrays would not fit the memory allowed"),
    "SP017": Code(
        "bad-formula", "a formula that cannot be read, or uses what formulas do not have"
    ),
    "SP018": Code("python-not-allowed", "a definition in Python without --allow-python"),
    "SP019": Code(
        "python-failed",
        "the Python of a definition cannot be imported, or lacks what the spec names",
    ),
    "SP020": Code("not-available", "something this version does not have"),
    "SP021": Code("not-runnable", "a function of the spec cannot be evaluated at its own point"),
}
"""Every code a `SpecProblem` can have."""

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
