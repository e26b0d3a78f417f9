"""Short training runs, watched: what the gradients do from step to step."""

from __future__ import annotations

from gradcli.analysis.training.options import TrainOptions, train_options
from gradcli.analysis.training.report import Step, TrainReport, TrainResult
from gradcli.analysis.training.run import invalid_run, train_plan
from gradcli.analysis.training.saved import check_place, load_run, save_run

__all__ = [
    "Step",
    "TrainOptions",
    "TrainReport",
    "TrainResult",
    "check_place",
    "invalid_run",
    "load_run",
    "save_run",
    "train_options",
    "train_plan",
]
