"""YAML text to nodes, with everything refused that specs do not use, and all sizes bounded.

The parser's events are read one by one, so that a deep or self-multiplying text is refused
before it is built.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from gradcli.spec.nodes import MAX_DEPTH, Node, Place, shortened
from gradcli.spec.problems import Problems, split_lines
from gradcli.spec.scalars import resolve

__all__ = ["MAX_ALIASED", "MAX_BYTES", "decode", "parse"]

MAX_BYTES: Final = 1 << 20
"""Size of a spec."""

MAX_ALIASED: Final = 100_000
"""Nodes that the aliases of a spec may expand to."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE: Final = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""What YAML does not allow in a text, as a pattern."""

_INNER_MAPPING: Final = "mapping values are not allowed in this context"
"""What the parser says of a colon in a text without quotes."""


def decode(data: bytes, file: str) -> str:
    """The text of a spec: UTF-8, with or without byte order mark; SpecError where it is not."""
    problems = Problems(file)
    if len(data) > MAX_BYTES:
        problems.add("SP004", "the spec is larger than 1 MiB", hint="put arrays into a data file")
        problems.raise_any()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = split_lines(data[: error.start].decode("utf-8", "replace"))
        place = Place(len(before), len(before[-1]) + 1, 1)
        byte = data[error.start]
        problems.add("SP001", f"not UTF-8 text: byte 0x{byte:02x}", place=place)
        problems.raise_any()
        raise


def parse(text: str, problems: Problems) -> Node | None:
    """The document's root, or None where there is none; SpecError where reading cannot go on."""
    builder = _Builder(problems)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        builder.syntax_error(error)
    except yaml.YAMLError as error:
        builder.unreadable(text, error)
    return builder.root


class _Builder:
    """Builds the tree from events, with an explicit stack."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.root: Node | None = None
        self.documents = 0
        self.aliased = 0
        self.stack: list[Node] = []
        self.keys: list[tuple[str, Place] | None] = []
        self.in_braces: list[bool] = []
        self.cut: list[tuple[Node, str] | None] = []
        self.anchors: dict[str, Node | None] = {}
        self.names: dict[int, str] = {}

    def stop(self, code: str, message: str, place: Place, hint: str = "") -> None:
        self.problems.add(code, message, place=place, hint=hint)
        self.problems.raise_any()

    def syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        place = Place(0, 0, 1) if mark is None else Place(mark.line + 1, mark.column + 1, 1)
        context = f", {error.context}" if error.context else ""
        line = self.problems.source_line(place.line)
        tabbed = "\t" in line[: place.column] and not line[: place.column].strip()
        began = error.context_mark
        if tabbed:
            hint = "YAML is indented with spaces, not tabs"
        elif error.problem == _INNER_MAPPING:
            hint = "a text with a colon in it is written in quotes"
        elif mark is not None and began is not None and began.line < mark.line:
            hint = f"it begins on line {began.line + 1}"
        else:
            hint = ""
        self.stop("SP002", f"not valid YAML: {error.problem}{context}", place, hint)

    def unreadable(self, text: str, error: yaml.YAMLError) -> None:
        """A character that YAML does not allow; parsers disagree on how to say where it is."""
        bad = re.search(_UNPRINTABLE, text)
        if bad is None:
            self.stop("SP002", f"not valid YAML: {error}", Place(0, 0, 1))
            return
        before = split_lines(text[: bad.start()])
        place = Place(len(before), len(before[-1]) + 1, 1)
        self.stop("SP002", f"control character U+{ord(bad[0]):04X} in the text", place)

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.stop("SP003", "a second document: a spec is one document", _place(event))
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self.open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.close(event)

    def alias(self, event: yaml.AliasEvent) -> None:
        name, place = str(event.anchor), _place(event)
        if name not in self.anchors:
            self.stop("SP002", f"alias *{name} without an anchor &{name} before it", place)
        target = self.anchors[name]
        if target is None:
            self.stop("SP003", f"alias *{name} stands inside what it stands for", place)
            return
        self.aliased += target.size
        if self.aliased > MAX_ALIASED:
            self.stop("SP004", f"aliases expand to more than {MAX_ALIASED:,} nodes", place)
        if len(self.stack) + target.height > MAX_DEPTH:
            self.too_deep(place)
        self.attach(target, place, is_alias=True)

    def scalar(self, event: yaml.ScalarEvent) -> None:
        place = self.untagged(event)
        plain = event.implicit[0]
        is_key = bool(self.stack) and self.stack[-1].is_mapping and self.keys[-1] is None
        if plain and is_key and event.value == "<<":
            self.stop("SP003", "merge keys (<<) are not used in specs", place)
        if plain and not event.value and self.continues():
            return
        node = Node(resolve(event.value) if plain and not is_key else event.value, place)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self.attach(node, place)
        if plain and not is_key and self.stack and self.in_braces[-1] and _is_open(node.value):
            self.cut[-1] = node, node.value

    def continues(self) -> bool:
        """Whether a key without a value is the rest of a text that was cut at its comma.

        `{a: f(x, y)}` is a text `f(x` and a key `y)` to YAML. That is noted, and the text joined
        again, so that what follows is read as it was meant.
        """
        if not self.stack or self.cut[-1] is None or self.keys[-1] is None:
            return False
        node, first = self.cut[-1]
        rest, _ = self.keys[-1]
        hint = f'write it in quotes: "{shortened(first)}, ..."'
        self.problems.add("SP017", "inside { } a text ends at its comma", node, hint=hint)
        node.value = f"{node.value}, {rest}"
        self.keys[-1] = None
        if not _is_open(node.value):
            self.cut[-1] = None
        return True

    def open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        place = self.untagged(event)
        if len(self.stack) >= MAX_DEPTH:
            self.too_deep(place)
        node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], place)
        self.attach(node, place)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
            self.names[id(node)] = event.anchor
        self.stack.append(node)
        self.keys.append(None)
        self.cut.append(None)
        self.in_braces.append(node.is_mapping and bool(event.flow_style))

    def close(self, event: Any) -> None:
        node = self.stack.pop()
        self.keys.pop()
        self.cut.pop()
        self.in_braces.pop()
        node.close()
        name = self.names.pop(id(node), None)
        if name is not None:
            self.anchors[name] = node
        line, column, _ = node.place
        on_one_line = event.end_mark.line + 1 == line
        end = (
            event.end_mark.column if on_one_line else len(self.problems.source_line(line).rstrip())
        )
        node.place = Place(line, column, end - column + 1)
        if node.parent is None or not isinstance(node.step, str):
            node.key_place = node.place

    def attach(self, node: Node, place: Place, *, is_alias: bool = False) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if parent.is_list:
            index = len(parent.value)
            if is_alias:
                node = node.copied(parent, index)
            node.parent, node.step = parent, index
            parent.value.append(node)
            return
        key = self.keys[-1]
        if key is None:
            self.key(node, place)
            return
        self.keys[-1] = self.cut[-1] = None
        step, key_place = key
        if step in parent.value:
            first = parent.value[step]
            self.problems.add(
                "SP005",
                f"key {step!r} stands twice",
                first,
                place=key_place,
                hint=f"first on line {first.key_place.line}",
            )
        if is_alias:
            node = node.copied(parent, step, key_place)
        node.parent, node.step, node.key_place = parent, step, key_place
        parent.value.setdefault(step, node)

    def key(self, node: Node, place: Place) -> None:
        if not node.is_scalar:
            self.stop("SP002", "a key has to be a word, not a list or mapping", place)
        self.keys[-1] = (node.value if isinstance(node.value, str) else str(node), place)

    def untagged(self, event: Any) -> Place:
        place = _place(event)
        if event.tag is not None:
            self.stop("SP003", f"tags ({event.tag}) are not used in specs", place)
        return place

    def too_deep(self, place: Place) -> None:
        self.stop("SP004", f"more than {MAX_DEPTH} nested collections", place)


def _is_open(value: Any) -> bool:
    """Whether a text has a bracket that it does not close."""
    return isinstance(value, str) and value.count("(") > value.count(")")


def _place(event: Any) -> Place:
    start, end = event.start_mark, event.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Place(start.line + 1, start.column + 1, length)
