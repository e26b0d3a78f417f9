"""Immutable values whose classes are free to define.

A dataclass or a named tuple writes and compiles code of its own when its class is defined, which
takes 0.15 to 0.9 ms. With the sixty of them that a check loads this was a tenth of the time that a
small check takes in all. A record only looks at its annotations; to type checkers it is a frozen
dataclass.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self, dataclass_transform

__all__ = ["Record"]

_REQUIRED: Final = object()


@dataclass_transform(frozen_default=True)
class Record:
    """A value made of its annotated fields, inherited ones first; what they are set to is default.

    Two records are equal if they are of one class and all fields are. With `kw_only` in a class's
    head its fields are given by name.
    """

    _fields: ClassVar[Mapping[str, Any]] = {}
    _positional: ClassVar[int] = 0

    def __init_subclass__(cls, *, kw_only: bool = False) -> None:
        own = {
            name: vars(cls).get(name, _REQUIRED)
            for name, kind in inspect.get_annotations(cls).items()
            if not str(kind).startswith("ClassVar")
        }
        cls._fields = {**cls._fields, **own}
        cls._positional = 0 if kw_only else len(cls._fields)

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = self._fields
        given = {**dict(zip(fields, values, strict=False)), **named}
        state = {**fields, **given}
        doubled = len(given) < len(values) + len(named)
        if doubled or len(values) > self._positional or len(state) > len(fields):
            raise TypeError(f"{type(self).__name__} takes each of {', '.join(fields)} once")
        missing = [name for name, value in state.items() if value is _REQUIRED]
        if missing:
            raise TypeError(f"{type(self).__name__} needs {', '.join(missing)}")
        vars(self).update(state)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; see replace")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; see replace")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.as_dict().values()))

    def __repr__(self) -> str:
        written = (f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{type(self).__name__}({', '.join(written)})"

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return type(self)(**{**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """Values by field, without what may be cached besides them."""
        return {name: vars(self)[name] for name in self._fields}
