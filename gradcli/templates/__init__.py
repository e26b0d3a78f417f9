"""Specs to start from, each with what it reads, in the files beside this module.

A template is a spec `NAME.yaml`, whose first line says what it is and whose second one which
command runs it, and what it reads: `NAME.csv`, or Python in `NAME.py`, which is kept as
`NAME.py-tpl` so that no tool takes it for a part of the package. Its files are named after it, so
that to write it under another name is to put that in the place of its own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gradcli.core.record import Record
from gradcli.core.registry import nearest
from gradcli.errors import UsageError
from gradcli.files import write_whole

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["SUFFIXES", "Template", "all_templates", "find_template", "template_names"]

SUFFIXES: Final = (".yaml", ".yml")
"""What the name of a spec may end in."""

_STORED: Final = {".yaml": ".yaml", ".csv": ".csv", ".py-tpl": ".py"}
"""Suffix here -> suffix as written."""


class Template(Record):
    """A spec to start from: `texts` are its files by suffix, that of the spec first."""

    name: str
    texts: dict[str, str]

    @property
    def summary(self) -> str:
        return self._head(0).removeprefix("# ")

    def command(self, file: str) -> str:
        """What is run on the spec once it is written as `file`."""
        return self._head(1).removeprefix("#   ").replace(f"{self.name}.yaml", shlex.quote(file))

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it is written as, under its own name."""
        return tuple(self.name + suffix for suffix in self.texts)

    @property
    def spec(self) -> str:
        """The spec alone, as text."""
        return self.texts[SUFFIXES[0]]

    def write(self, file: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
        """Write the spec as `file`, and beside it what it reads; returns all that was written.

        Raises UsageError for a name that is not a spec's, a file that exists while `overwrite` was
        not asked for, and one that cannot be written; nothing is written then.
        """
        if file.suffix not in SUFFIXES:
            raise UsageError(f"{file} must end in {' or '.join(SUFFIXES)}, as a spec does")
        if not file.name.isprintable():
            raise UsageError(f"{file.name!r} cannot be written in a spec")
        paths = {suffix: _beside(file, suffix) for suffix in self.texts} | {SUFFIXES[0]: file}
        named = {suffix: path.name for suffix, path in paths.items()}
        named[SUFFIXES[0]] = shlex.quote(file.name)  # in commands only
        own = re.compile(rf"\b{self.name}({'|'.join(map(re.escape, named))})\b")
        texts = {
            paths[suffix]: own.sub(lambda found: named[found[1]], text)
            for suffix, text in self.texts.items()
        }
        write_whole(texts, overwrite=overwrite)
        return tuple(texts)

    def _head(self, line: int) -> str:
        return self.spec.splitlines()[line]


def _beside(file: Path, suffix: str) -> Path:
    """A file that a spec reads: a module's name, which needs no quotes in YAML either."""
    stem = file.name.removesuffix(file.suffix).removesuffix(".grad")
    return file.with_name(re.sub(r"\W", "_", stem) + suffix)


def template_names() -> list[str]:
    names = (file.name for file in _stored())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def all_templates() -> list[Template]:
    return [_read(name) for name in template_names()]


def find_template(name: str) -> Template:
    """The template of this name; raises UsageError, with the nearest, where there is none."""
    names = template_names()
    if name not in names:
        near = nearest(name, names)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
        raise UsageError(f"there is no template {name!r}; {hint}")
    return _read(name)


def _read(name: str) -> Template:
    stored = {file.name: file for file in _stored()}
    texts = {
        suffix: stored[name + kept].read_text("utf-8")
        for kept, suffix in _STORED.items()
        if name + kept in stored
    }
    return Template(name, texts)


def _stored() -> Iterator[Traversable]:
    return files(__name__).iterdir()
