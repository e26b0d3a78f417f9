"""A graph in the language of Mermaid, which GitHub draws."""

from __future__ import annotations

import json
import re

from gradcli.analysis.graph import GraphReport, GraphResult
from gradcli.report.characters import printable
from gradcli.report.graph_drawing import edges, label, parts

__all__ = ["mermaid_report"]

_SHAPES = {
    "input": ("([", "])"),
    "loss": ("{{", "}}"),
    "penalty": ("{{", "}}"),
    "sum": ("((", "))"),
}


def mermaid_report(report: GraphReport) -> str:
    """A flowchart for each spec; a block is a subgraph. Nothing for a spec that is invalid."""
    return "".join(_flowchart(result) for result in report.results if result.verdict != "invalid")


def _flowchart(result: GraphResult) -> str:
    title = json.dumps(printable(result.name))  # which YAML reads as well
    lines = ["---", f"title: {title}", "---", "flowchart TD"]
    blocks = 0
    for part in parts(result):
        pad = "  " * (part.level + 1)
        if part.does == "node":
            node = result.nodes[part.at]
            start, end = _SHAPES.get(node.kind, ("[", "]"))
            lines.append(f"{pad}n{part.at}{start}{_quoted(*label(node))}{end}")
        elif part.does == "open":
            lines.append(f"{pad}subgraph b{blocks} [{_quoted(part.name)}]")
            blocks += 1
        else:
            lines.append(f"{pad}end")
    lines += [f"  n{start} --> n{end}" for start, end in edges(result)]
    return "\n".join(lines) + "\n"


def _quoted(*lines: str) -> str:
    """Lines of text as one string: what Mermaid or HTML would take for markup becomes an entity."""
    escaped = (
        re.sub(r"[\"#&<>`\\]", lambda match: f"#{ord(match[0])};", printable(line))
        for line in lines
    )
    return '"' + "<br/>".join(escaped) + '"'
