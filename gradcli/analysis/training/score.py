"""How well a model does on all of its data."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.training.passes import Passes
from gradcli.core.arrays import Parameters

__all__ = ["accuracy_of", "loss_of"]


def loss_of(passes: Passes, parameters: Parameters) -> float:
    """The loss of all data, as the spec weights it."""
    network = passes.network(passes.plan(passes.rows), np.arange(passes.rows), 0)
    with np.errstate(all="ignore"):
        slots = network.forward(parameters, passes.inputs(np.arange(passes.rows))).slots
        return float(network.loss(slots, parameters).total)


def accuracy_of(passes: Passes, parameters: Parameters) -> float | None:
    """The share of rows whose largest output is at their label; None where none has labels.

    Over all losses that read labels, such as those of several heads.
    """
    rows = np.arange(passes.rows)
    network = passes.network(passes.plan(passes.rows), rows, 0)
    plan, right = network.plan, []
    labelled = [
        (loss.slot, network.targets[loss.target])
        for loss in plan.losses
        if loss.target is not None
        and loss.op.reads_at(loss.options) in ("labels", "classes")
        and network.targets[loss.target].ndim == len(network.slot_shape(loss.slot)) - 1
    ]
    if not labelled:
        return None
    with np.errstate(all="ignore"):
        slots = network.forward(parameters, passes.inputs(rows)).slots
    for slot, labels in labelled:
        right.append((slots[slot].argmax(axis=-1) == labels).mean())
    return float(np.mean(right))
