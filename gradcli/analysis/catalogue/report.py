"""What `explain` and `list` return: frozen data, drawn elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from gradcli.analysis.catalogue.cards import Card
from gradcli.analysis.verdict import envelope
from gradcli.core.record import Record
from gradcli.errors import ExitCode

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.step_size import StepCurve

__all__ = ["ExplainReport", "ListReport", "Row"]


class Row(Record):
    """A line of a list. `parameters` are as a signature has them; `properties` can be filtered."""

    kind: str
    name: str
    aliases: tuple[str, ...]
    parameters: str
    summary: str
    properties: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return self.as_dict()


class _Told(Record):
    """A report that nothing can be wrong with."""

    command: ClassVar[str] = ""
    results: tuple[Card | StepCurve | Row, ...]

    @property
    def passed(self) -> bool:
        return True

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        return envelope(self, None)

    def __str__(self) -> str:
        return "\n".join(f"{each.name}: {each.summary}" for each in self.results)


class ExplainReport(_Told):
    """The cards of some topics."""

    command: ClassVar[str] = "explain"
    results: tuple[Card | StepCurve, ...]


class ListReport(_Told):
    """Rows of the catalogue, by kind."""

    command: ClassVar[str] = "list"
    results: tuple[Row, ...]
