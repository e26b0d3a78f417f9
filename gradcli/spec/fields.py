"""Reading keys and values of nodes, with problems noted where they are wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final

from gradcli.core.op import Op
from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.core.registry import Catalogue, nearest
from gradcli.spec.nodes import Node
from gradcli.spec.options import Readable
from gradcli.spec.problems import Problems, did_you_mean

__all__ = [
    "INVALID",
    "NAME",
    "NAME_HINT",
    "Context",
    "fields",
    "may_run",
    "read_name",
    "read_shape",
    "read_text",
    "read_value",
]

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""What layers, heads and definitions may be called."""

NAME_HINT: Final = "names have ASCII letters, digits, _ and -, and do not begin with a digit"

INVALID: Final[Any] = type("Invalid", (), {"__repr__": lambda self: "invalid"})()
"""Stands for a value whose problem has been noted."""


class Context(Record):
    """What all readers of one file share. `folder` is what paths in the spec are relative to.

    `broken` are definitions whose problems have been noted: to use one is no further mistake.
    `keeps_network` says that the whole network will be in memory at once, `whole_data` that all
    rows of the data are wanted, of which `batch` says how many at a time. `check_codes` lists the
    codes that a check can find (any code may be expected where it is None), and `single` says that
    data and weights will be used in float32.
    """

    problems: Problems
    catalogue: Catalogue
    folder: str
    max_memory: int
    allow_python: bool
    broken: frozenset[str] = frozenset()
    keeps_network: bool = True
    whole_data: bool = False
    check_codes: Callable[[], Collection[str]] | None = None
    single: bool = False

    def extended(self, ops: list[Op], broken: Collection[str]) -> Context:
        """The same with ops that the spec defines for itself."""
        return self.replace(catalogue=self.catalogue.extended(ops), broken=frozenset(broken))


def fields(
    node: Node, keys: Collection[str], problems: Problems, what: str
) -> dict[str, Node] | None:
    """The entries of a mapping whose keys are known; None where it is no mapping.

    Keys may be written with hyphens for underscores.
    """
    if not node.is_mapping:
        problems.add(
            "SP009",
            f"{what} cannot be {node}",
            node,
            hint="expected a mapping of " + ", ".join(keys),
        )
        return None
    known: dict[str, Node] = {}
    for key, child in node.value.items():
        name = key if key in keys else key.replace("-", "_")
        if name not in keys:
            problems.add(
                "SP006",
                f"{what} has no {key!r}",
                child,
                hint=did_you_mean(key, list(keys)),
                at_key=True,
            )
        elif name in known:
            problems.add("SP005", f"key {name!r} stands twice", child, at_key=True)
        else:
            known[name] = child
    return known


def read_value(node: Node, option: Readable, problems: Problems, fallback: Any = INVALID) -> Any:
    """The node's value as the option takes it, or the fallback with the problem noted."""
    try:
        return option.convert(node.plain())
    except ValueError:
        wrong = _wrong_part(node, option)
        hint = f"expected {option.expected()}"
        if isinstance(wrong.value, str):
            near = nearest(wrong.value[:100], list(option.choices))
            hint = hint if near is None else f"did you mean {near}?"
        problems.add("SP009", f"{option.name} cannot be {wrong}", wrong, hint=hint)
        return fallback


def _wrong_part(node: Node, option: Readable) -> Node:
    """The first item that makes a list wrong, where the option takes lists; else the node."""
    if not (node.is_list and _takes(option, [])):
        return node
    items: list[Node] = node.value
    return next(item for item in items if not _takes(option, [item.plain()]))


def _takes(option: Readable, value: Any) -> bool:
    try:
        option.convert(value)
    except ValueError:
        return False
    return True


def may_run(name: str, node: Node, context: Context) -> bool:
    """Whether Python may be run for a definition; if not, that is noted."""
    if not context.allow_python:
        message = f"{name} is defined in Python, which is not run unless it is allowed"
        hint = "pass --allow-python if you trust this spec"
        context.problems.add("SP018", message, node, hint=hint)
    return context.allow_python


def read_text(node: Node, what: str, problems: Problems) -> str | None:
    """A word or text that is not empty."""
    if isinstance(node.value, str) and node.value:
        return node.value
    problems.add("SP009", f"{what} cannot be {node}", node, hint="expected a word")
    return None


def read_name(node: Node, what: str, problems: Problems) -> str | None:
    """A name for something of the spec's own."""
    text = read_text(node, what, problems)
    if text is not None and not NAME.fullmatch(text):
        problems.add(
            "SP011",
            f"{what} cannot be {node}",
            node,
            hint=NAME_HINT,
        )
        return None
    return text


def read_shape(node: Node, problems: Problems, *, scalar: bool = False) -> tuple[int, ...] | None:
    """A list of axis lengths, at least one of them unless a scalar may stand there."""
    length = Param("an axis", kind="integer", at_least=1)
    if not node.is_list or not (node.value or scalar):
        problems.add(
            "SP009", f"shape cannot be {node}", node, hint="expected a list such as [32, 8]"
        )
        return None
    if len(node.value) > 16:
        problems.add("SP009", f"shape has {len(node.value)} axes", node, hint="expected at most 16")
        return None
    shape = [read_value(axis, length, problems) for axis in node.value]
    return None if INVALID in shape else tuple(shape)
