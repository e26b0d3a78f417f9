"""Exit codes, and the errors that end a command. Imports nothing of the package."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = [
    "ExitCode",
    "GradcliError",
    "InternalError",
    "SpecError",
    "SpecProblem",
    "UsageError",
    "UserCodeError",
]


class ExitCode(IntEnum):
    """What a command's exit code means; the same for every command."""

    OK = 0  # every gradient agrees, or nothing that was asked to fail did
    WRONG = 1  # a gradient is proven wrong, a gate was hit, an `expect` was not met
    INVALID = 2  # the command line or a spec is invalid, or an output cannot be written
    UNDECIDED = 3  # nothing is proven wrong, but something could not be decided
    BUG = 4  # a bug in gradcli itself
    INTERRUPTED = 130  # Ctrl-C

    @classmethod
    def worst(cls, codes: list[ExitCode]) -> ExitCode:
        """The code that stands for several results: 130, then 2, 4, 1, 3, 0."""
        order = (cls.INTERRUPTED, cls.INVALID, cls.BUG, cls.WRONG, cls.UNDECIDED, cls.OK)
        return next((code for code in order if code in codes), cls.OK)


class GradcliError(Exception):
    """An error that is shown to the user as a message, never as a traceback."""

    exit_code = ExitCode.INVALID


class UsageError(GradcliError, ValueError):
    """Something asked of a command or an API call is not possible."""


class UserCodeError(UsageError):
    """Code that a spec names raises, or returns what it must not; `where` is what runs it."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where


class InternalError(GradcliError):
    """A state that gradcli promises cannot occur."""

    exit_code = ExitCode.BUG


class SpecProblem(NamedTuple):
    """One mistake in a spec, with everything needed to show it in its source.

    `line` and `column` count from 1; 0 means that the problem has no place in the text.
    `key` is the dotted path of the entry, e.g. `network[2].dense.units`. `source_line` is the text
    of that line and `length` the number of characters to underline.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    key: str = ""
    hint: str = ""
    source_line: str = ""
    length: int = 1

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.code} {self.message}{hint}"


class SpecError(GradcliError):
    """A spec cannot be used; `errors` holds every problem found in it, in the order of the file."""

    def __init__(self, errors: list[SpecProblem] | tuple[SpecProblem, ...]) -> None:
        self.errors: tuple[SpecProblem, ...] = tuple(
            sorted(errors, key=lambda problem: (problem.line, problem.column))
        )
        super().__init__("\n".join(map(str, self.errors)))
