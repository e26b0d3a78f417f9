"""Computational graphs: structure, operations, memory, and schedules with checkpoints."""

from __future__ import annotations

from gradcli.analysis.graph.analyse import analyse_graph
from gradcli.analysis.graph.report import GraphReport, GraphResult, invalid_graph

__all__ = ["GraphReport", "GraphResult", "analyse_graph", "invalid_graph"]
