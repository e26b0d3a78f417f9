"""Finding specs in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from gradcli.errors import UsageError

__all__ = ["find_specs"]


def find_specs(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The specs that the paths name: files as they are, folders searched for `*.yaml`.

    Folders are searched recursively, in sorted order, without hidden files and folders; a file
    reached twice counts once. A path that does not exist is kept, so that loading it says so.
    Raises UsageError for a folder without specs.
    """
    found: dict[str, None] = {}
    for path in map(_plain, paths):
        if not os.path.isdir(path):
            found[path] = None
            continue
        specs = sorted(_search(path), key=lambda spec: spec.split(os.sep))
        if not specs:
            raise UsageError(f"there are no specs (*.yaml) in {path}")
        found.update(dict.fromkeys(specs))
    return list(found)


def _plain(path: str | os.PathLike[str]) -> str:
    """The path without `./` and doubled separators; `..` stays, since it may follow a link."""
    path = os.fspath(path)
    return path if os.pardir in path else os.path.normpath(path)


def _unreadable(error: OSError) -> None:
    """Its specs may be wrong ones, which is not for nobody to hear of."""
    raise UsageError(f"cannot search {error.filename}: {error.strerror}") from error


def _search(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.endswith(".yaml") and not name.startswith("."):
                yield _plain(os.path.join(parent, name))
