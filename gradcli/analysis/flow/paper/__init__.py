"""Published numbers about gradient flow, measured again."""

from __future__ import annotations

from gradcli.analysis.flow.paper.report import PaperReport, PaperRow
from gradcli.analysis.flow.paper.run import measure_paper

__all__ = ["PaperReport", "PaperRow", "measure_paper"]
