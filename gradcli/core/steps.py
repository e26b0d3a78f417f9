"""What a recurrent op does step by step, for whoever looks at it: its states, gates and gradients.

An op notes these as it goes, which costs nothing unless a recording is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np

from gradcli.core.arrays import Array

__all__ = ["Step", "note_gate", "note_slope", "note_state", "note_state_cotangent", "record_steps"]


def _nothing() -> Array:
    return np.zeros(0)


@dataclass
class Step:
    """One step: its output, the cotangent of all states that it hands on, gates, slopes.

    Gates are by name, slopes those of the activation. What was not noted is empty.
    """

    state: Array = field(default_factory=_nothing)
    cotangent: Array = field(default_factory=_nothing)
    gates: dict[str, Array] = field(default_factory=dict)
    slope: Array = field(default_factory=_nothing)


_record: ContextVar[list[Step] | None] = ContextVar("steps", default=None)


@contextmanager
def record_steps() -> Iterator[list[Step]]:
    """Collect the steps of the recurrent op evaluated in the block, and then pulled back in it."""
    record: list[Step] = [Step()]
    token = _record.set(record)
    try:
        yield record
    finally:
        _record.reset(token)
        if not record[-1].state.size:
            record.pop()


def note_gate(name: str, opening: Array) -> None:
    """A gate of the step under way, between 0 (closed) and 1 (open)."""
    record = _record.get()
    if record is not None:
        record[-1].gates[name] = opening


def note_slope(slope: Callable[[], Array]) -> None:
    """The slope of the activation of the step under way."""
    record = _record.get()
    if record is not None:
        record[-1].slope = slope()


def note_state(state: Array) -> None:
    """The output of the step under way, the first of the states that it hands on; it ends here."""
    record = _record.get()
    if record is not None:
        record[-1].state = state
        record.append(Step())


def note_state_cotangent(step: int, cotangent: Callable[[], Array]) -> None:
    """The cotangent of all that a step hands on."""
    record = _record.get()
    if record is not None:
        record[step].cotangent = cotangent()
