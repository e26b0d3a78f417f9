"""Where specs come in: files, text and Python mappings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gradcli.core.registry import CATALOGUE, Catalogue
from gradcli.spec.assemble import assemble
from gradcli.spec.fields import Context
from gradcli.spec.nodes import NodeError, from_python
from gradcli.spec.plan import Plan
from gradcli.spec.problems import Problems

__all__ = ["DEFAULT_MEMORY", "load_plan", "load_text"]

DEFAULT_MEMORY: Final = 2 << 30
"""Bytes that a spec's arrays may take together."""


def load_plan(
    source: str | Path | Mapping[str, Any],
    *,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    overrides: Mapping[str, Any] | None = None,
    name: str | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Plan:
    """The plan of a spec: a path, or the spec itself as a mapping (which may hold arrays).

    `overrides` are values of the command line, which win: `seed`, `dtype`, and options by section,
    e.g. `{"seed": 3, "check": {"require": "good"}}`; None counts as not given. `name` is what a
    spec is called that does not say so itself, by default its file's. Paths in a mapping are
    relative to the working folder.

    Raises SpecError with every problem of the spec, UsageError for an override of the wrong type.
    """
    if isinstance(source, Mapping):
        problems = Problems("")
        context = Context(problems, catalogue, Path(), max_memory, allow_python)
        try:
            root = from_python(source)
        except NodeError as error:
            problems.add(error.code, str(error), error.node)
            raise problems.error() from error
        return assemble(root, context, overrides or {}, name or "spec")
    path = Path(source)
    return load_text(
        _read(path),
        str(source),
        folder=path.parent,
        allow_python=allow_python,
        max_memory=max_memory,
        overrides=overrides,
        name=name or path.stem,
        catalogue=catalogue,
    )


def load_text(
    text: str | bytes,
    file: str = "<stdin>",
    *,
    folder: str | Path = "",
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    overrides: Mapping[str, Any] | None = None,
    name: str | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Plan:
    """The plan of a spec given as text, which messages call `file`; see `load_plan`."""
    # YAML takes a while to import, and a spec given as a mapping does without
    from gradcli.spec.yaml_nodes import decode, parse

    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    decoded = decode(data, file)
    problems = Problems(file, decoded)
    root = parse(decoded, problems)
    context = Context(problems, catalogue, Path(folder), max_memory, allow_python)
    return assemble(root, context, overrides or {}, name or "stdin")


def _read(path: Path) -> bytes:
    """The file's bytes, at most one more than a spec may have."""
    from gradcli.spec.yaml_nodes import MAX_BYTES

    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        problems = Problems(str(path))
        reason = error.strerror if isinstance(error, OSError) else error
        problems.add("SP001", f"cannot read the spec: {reason}")
        raise problems.error() from error
