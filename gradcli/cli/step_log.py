"""A file of one JSON record a line, written step by step, so that it can be followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
        file = open(path, "w", encoding="ascii", newline="\n")  # noqa: SIM115  (closed below)
    except OSError as error:
        raise _unwritten(path, error) from None

    def write(step: Step) -> None:
        try:
            file.write(encode_line(step.to_dict()))
            file.flush()
        except OSError as error:
            raise _unwritten(path, error) from None

    try:
        yield write
    finally:
        with suppress(OSError):  # what is left there was told when it could not be written
            file.close()


def _unwritten(path: str, error: OSError) -> UsageError:
    """Of this file alone: whatever else cannot be written meanwhile is another's to tell."""
    return UsageError(f"{path} cannot be written: {error.strerror}")
