"""Files that are there as a whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from gradcli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_writable", "write_file", "write_whole"]


def write_whole(texts: Mapping[Path, str], *, overwrite: bool = False) -> None:
    """Write texts to new files, each as `write_file` does.

    Raises UsageError, before anything is written, where a file exists and `overwrite` was not asked
    for or is no ordinary file, and where one cannot be written.
    """
    for target in texts:
        if os.path.exists(target) and not overwrite:
            raise UsageError(f"{target} exists already: --overwrite replaces it")
        _destination(target)
    for target, text in texts.items():
        write_file(target, text)


def write_file(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file beside its place, and move it there once it is whole.

    Text is UTF-8 with the line ends that it has. What was there before stays if anything goes
    wrong, and nothing else is left behind; a link goes on to lead to what it led to. Raises
    UsageError where the file cannot be written.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    target = _destination(path)
    try:
        _write(data, target)
    except OSError as error:
        raise UsageError(f"{os.fspath(path)} cannot be written: {error.strerror}") from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise UsageError where `write_file` could not put a file, for work that would be lost."""
    folder = os.path.dirname(_destination(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        reason = os.strerror(errno.EACCES if os.path.isdir(folder) else errno.ENOENT)
        raise UsageError(f"{os.fspath(path)} cannot be written: {reason}")


def _destination(path: str | os.PathLike[str]) -> str:
    """Where a path leads; UsageError where no file may be put, which moving would not ask."""
    target = os.path.realpath(path)
    if os.path.exists(target):
        if not os.path.isfile(target):
            raise UsageError(f"{os.fspath(path)} cannot be written: it is no ordinary file")
        if not os.access(target, os.W_OK):
            reason = os.strerror(errno.EACCES)
            raise UsageError(f"{os.fspath(path)} cannot be written: {reason}")
    return target


def _write(data: bytes, target: str) -> None:
    beside = os.path.join(os.path.dirname(target), f".gradcli-{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(beside, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        if os.path.exists(target):
            os.chmod(beside, os.stat(target).st_mode & 0o7777)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
