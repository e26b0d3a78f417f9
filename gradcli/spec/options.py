"""The option sections of a spec: names and types of what `check`, `flow` and `train` may hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from gradcli.core.op import Op
from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.core.training_op import Curriculum, Optimizer, Schedule
from gradcli.errors import UsageError

__all__ = [
    "DTYPES",
    "FLOW_GATES",
    "FLOW_VERDICTS",
    "GRADES",
    "ORACLES",
    "PRECISIONS",
    "SECTIONS",
    "TRAIN_GATES",
    "Alternative",
    "OpOption",
    "Option",
    "Readable",
    "check_required",
    "overridden",
    "unmet",
]

GRADES: Final = ("excellent", "good", "acceptable")
DTYPES: Final = ("float64", "float32")
PRECISIONS: Final = ("float64", "float32", "mixed")
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


TRAIN_GATES: Final = (
    "diverged",
    "non-finite",
    "plateau",
    "rising",
    "loss-spike",
    "clipped-often",
    "large-updates",
    "units-lost",
    "underflow",
    "conflict",
    "no-active-triplets",
    "collapse",
    "check-failed",
)
"""What `fail_on` of a training run can name: findings by the names of their rules."""


class Readable(Protocol):
    """Anything that converts a written value: a `Param` of an op, an `Option` of a section."""

    @property
    def name(self) -> str: ...

    @property
    def choices(self) -> tuple[str, ...]: ...

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

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that a value, or one of several, may be."""
        return () if isinstance(self.form, Mapping) else self.form.choices


class Option(Record):
    """An option of a section: the alternatives are tried in turn."""

    name: str
    alternatives: tuple[Alternative, ...]

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that a value may be."""
        return tuple(word for each in self.alternatives for word in each.choices)

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


class OpOption(Record):
    """An option that is an op of the catalogue: its name, or one name with its options.

    With `by_name` it is a mapping of several such, by what each is for.
    """

    name: str
    op_class: type[Op]
    by_name: bool = False

    def expected(self) -> str:
        """What a value has to be, in words."""
        one = f"the name of a {self.op_class.kind}, or one with its options"
        return f"a mapping of names, each to {one}" if self.by_name else one


def _param(param: Param) -> Alternative:
    return Alternative(param.expected(), param.convert, param)


def _number(*, above: float, below: float = math.inf) -> Alternative:
    return _param(Param("", 0.0, above=above, below=below))


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


def _clip() -> Alternative:
    """{norm: 1.0} or {value: 0.5}, as a pair."""
    limit = Param("", 0.0, above=0)

    def accept(value: Any) -> tuple[str, float]:
        if isinstance(value, tuple):
            value = dict([value])
        if isinstance(value, dict) and len(value) == 1:
            ((kind, most),) = value.items()
            if kind in ("norm", "value"):
                return kind, limit.convert(most)
        raise ValueError

    one = {"type": "number", "exclusiveMinimum": 0}
    form = {
        "type": "object",
        "properties": {"norm": one, "value": one},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return Alternative("{norm: NUMBER} or {value: NUMBER} with a number above 0", accept, form)


def _table(**options: tuple[Alternative, ...] | OpOption) -> dict[str, Option | OpOption]:
    return {
        name: given if isinstance(given, OpOption) else Option(name, given)
        for name, given in options.items()
    }


SECTIONS: Final[dict[str, dict[str, Option | OpOption]]] = {
    "check": _table(
        require=(_one_of(*GRADES), _number(above=0, below=1)),
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
        order=(_param(Param("", 1, kind="integer", at_least=1, at_most=2)),),
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
        batch=(_one_of("all"), _count()),
        optimizer=OpOption("optimizer", Optimizer),
        lr=(_number(above=0),),
        schedule=OpOption("schedule", Schedule),
        anneal=OpOption("anneal", Schedule, by_name=True),
        clip=(_clip(),),
        accumulate=(_count(),),
        precision=(_one_of(*PRECISIONS),),
        loss_scale=(_one_of("dynamic"), _number(above=0)),
        curriculum=OpOption("curriculum", Curriculum),
        check_every=(_count(),),
        fail_on=(_several(_one_of(*TRAIN_GATES)),),
    ),
}
"""Sections by name, their options by name with underscores; commands write hyphens."""

_REQUIRED_VALUES: Final[dict[str, dict[str, tuple[str, tuple[str, ...]]]]] = {
    "check": {"step": ("oracle", ("central", "forward"))},
    "train": {"loss_scale": ("precision", ("mixed",))},
}
"""Options that have no effect without certain values of another, by section."""


def overridden(
    section: str, written: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a section with those given in their place.

    What is written gives way as well where what is given leaves it without effect.
    """
    void = {
        name
        for name, (other, values) in _REQUIRED_VALUES.get(section, {}).items()
        if other in given and given[other] not in values
    }
    return {**{name: value for name, value in written.items() if name not in void}, **given}


def unmet(section: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The options that have no effect beside the others, each with what it needs."""
    return {
        name: f"{name}: only with {other}: {' or '.join(values)}"
        for name, (other, values) in _REQUIRED_VALUES.get(section, {}).items()
        if name in options and options.get(other) not in values
    }


def check_required(section: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError for an option that has no effect beside the others."""
    for message in unmet(section, options).values():
        raise UsageError(message)
