"""A file of one JSON record a line, written step by step, so that it can be followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gradcli.errors import UsageError

if TYPE_CHECKING:
    from gradcli.analysis.training import Step

__all__ = ["step_log"]


@contextmanager
def step_log(path: str) -> Iterator[Callable[[Step], None]]:
    """Where to tell each step; UsageError where the file cannot be written."""
    from gradcli.report.json import encode_line

    try:
        with open(path, "w", encoding="ascii", newline="\n") as file:

            def write(step: Step) -> None:
                file.write(encode_line(step.to_dict()))
                file.flush()

            yield write
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
