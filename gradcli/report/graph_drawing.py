"""What a drawing of a graph shows, in whatever language: nodes, the blocks they are in, edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from gradcli.analysis.graph import GraphNode, GraphResult
from gradcli.report.graph_words import branches, count, shape

__all__ = ["Part", "edges", "label", "parts"]


class Part(NamedTuple):
    """The node at this place, or the beginning or end of a block; and how deep within others."""

    does: Literal["node", "open", "close"]
    level: int
    at: int = 0
    name: str = ""


def parts(result: GraphResult) -> Iterator[Part]:
    """Nodes and blocks, one in the other; a block's own node stands before it, outside."""
    lines = branches(result)
    open_blocks = 0
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        level = len(line.last)
        while open_blocks > level:
            open_blocks -= 1
            yield Part("close", open_blocks)
        if line.node is not None:
            yield Part("node", level, line.order)
        if after is not None and len(after.last) > level:
            yield Part("open", level, name=line.name)
            open_blocks += 1
    while open_blocks:
        open_blocks -= 1
        yield Part("close", open_blocks)


def edges(result: GraphResult) -> Iterator[tuple[int, int]]:
    """From each node to those that read it, by index."""
    index = {node.name: i for i, node in enumerate(result.nodes)}
    for i, node in enumerate(result.nodes):
        for name in node.reads:
            yield index[name], i


def label(node: GraphNode) -> list[str]:
    """The lines that stand in a node."""
    what = node.op if node.kind in ("input", "penalty", "sum") else f"{node.op} {shape(node)}"
    lines = [node.name, shape(node) if node.kind == "input" else what]
    if node.parameters:
        lines.append(f"{node.parameters:,} parameters")
    if node.kind != "input" and node.forward is not None and node.backward is not None:
        lines.append(f"{count(node.forward.total)} + {count(node.backward.total)} operations")
    return lines
