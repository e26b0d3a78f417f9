"""Where specs come in: files, text and Python mappings."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping
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
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    keeps_network: bool = True,
    whole_data: bool = False,
    check_codes: Callable[[], Collection[str]] | None = None,
    overrides: Mapping[str, Any] | None = None,
    name: str | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Plan:
    """The plan of a spec: a path, or the spec itself as a mapping (which may hold arrays).

    `overrides` are values of the command line, which win: `seed`, `dtype`, and options by section,
    e.g. `{"seed": 3, "check": {"require": "good"}}`; None counts as not given. `name` is what a
    spec is called that does not say so itself, by default its file's. Paths in a mapping are
    relative to the working folder. Without `keeps_network`, `max_memory` is not meant for all of
    the network at once. With `whole_data` all rows of the data are taken, of which `data: {batch}`
    is how many are meant at a time. `check_codes` lists the codes that `expect: {check: ...}` may
    name; without it, whatever looks like one.

    Raises SpecError with every problem of the spec, UsageError for an override of the wrong type.
    """
    if isinstance(source, Mapping):
        problems = Problems("")
        context = Context(
            problems,
            catalogue,
            "",
            max_memory,
            allow_python,
            keeps_network=keeps_network,
            whole_data=whole_data,
            check_codes=check_codes,
        )
        try:
            root = from_python(source)
        except NodeError as error:
            problems.add(error.code, str(error), error.node)
            raise problems.error() from error
        return assemble(root, context, overrides or {}, name or "spec")
    path = os.fspath(source)
    folder, file = os.path.split(path)
    return load_text(
        _read(path),
        path,
        folder=folder,
        allow_python=allow_python,
        max_memory=max_memory,
        keeps_network=keeps_network,
        whole_data=whole_data,
        check_codes=check_codes,
        overrides=overrides,
        name=name or os.path.splitext(file)[0],
        catalogue=catalogue,
    )


def load_text(
    text: str | bytes,
    file: str = "<stdin>",
    *,
    folder: str = "",
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    keeps_network: bool = True,
    whole_data: bool = False,
    check_codes: Callable[[], Collection[str]] | None = None,
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
    context = Context(
        problems,
        catalogue,
        folder,
        max_memory,
        allow_python,
        keeps_network=keeps_network,
        whole_data=whole_data,
        check_codes=check_codes,
    )
    return assemble(root, context, overrides or {}, name or "stdin")


def _read(path: str) -> bytes:
    """The file's bytes, at most one more than a spec may have.

    A pipe is read as long as somebody writes to it, `<(...)` of a shell say; devices are refused,
    many of which never end.
    """
    from gradcli.spec.yaml_nodes import MAX_BYTES

    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                reason = "it is a device, not a file"
            else:
                data = stream.read(MAX_BYTES + 1)
                if data or not stat.S_ISFIFO(mode):
                    return data
                reason = "it is a pipe that nobody writes to"
    except (OSError, ValueError) as error:
        reason = str(error.strerror if isinstance(error, OSError) else error)
    problems = Problems(path)
    problems.add("SP001", f"cannot read the spec: {reason}")
    raise problems.error()


def _open_at_once(path: str, flags: int) -> int:
    """A descriptor, without waiting for somebody who writes to a pipe."""
    at_once = getattr(os, "O_NONBLOCK", 0)  # Windows has none
    descriptor = os.open(path, flags | at_once)
    if at_once:
        os.set_blocking(descriptor, True)
    return descriptor
