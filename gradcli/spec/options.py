"""The option sections of a spec: names and types of what `check`, `flow` and `train` may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from gradcli.core.param import Param
from gradcli.core.record import Record

__all__ = [
    "DTYPES",
    "FLOW_GATES",
    "FLOW_VERDICTS",
    "GRADES",
    "ORACLES",
    "SECTIONS",
    "Alternative",
    "Option",
    "Readable",
]

GRADES: Final = ("excellent", "good", "acceptable")
DTYPES: Final = ("float64", "float32")
ORACLES: Final = ("auto", "complex", "ladder", "central", "forward")
FLOW_VERDICTS: Final = ("vanishing", "exploding", "healthy", "undetermined")
FLOW_GATES: Final = (
    *FLOW_VERDICTS,
    "dead",
    "saturated",
    "non-finite",
    "flat-weight-gradients",
    "no-signal",
    "ordered",
    "chaotic",
    "rank-collapse",
    "underflow",
    "unlike-theory",
)
"""What `fail_on` can name: verdicts, and findings by the names of their rules."""


class Readable(Protocol):
    """Anything that converts a written value: a `Param` of an op, an `Option` of a section."""

    @property
    def name(self) -> str: ...

    def expected(self) -> str: ...

    def convert(self, value: Any) -> Any: ...


class Alternative(Record):
    """One kind of value that an option may have: in words, and as the command takes it.

    `form` is its form as far as a schema can say it: a `Param`, keywords of JSON Schema, or an
    alternative of which there may be several.
    """

    words: str
    accept: Callable[[Any], Any]
    form: Param | Mapping[str, Any] | Alternative


class Option(Record):
    """An option of a section: the alternatives are tried in turn."""

    name: str
    alternatives: tuple[Alternative, ...]

    def expected(self) -> str:
        """What a value has to be, in words."""
        return " or ".join(alternative.words for alternative in self.alternatives)

    def convert(self, value: Any) -> Any:
        """The value as the command takes it; raises ValueError with what was expected."""
        for alternative in self.alternatives:
            try:
                return alternative.accept(value)
            except ValueError:
                continue
        raise ValueError(f"expected {self.expected()}")


def _param(param: Param) -> Alternative:
    return Alternative(param.expected(), param.convert, param)


def _number(*, above: float) -> Alternative:
    return _param(Param("", 0.0, above=above))


def _count(at_least: float = 1) -> Alternative:
    return _param(Param("", 0, kind="integer", at_least=at_least))


def _one_of(*words: str) -> Alternative:
    choice = Param("", "", kind="choice", choices=words)
    return Alternative(" or ".join(words), choice.convert, choice)


def _flag() -> Alternative:
    return _param(Param("", False, kind="boolean"))


def _text() -> Alternative:
    def accept(value: Any) -> str:
        if isinstance(value, str) and value:
            return value
        raise ValueError

    return Alternative("a word", accept, {"type": "string", "minLength": 1})


def _several(one: Alternative) -> Alternative:
    """One or a list of them; a tuple either way."""

    def accept(value: Any) -> tuple[Any, ...]:
        if isinstance(value, (list, tuple)):
            return tuple(map(one.accept, value))
        return (one.accept(value),)

    return Alternative(f"{one.words}, or a list of such", accept, one)


def _mapping() -> Alternative:
    def accept(value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        raise ValueError

    return Alternative("a mapping", accept, {"type": "object"})


def _table(**options: tuple[Alternative, ...]) -> dict[str, Option]:
    return {name: Option(name, alternatives) for name, alternatives in options.items()}


SECTIONS: Final[dict[str, dict[str, Option]]] = {
    "check": _table(
        require=(_one_of(*GRADES), _number(above=0)),
        entries=(_one_of("all"), _count()),
        budget=(_number(above=0),),
        oracle=(_one_of(*ORACLES),),
        step=(_number(above=0),),
        only=(_several(_text()),),
        skip=(_several(_text()),),
        wrt=(_one_of("all", "parameters", "inputs"),),
        strict=(_flag(),),
        allow_inconclusive=(_flag(),),
        self_test=(_flag(),),
        dtype=(_one_of(*DTYPES),),
    ),
    "flow": _table(
        threshold=(_number(above=0),),
        seeds=(_count(),),
        fail_on=(_several(_one_of(*FLOW_GATES)),),
        remedies=(_flag(),),
    ),
    "train": _table(
        steps=(_count(),),
        batch=(_count(),),
        optimizer=(_text(), _mapping()),
        lr=(_number(above=0),),
        schedule=(_text(), _mapping()),
        clip=(_number(above=0), _text(), _mapping()),
        accumulate=(_count(),),
        precision=(_text(),),
    ),
}
"""Sections by name, their options by name with underscores; commands write hyphens."""
