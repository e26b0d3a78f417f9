"""What a spec writes for each head: its targets, its task."""

from __future__ import annotations

from gradcli.core.registry import nearest
from gradcli.spec.nodes import Node
from gradcli.spec.problems import Problems, did_you_mean

__all__ = ["Heads", "by_head"]

Heads = tuple[str, ...] | None
"""The heads' names; none for a network without heads, None where they could not be read."""


def by_head(node: Node, heads: Heads, problems: Problems) -> tuple[dict[str, Node], list[str]]:
    """The entries of a mapping by head, and the heads that it leaves out."""
    if heads is None:
        return dict(node.value), []
    known: dict[str, Node] = {}
    meant: set[str | None] = set()
    for name, child in node.value.items():
        if name in heads:
            known[name] = child
        else:
            meant.add(nearest(name[:100], list(heads)))
            hint = did_you_mean(name, list(heads))
            problems.add("SP007", f"there is no head {name!r}", child, hint=hint, at_key=True)
    return known, [head for head in heads if head not in known and head not in meant]
