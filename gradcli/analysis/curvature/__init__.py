"""The curvature of a loss: its matrices of second order, their spectra, and steps by them."""

from __future__ import annotations

from gradcli.analysis.curvature.analyse import analyse_curvature, invalid_curvature
from gradcli.analysis.curvature.options import CurvatureOptions
from gradcli.analysis.curvature.report import CurvatureReport

__all__ = [
    "CurvatureOptions",
    "CurvatureReport",
    "analyse_curvature",
    "invalid_curvature",
]
