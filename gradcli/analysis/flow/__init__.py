"""Gradient flow: what happens to a gradient on its way from the loss to the input."""

from __future__ import annotations

from gradcli.analysis.flow.analyse import (
    FlowOptions,
    analyse_flow,
    invalid_flow,
    memory_needed,
)
from gradcli.analysis.flow.builder import build_spec
from gradcli.analysis.flow.recurrent_builder import build_network
from gradcli.analysis.flow.report import GATES, FlowReport, FlowResult

__all__ = [
    "GATES",
    "FlowOptions",
    "FlowReport",
    "FlowResult",
    "analyse_flow",
    "build_network",
    "build_spec",
    "invalid_flow",
    "memory_needed",
]
