"""How a model does on all of its data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradcli.analysis.flow.units import Shares
from gradcli.analysis.training.layers import Layers
from gradcli.analysis.training.passes import Passes
from gradcli.core.arrays import Array, Parameters
from gradcli.core.record import Record
from gradcli.engine.network import Network

__all__ = ["Score", "score_of"]


class Score(Record):
    """The loss of all data as the spec weights it, the accuracy, and units lost by layer.

    `accuracy` is the share of rows whose largest output is at their label, over all losses that
    read labels, such as those of several heads; None where none does.
    """

    loss: float
    accuracy: float | None
    units: Mapping[str, Shares]


def score_of(passes: Passes, parameters: Parameters, layers: Layers) -> Score:
    """From one forward pass of all data."""
    rows = np.arange(passes.rows)
    network = passes.network(passes.plan(passes.rows), rows, 0)
    with np.errstate(all="ignore"):
        trace = network.forward(parameters, passes.inputs(rows))
        loss = float(network.loss(trace.slots, parameters).total)
        units = {name: layers.shares(name, trace) for name in layers.parameters}
    return Score(
        loss,
        _accuracy(network, trace.slots),
        {name: own for name, own in units.items() if own is not None},
    )


def _accuracy(network: Network, slots: list[Array]) -> float | None:
    right = [
        float((slots[loss.slot].argmax(axis=-1) == network.targets[loss.target]).mean())
        for loss in network.plan.losses
        if loss.target is not None
        and loss.op.reads_at(loss.options) in ("labels", "classes")
        and network.targets[loss.target].ndim == len(network.slot_shape(loss.slot)) - 1
    ]
    return float(np.mean(right)) if right else None
