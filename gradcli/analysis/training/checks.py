"""Gradient checks on the way: at the point that a run has come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gradcli.analysis.training.passes import Pass
from gradcli.analysis.training.report import CheckedStep
from gradcli.core.arrays import Array
from gradcli.engine.model import INPUTS, Model

__all__ = ["checked_at", "point_of"]

_SAMPLE: Final = 256
"""Entries of each tensor that a check on the way looks at."""


def point_of(done: Pass, model: Model, parameters: Mapping[str, Array]) -> Model:
    """The model on the batch of a pass, with its draws and with the loss as it was weighted then.

    `model` is that of all data; the loss is free of the loss scale.
    """
    plan = done.network.plan
    losses = tuple(each.replace(weight=each.weight / done.scale) for each in plan.losses)
    terms = tuple(each.replace(weight=each.weight / done.scale) for each in plan.terms)
    point = Model(plan.replace(dtype=model.dtype.name, definitions=(), losses=losses, terms=terms))
    point.parameters = {name: w.copy() for name, w in parameters.items()}
    point.inputs = {INPUTS: model.inputs[INPUTS][done.rows]}
    point.targets, point.buffers = dict(done.network.targets), dict(done.network.buffers)
    return point


def checked_at(model: Model, seed: int, number: int) -> CheckedStep:
    """The gradients of the model checked, after the step of this number."""
    from gradcli.analysis.gradcheck.check import check_plan
    from gradcli.analysis.gradcheck.options import CheckOptions

    options = CheckOptions(seed=seed, entries=_SAMPLE)
    result = check_plan(model.plan, options, model=model)
    failed = tuple(each.name for each in result.tensors if each.verdict == "fail")
    worst = max((each.max_rel_error for each in result.tensors), default=0.0)
    return CheckedStep(number, result.verdict, worst, failed)
