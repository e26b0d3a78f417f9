"""A graph in the language of Graphviz, for `dot`."""

from __future__ import annotations

from gradcli.analysis.graph import GraphReport, GraphResult
from gradcli.report.characters import printable
from gradcli.report.graph_drawing import edges, label, parts

__all__ = ["dot_report"]

_SHAPES = {"input": "ellipse", "loss": "octagon", "penalty": "octagon", "sum": "circle"}


def dot_report(report: GraphReport) -> str:
    """A `digraph` for each spec; a block is a cluster. Nothing for a spec that is invalid."""
    return "".join(_digraph(result) for result in report.results if result.verdict != "invalid")


def _digraph(result: GraphResult) -> str:
    lines = [f"digraph {_quoted(result.name)} {{", "  node [shape=box];"]
    clusters = 0
    for part in parts(result):
        pad = "  " * (part.level + 1)
        if part.does == "node":
            node = result.nodes[part.at]
            shape = _SHAPES.get(node.kind)
            rest = f", shape={shape}" if shape else ""
            lines.append(f"{pad}n{part.at} [label={_quoted(*label(node))}{rest}];")
        elif part.does == "open":
            lines.append(f"{pad}subgraph cluster_{clusters} {{")
            lines.append(f"{pad}  label={_quoted(part.name)};")
            clusters += 1
        else:
            lines.append(f"{pad}}}")
    lines += [f"  n{start} -> n{end};" for start, end in edges(result)]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(*lines: str) -> str:
    """Lines of text as one string, in which only the breaks between them mean anything."""
    escaped = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
