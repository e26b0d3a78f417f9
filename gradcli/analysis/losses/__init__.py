"""Losses: what they are, what they claim, and whether that is so."""

from __future__ import annotations

from gradcli.analysis.losses.analyse import show_losses
from gradcli.analysis.losses.choose import is_loss_name
from gradcli.analysis.losses.distributions import Chances
from gradcli.analysis.losses.report import LossReport, LossResult, invalid_losses

__all__ = [
    "Chances",
    "LossReport",
    "LossResult",
    "invalid_losses",
    "is_loss_name",
    "show_losses",
]
