"""Finding specs in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from gradcli.errors import UsageError

__all__ = ["find_specs"]


def find_specs(paths: Iterable[str | Path]) -> list[Path]:
    """The specs that the paths name: files as they are, folders searched for `*.yaml`.

    Folders are searched recursively, in sorted order, without hidden files and folders; a file
    reached twice counts once. A path that does not exist is kept, so that loading it says so.
    Raises UsageError for a folder without specs.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            found[path] = None
            continue
        specs = sorted(_search(path))
        if not specs:
            raise UsageError(f"there are no specs (*.yaml) in {path}")
        found.update(dict.fromkeys(specs))
    return list(found)


def _search(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.endswith(".yaml") and not name.startswith("."):
                yield Path(parent, name)
