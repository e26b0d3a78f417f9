"""Running code of the user's own: what it prints, what it raises, and what it keeps."""

from __future__ import annotations

import copy
import os
import sys
from typing import Any, Final

from gradcli.errors import UserCodeError

__all__ = ["USER_ERRORS", "UserCode", "copied", "told"]

USER_ERRORS: Final = (Exception, SystemExit)
"""What a user's function may raise; it does not end the program, whatever it thinks."""

_LIBRARIES: Final = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    os.path.dirname(os.__file__) + os.sep,
    "<",
)
"""How files begin that are not the user's: those of this package, of Python, of no file."""

_PLAIN = (int, float, str, bytes, type(None))  # attributes that a shallow copy shares safely


class UserCode:
    """A block that calls it: prints go to standard error, errors become a UserCodeError.

    It says `what` raised, and `where` that is run. It is entered for every probe; a generator would
    take three times as long.
    """

    def __init__(self, where: str, what: str) -> None:
        self._where = where
        self._what = what

    def __enter__(self) -> None:
        self._stdout, sys.stdout = sys.stdout, sys.stderr

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        sys.stdout = self._stdout
        if isinstance(error, USER_ERRORS):
            message = f"{self._what} raises {told(error)}"
            raise UserCodeError(self._where, message) from error


def told(error: BaseException) -> str:
    """An error of a user's code in words, with the line of theirs that raised it."""
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, SyntaxError):  # says itself where
        return words
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [(file, line) for file, line in places if not _is_library(file)]
    if not own:
        return words
    file = own[0][0]
    line = [line for name, line in own if name == file][-1]
    return f"{words} ({os.path.basename(file)}:{line})"


def _is_library(file: str) -> bool:
    """Whether a frame is of this package, of Python or of something installed."""
    return file.startswith(_LIBRARIES) or "site-packages" in file or "dist-packages" in file


def copied(instance: Any) -> Any:
    """A copy of its own; a shallow one of what cannot be copied in depth (a file, a module)."""
    state = getattr(instance, "__dict__", None)
    if state is not None and all(isinstance(value, _PLAIN) for value in state.values()):
        return copy.copy(instance)
    try:
        return copy.deepcopy(instance)
    except Exception:
        return copy.copy(instance)
