"""What became of the mistakes that a self-test planted: frozen data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from gradcli.analysis.in_json import Shape
from gradcli.core.record import Record

__all__ = ["Fate", "KillRow", "Mutant", "SelfTest", "is_named"]

Fate = Literal["caught", "without effect", "undecided", "survived"]


def is_named(code: str, found: tuple[str, ...]) -> bool:
    """Whether a kind's code was found, or a lower one: where several fit, the lowest is named.

    GC100 names no kind.
    """
    return any(code == other or "GC100" < other < code for other in found)


class Mutant(Record):
    """One planted mistake: where, of which kind, and what the check made of it.

    `code` is the one that the kind goes by, `found` are those of the findings at the place itself.
    `effect` is the largest change of a checked entry, in units of what is detectable there.
    """

    where: str
    operand: str
    kind: str
    code: str
    fate: Fate
    named: bool
    effect: float
    found: tuple[str, ...] = ()

    in_json: ClassVar = Shape(without=("named",))

    def to_dict(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "operand": self.operand,
            "kind": self.kind,
            "code": self.code,
            "fate": self.fate,
            "effect": self.effect,
            "found": list(self.found),
        }


class KillRow(Record):
    """How many mutants of one group were planted, and what became of them."""

    group: str
    code: str
    planted: int
    caught: int
    named: int
    without_effect: int
    undecided: int
    survived: int

    @classmethod
    def of(cls, group: str, code: str, mutants: Iterable[Mutant]) -> KillRow:
        own = list(mutants)
        fates = [mutant.fate for mutant in own]
        return cls(
            group,
            code,
            len(own),
            fates.count("caught"),
            sum(mutant.named for mutant in own),
            fates.count("without effect"),
            fates.count("undecided"),
            fates.count("survived"),
        )

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.numbers()}

    @staticmethod
    def numbers() -> tuple[str, ...]:
        return ("planted", "caught", "named", "without_effect", "undecided", "survived")


class SelfTest(Record):
    """All mutants of one spec. `left_out` are places that fail already, or have nothing checked."""

    mutants: tuple[Mutant, ...]
    left_out: tuple[str, ...] = ()

    in_json: ClassVar = Shape(
        without=("mutants",),
        added={
            **dict.fromkeys(KillRow.numbers(), int),
            **dict.fromkeys(("kinds", "places"), tuple[Mapping[str, str | int], ...]),
            "survivors": None,
            "not_named": tuple[Mutant, ...],
        },
    )

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        """Those that changed a gradient by more than is detectable, and passed."""
        return tuple(mutant for mutant in self.mutants if mutant.fate == "survived")

    @property
    def total(self) -> KillRow:
        return KillRow.of("all", "", self.mutants)

    def by_kind(self) -> tuple[KillRow, ...]:
        """A row a kind, in the order of the codes."""
        kinds = dict.fromkeys((mutant.code, mutant.kind) for mutant in self.mutants)
        return tuple(
            KillRow.of(kind, code, (m for m in self.mutants if (m.code, m.kind) == (code, kind)))
            for code, kind in sorted(kinds, key=lambda each: each[0])
        )

    def by_place(self) -> tuple[KillRow, ...]:
        """A row a node, loss, term or definition, in the order of the spec."""
        places = dict.fromkeys(mutant.where for mutant in self.mutants)
        return tuple(
            KillRow.of(place, "", (m for m in self.mutants if m.where == place)) for place in places
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.total.to_dict(),
            "kinds": [
                {"kind": row.group, "code": row.code, **row.to_dict()} for row in self.by_kind()
            ],
            "places": [{"where": row.group, **row.to_dict()} for row in self.by_place()],
            "left_out": list(self.left_out),
            "survivors": [mutant.to_dict() for mutant in self.survivors],
            "not_named": [
                mutant.to_dict()
                for mutant in self.mutants
                if mutant.fate == "caught" and not mutant.named
            ],
        }
