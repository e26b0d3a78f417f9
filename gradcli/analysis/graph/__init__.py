"""Computational graphs: structure, operations, memory, and schedules with checkpoints."""

from __future__ import annotations

from gradcli.analysis.graph.analyse import analyse_graph
from gradcli.analysis.graph.report import (
    GraphNode,
    GraphReport,
    GraphResult,
    Measured,
    Mode,
    invalid_graph,
)
from gradcli.core.cost import Operations
from gradcli.spec.memory import in_bytes

__all__ = [
    "GraphNode",
    "GraphReport",
    "GraphResult",
    "Measured",
    "Mode",
    "Operations",
    "analyse_graph",
    "in_bytes",
    "invalid_graph",
]
