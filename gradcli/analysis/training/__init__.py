"""Short training runs, watched: what the gradients do from step to step."""

from __future__ import annotations

from gradcli.analysis.training.options import train_options
from gradcli.analysis.training.report import Step, TrainReport
from gradcli.analysis.training.run import invalid_run, train_plan
from gradcli.analysis.training.saved import check_place, load_run, save_run

__all__ = [
    "Step",
    "TrainReport",
    "check_place",
    "invalid_run",
    "load_run",
    "save_run",
    "train_options",
    "train_plan",
]
