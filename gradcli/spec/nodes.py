"""A spec as a tree of nodes that know their place in the text and their key path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from gradcli.core.arrays import Array

__all__ = [
    "MAX_DEPTH",
    "MAX_PYTHON_NODES",
    "Beyond",
    "Node",
    "NodeError",
    "Place",
    "as_float",
    "from_python",
    "shortened",
]

MAX_DEPTH: Final = 64
"""Nested collections in a spec."""

MAX_PYTHON_NODES: Final = 1_000_000
"""Values in a spec given as a Python mapping (arrays count once)."""

Scalar = str | int | float | bool | None


class Beyond(float):
    """Infinity, for a number that was written out and is beyond floats; `text` is how."""

    text: str

    def __new__(cls, text: str) -> Beyond:
        value = super().__new__(cls, "-inf" if text.startswith("-") else "inf")
        value.text = text
        return value


class Place(NamedTuple):
    """Line and column of a piece of text, from 1 (0: no place), and its length on that line."""

    line: int
    column: int
    length: int


NOWHERE: Final = Place(0, 0, 1)


class NodeError(ValueError):
    """A Python value that cannot stand in a spec; `node` is where it stands."""

    def __init__(self, code: str, message: str, node: Node) -> None:
        super().__init__(message)
        self.code = code
        self.node = node


class Node:
    """A scalar, a list, a mapping, or (from Python only) an array.

    `value` is a scalar as YAML 1.2 reads it, a list of nodes, a dict of nodes or an array.
    `step` is the key or index under which the node stands in its `parent`. `key_place` is the
    place of its key, or its own where it has none. `size` and `height` count it and all below.
    """

    __slots__ = ("height", "key_place", "parent", "place", "size", "step", "value")

    def __init__(
        self,
        value: Scalar | list[Node] | dict[str, Node] | Array,
        place: Place = NOWHERE,
        parent: Node | None = None,
        step: str | int | None = None,
        key_place: Place | None = None,
    ) -> None:
        self.value: Any = value
        self.place = place
        self.parent = parent
        self.step = step
        self.key_place = place if key_place is None else key_place
        self.size = 1
        self.height = 0

    @property
    def path(self) -> str:
        """The key path, e.g. `network[2].dense.units`."""
        steps: list[str] = []
        node: Node | None = self
        while node is not None and node.step is not None:
            steps.append(f"[{node.step}]" if isinstance(node.step, int) else f".{node.step}")
            node = node.parent
        return "".join(reversed(steps)).removeprefix(".")

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def is_scalar(self) -> bool:
        return not isinstance(self.value, (dict, list, np.ndarray))

    def says(self, word: str) -> bool:
        """Whether the node is this word."""
        return isinstance(self.value, str) and self.value == word

    def children(self) -> Iterator[Node]:
        if isinstance(self.value, dict):
            yield from self.value.values()
        elif isinstance(self.value, list):
            yield from self.value

    def close(self) -> None:
        """Count what is below, once that is complete."""
        self.size = 1 + sum(child.size for child in self.children())
        if not self.is_scalar:
            self.height = 1 + max((child.height for child in self.children()), default=0)

    def copied(self, parent: Node, step: str | int, key_place: Place | None = None) -> Node:
        """The same tree at another key path: what an alias stands for."""
        copy = Node(self.value, self.place, parent, step, key_place)
        copy.size, copy.height = self.size, self.height
        if isinstance(self.value, dict):
            copy.value = {
                key: child.copied(copy, key, child.key_place) for key, child in self.value.items()
            }
        elif isinstance(self.value, list):
            copy.value = [child.copied(copy, index) for index, child in enumerate(self.value)]
        return copy

    def plain(self) -> Any:
        """The value as Python data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def __str__(self) -> str:
        """The value in a few words, for messages."""
        if isinstance(self.value, dict):
            return "a mapping" if self.value else "an empty mapping"
        if isinstance(self.value, list):
            return "a list" if self.value else "an empty list"
        if isinstance(self.value, np.ndarray):
            return "an array"
        if isinstance(self.value, str):
            return repr(shortened(self.value))
        if self.value is None or isinstance(self.value, bool):
            return {None: "null", True: "true", False: "false"}[self.value]
        if isinstance(self.value, Beyond):
            return shortened(self.value.text, 20)
        return f"{self.value:.12g}" if isinstance(self.value, float) else str(self.value)


def shortened(text: str, length: int = 40) -> str:
    """The text, or its beginning where it is long."""
    return text if len(text) <= length else text[: length - 1] + "…"


def from_python(source: Mapping[str, Any]) -> Node:
    """The nodes of a spec given as Python data; NodeError for what YAML could not hold."""
    count = 0

    def build(value: Any, parent: Node | None, step: str | int | None, depth: int) -> Node:
        nonlocal count
        count += 1
        node = Node(None, NOWHERE, parent, step)
        if count > MAX_PYTHON_NODES or depth > MAX_DEPTH:
            limit = f"{MAX_DEPTH} nested collections"
            if count > MAX_PYTHON_NODES:
                limit = f"{MAX_PYTHON_NODES:,} values; give arrays as NumPy arrays"
            raise NodeError("SP004", f"more than {limit}", node)
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise NodeError("SP009", f"keys are strings, not {type(key).__name__}", node)
            node.value = {key: build(item, node, key, depth + 1) for key, item in value.items()}
        elif isinstance(value, (list, tuple)):
            node.value = [build(item, node, index, depth + 1) for index, item in enumerate(value)]
        elif isinstance(value, np.ndarray):
            node.value = value if value.ndim else value.item()
        elif isinstance(value, np.generic):
            node.value = value.item()
        elif value is None or isinstance(value, (str, bool, int, float)):
            node.value = as_float(value) if type(value) is int else value
        elif hasattr(value, "__fspath__"):
            node.value = str(value)
        else:
            raise NodeError("SP009", f"a spec cannot hold a {type(value).__name__}", node)
        node.close()
        return node

    return build(source, None, None, 0)


def as_float(value: int) -> int | float:
    """A whole number, as a float (or infinity) where it is so long that arithmetic would fail."""
    if abs(value) < 1 << 63:
        return value
    try:
        return float(value)
    except OverflowError:
        sign = "-" if value < 0 else ""
        return Beyond(f"{sign}2^{abs(value).bit_length() - 1}")
