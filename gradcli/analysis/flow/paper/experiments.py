"""Everything published that is measured again, in the order in which it is shown."""

from __future__ import annotations

from typing import Final

from gradcli.analysis.flow.paper.anchor import Experiment
from gradcli.analysis.flow.paper.chance import CHANCE
from gradcli.analysis.flow.paper.fixed_points import FIXED_POINTS
from gradcli.analysis.flow.paper.four_networks import FOUR_NETWORKS
from gradcli.analysis.flow.paper.normalized import NORMALIZED
from gradcli.analysis.flow.paper.over_time import OVER_TIME
from gradcli.analysis.flow.paper.residual import RESIDUAL

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: Final[tuple[Experiment, ...]] = (
    *FOUR_NETWORKS,
    *FIXED_POINTS,
    *NORMALIZED,
    *CHANCE,
    *RESIDUAL,
    *OVER_TIME,
)
