"""A schedule run for real: the gradients that it gives, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradcli.analysis.gradcheck.collect import Progress
from gradcli.analysis.graph.nodes import Skeleton
from gradcli.analysis.graph.report import Measured
from gradcli.analysis.graph.schedule import Step, steps_of
from gradcli.core.arrays import Array, Pullback
from gradcli.core.traced import memory_of
from gradcli.engine.model import INPUTS, Model

__all__ = ["execute", "measure"]


def measure(
    model: Model,
    skeleton: Skeleton,
    plain: Sequence[range],
    checkpointed: Sequence[range],
    progress: Progress | None = None,
) -> Measured:
    """Run both schedules, each twice, and compare their gradients bit by bit."""
    gradients, peaks = [], []
    for done, segments in enumerate((plain, checkpointed)):
        if progress is not None:
            progress("schedules", done, 2)
        steps = list(steps_of(skeleton, segments))
        found, peak = memory_of(partial(execute, model, steps))
        gradients.append(found)
        peaks.append(peak)
    first, second = gradients
    differing = (name for name in first if first[name].tobytes() != second[name].tobytes())
    return Measured(peaks[0], peaks[1], next(differing, ""))


def execute(model: Model, steps: Iterable[Step]) -> dict[str, Array]:
    """The gradients of the loss by parameter, and by `inputs`, worked out in this order.

    Cotangents are added up as in `Model.value_and_grad`, so that they are the same to the bit.
    """
    run = _Run(model)
    with np.errstate(all="ignore"):  # an overflow shows in the values
        for step in steps:
            getattr(run, step.does)(step.at)
    return run.gradients_by_name()


class _Run:
    """The values, pullbacks and cotangents that are there at a time. A step's name is a method."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.network = model.network
        self.values: list[Any] = [None] * (len(model.plan.nodes) + 1)
        self.values[0] = model.inputs[INPUTS]
        self.pullbacks: dict[int, Pullback] = {}
        self.cotangents: dict[int, Array] = {}
        self.gradients: dict[str, Array] = {}

    def run(self, index: int) -> None:
        self.values[index + 1], _ = self.network.run_node(index, self.values, self.model.parameters)

    def keep(self, index: int) -> None:
        self.values[index + 1], self.pullbacks[index] = self.network.run_node(
            index, self.values, self.model.parameters
        )

    def forget(self, slot: int) -> None:
        self.values[slot] = None
        self.pullbacks.pop(slot - 1, None)
        self.cotangents.pop(slot, None)

    def loss(self, _: int) -> None:
        value = self.network.loss(self.values, self.model.parameters)
        self.cotangents, self.gradients = value.pullback()

    def pull(self, index: int) -> None:
        node = self.network.nodes[index]
        to_inputs, to_parameters = self.pullbacks.pop(index)(self.cotangents.pop(index + 1))
        for slot, cotangent in zip(node.inputs, to_inputs, strict=True):
            _add(self.cotangents, slot, cotangent)
        for name, cotangent in to_parameters.items():
            _add(self.gradients, node.parameters[name], cotangent)

    def gradients_by_name(self) -> dict[str, Array]:
        named = {**self.model.parameters, INPUTS: self.values[0]}
        found = {INPUTS: self.cotangents[0]} if 0 in self.cotangents else {}
        found |= self.gradients
        return {
            name: found[name] if name in found else np.zeros_like(value)
            for name, value in named.items()
        }


def _add(into: dict[Any, Array], key: Any, value: Array) -> None:
    known = into.get(key)
    into[key] = value if known is None else known + value
