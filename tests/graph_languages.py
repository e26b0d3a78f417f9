"""Readers of DOT and Mermaid, strict about what their grammars say of the parts that are used."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml

__all__ = ["Drawn", "read_dot", "read_mermaid"]


@dataclass
class Drawn:
    """What a drawing holds: labels of nodes as lines, edges, and the blocks that a node is in."""

    title: str = ""
    labels: dict[str, list[str]] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    blocks: dict[str, tuple[str, ...]] = field(default_factory=dict)


_TOKEN: Final = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([A-Za-z_]\w*|\d+)|(->|[{}\[\];,=]))', re.S)


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match, f"no DOT: {text[at : at + 30]!r}"
        found.append(match[1] or match[2] or match[3])
        at = match.end()
    return found


def _lines(token: str) -> list[str]:
    """A string as Graphviz shows it, in which escapes are breaks, quotes and backslashes alone."""
    if not token.startswith('"'):
        return [token]
    lines = [""]
    for letter in re.findall(r"\\.|[^\\]", token[1:-1], re.S):
        if letter == "\\n":
            lines.append("")
        else:
            assert letter[0] != "\\" or letter[1] in '\\"', f"{letter} means something else"
            lines[-1] += letter[-1]
    return lines


def read_dot(text: str) -> Drawn:
    """One digraph of node, edge, attribute and subgraph statements."""
    tokens = _tokens(text)
    drawn = Drawn()

    def take(*expected: str) -> str:
        token = tokens.pop(0)
        assert not expected or token in expected, f"{token} instead of {expected}"
        return token

    def attributes() -> dict[str, str]:
        found = {}
        take("[")
        while tokens[0] != "]":
            name = take()
            take("=")
            found[name] = take()
            if tokens[0] == ",":
                take(",")
        take("]")
        return found

    take("digraph")
    (drawn.title,) = _lines(take())
    take("{")
    blocks: list[str] = []
    while True:
        if tokens[0] == "}":
            take("}")
            if not blocks:
                break
            blocks.pop()
            continue
        word = take()
        if word == "subgraph":
            assert take().startswith("cluster")
            take("{")
            take("label")
            take("=")
            blocks.append(_lines(take())[0])
        elif word in ("node", "edge", "graph"):
            attributes()
        elif tokens[0] == "->":
            take("->")
            drawn.edges.append((word, take()))
        else:
            assert word not in drawn.labels, f"{word} twice"
            drawn.labels[word] = _lines(attributes()["label"])
            drawn.blocks[word] = tuple(blocks)
            take(";")
            continue
        if word != "subgraph" or tokens[0] == ";":
            take(";")
    assert not tokens
    return drawn


_NODE: Final = re.compile(
    r'(?P<name>n\d+)(?P<start>\[|\(\[|\{\{|\(\()"(?P<label>[^"]*)"(?P<end>.*)'
)
_ENDS: Final = {"[": "]", "([": "])", "{{": "}}", "((": "))"}


def read_mermaid(text: str) -> Drawn:
    """One flowchart with a title, nodes of a few shapes, subgraphs and arrows."""
    start, head, body = text.split("---\n", 2)
    assert not start
    drawn = Drawn(yaml.safe_load(head)["title"])
    lines = [line.strip() for line in body.splitlines()]
    assert lines.pop(0) == "flowchart TD"
    blocks: list[str] = []
    for line in lines:
        if match := re.fullmatch(r'subgraph b\d+ \["([^"]*)"\]', line):
            blocks += _shown(match[1])
        elif line == "end":
            blocks.pop()
        elif match := re.fullmatch(r"(n\d+) --> (n\d+)", line):
            drawn.edges.append((match[1], match[2]))
        else:
            match = _NODE.fullmatch(line)
            assert match, f"no Mermaid: {line}"
            assert match["end"] == _ENDS[match["start"]]
            assert match["name"] not in drawn.labels
            drawn.labels[match["name"]] = _shown(match["label"])
            drawn.blocks[match["name"]] = tuple(blocks)
    assert not blocks
    return drawn


def _shown(label: str) -> list[str]:
    """The lines of a label, entities replaced; nothing else in it may look like markup."""
    lines = label.split("<br/>")
    assert not any(re.search(r"[<>`\\]|&|#(?!\d+;)", line) for line in lines), label
    return [re.sub(r"#(\d+);", lambda match: chr(int(match[1])), line) for line in lines]
