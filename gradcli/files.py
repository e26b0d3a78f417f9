"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gradcli.errors import UsageError

__all__ = ["write_whole"]


def write_whole(texts: Mapping[Path, str], *, overwrite: bool = False) -> None:
    """Write texts to new files, each of which is there as a whole or not at all.

    Raises UsageError, before anything is written, where a file exists and `overwrite` was not asked
    for or is no ordinary file, and where one cannot be written.
    """
    for target in texts:
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists already: --overwrite replaces it")
        if target.exists() and not target.is_file():
            raise UsageError(f"{target} cannot be written: it is no ordinary file")
    for target, text in texts.items():
        _write(target, text)


def _write(target: Path, text: str) -> None:
    written = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=target.parent, encoding="utf-8", newline="\n", delete=False
        ) as file:
            written = Path(file.name)
            file.write(text)
        written.chmod(0o666 & ~_umask())
        written.replace(target)
    except OSError as error:
        if written is not None:
            written.unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None


def _umask() -> int:
    """The permissions that new files do not get; there is no way to read them but to set them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
