"""Writing to standard output and error, whatever their readers and encodings do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from gradcli.errors import UsageError

__all__ = ["put", "say", "writing"]


def put(text: str) -> None:
    """Write to standard output; a reader that has gone away is no error.

    Letters that its encoding lacks become question marks. Raises UsageError where it cannot be
    written.
    """
    with writing():
        _write(text, sys.stdout)


@contextmanager
def writing() -> Iterator[None]:
    """What goes wrong while standard output is written in the block is told as by `put`."""
    try:
        yield
    except OSError as error:
        _discard(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise UsageError(f"standard output cannot be written: {error.strerror}") from None


def say(text: str) -> None:
    """Write a line or several to standard error, as far as anybody listens."""
    try:
        _write(text if text.endswith("\n") else text + "\n", sys.stderr)
    except OSError:
        _discard(sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:  # closed before the start, `>&-`
        return
    encoding = stream.encoding or "ascii"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def _discard(stream: TextIO | None) -> None:
    """Send what is still buffered nowhere, so that the interpreter does not fail on it at exit."""
    if stream is None:
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # a stream without a descriptor has nothing to fail on
        return
