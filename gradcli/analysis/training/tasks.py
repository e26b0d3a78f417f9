"""The tasks of several heads: their gradients, how these conflict, and weights that follow them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np

from gradcli.analysis.training.passes import Pass
from gradcli.analysis.training.vector import cosine
from gradcli.core.arrays import Array, norm
from gradcli.core.record import Record
from gradcli.spec.plan import LossPlan, Plan

__all__ = [
    "Dynamic",
    "GradNorm",
    "TaskStep",
    "TaskWeights",
    "task_steps",
    "weighting_of",
    "weights_of",
]

_OWN: Final = "loss."
"""Before the head in what the loss of a task is called."""

_RESTORING: Final = 1.5
"""α of GradNorm: how strongly slow tasks are pushed (Chen et al. 2018, section 4.2)."""

_RATE: Final = 0.025
"""Learning rate of GradNorm's weights, as in its authors' experiments."""

_TEMPERATURE: Final = 2.0
"""T of dynamic weight averages (Liu et al. 2019, section 4.1)."""


class TaskStep(Record):
    """One task at one step: its loss, the norm of its gradient over shared parameters, its weight.

    The norm is of the unweighted loss; the weight is the one written times what the run makes of
    it. `conflicts` are cosines of the angles between its gradient
    and those of other tasks, by name.
    """

    name: str
    loss: float
    gradient_norm: float
    weight: float
    conflicts: Mapping[str, float]


def task_steps(done: Pass, parameters: Mapping[str, Array]) -> tuple[TaskStep, ...]:
    """Each task's loss and gradient, from one backward pass a task; nothing for a single loss."""
    network, plan = done.network, done.network.plan
    tasks = [loss for loss in plan.losses if loss.weighting is not None]
    if len(tasks) < 2:
        return ()
    shared = _shared(plan)
    losses, gradients, weights = {}, {}, {}
    with np.errstate(all="ignore"):
        for position, loss in enumerate(plan.losses):
            if loss.weighting is None:
                continue
            values, own_rank, pull = network.run_loss(
                position, loss, done.trace.slots, dict(parameters)
            )
            count = float(np.prod(values.shape[values.ndim - own_rank :], dtype=float))
            name = task_name(loss)
            losses[name] = float(values.sum()) / count
            weights[name] = _weight(loss, parameters) / done.scale
            dp, *_ = pull(np.full(values.shape, 1 / count, values.dtype))
            _, through = network.backward(done.trace, {loss.slot: dp})
            gradients[name] = np.concatenate(
                [
                    through.get(name, np.zeros_like(parameters[name])).ravel()
                    for name in shared or parameters
                ]
            )
    angles = {
        pair: cosine(gradients[pair[0]], gradients[pair[1]]) for pair in combinations(gradients, 2)
    }
    return tuple(
        TaskStep(
            name,
            losses[name],
            norm(gradients[name]),
            weights[name],
            {
                second if name == first else first: angle
                for (first, second), angle in angles.items()
                if name in (first, second)
            },
        )
        for name in losses
    )


def task_name(loss: LossPlan) -> str:
    """A task goes by its head, whatever its loss is called."""
    return loss.name.removeprefix(_OWN)


def _shared(plan: Plan) -> list[str]:
    """Parameters of nodes that every task's output depends on."""
    reached = []
    for loss in plan.losses:
        if loss.weighting is None:
            continue
        waiting, seen = [loss.slot], set()
        while waiting:
            slot = waiting.pop()
            if slot and slot not in seen:
                seen.add(slot)
                waiting += plan.nodes[slot - 1].inputs
        reached.append(seen)
    common = set.intersection(*reached) if reached else set()
    return [
        full
        for index, node in enumerate(plan.nodes)
        if index + 1 in common
        for full in node.parameters.values()
    ]


def _weight(loss: LossPlan, parameters: Mapping[str, Array]) -> float:
    """The factor on the task's loss as it now counts."""
    assert loss.weighting is not None
    learned = [parameters[full][0] for full in loss.weighting.parameters.values()]
    return loss.weight * float(np.exp(-np.sum(learned)))


class TaskWeights:
    """Factors, by task, on the weights that the spec writes; here they stay 1."""

    def __init__(self, written: Mapping[str, float]) -> None:
        self.written = dict(written)
        self.values = dict.fromkeys(written, 1.0)
        self._history: list[dict[str, float]] = []

    @property
    def by_loss(self) -> dict[str, float]:
        """The factors by what the tasks' losses are called."""
        return {_OWN + name: value for name, value in self.values.items()}

    def after(self, tasks: tuple[TaskStep, ...]) -> None:
        """Learn from a step."""

    @property
    def state(self) -> Array:
        """What a resumed run needs: factors, then losses remembered, a row each."""
        rows = [list(self.values.values()), *(list(each.values()) for each in self._history)]
        return np.array(rows).reshape(len(rows), len(self.values))

    def resume(self, state: Array) -> None:
        """Go on from a `state`."""
        now, *before = (dict(zip(self.values, map(float, row), strict=True)) for row in state)
        self.values, self._history = now, before


class GradNorm(TaskWeights):
    """Weights that bring the tasks' gradient norms together (Chen et al. 2018).

    Each step goes down Σ|w_i·G_i - mean(w·G)·r_i^α|, the means taken for constants, with r_i the
    task's loss over its first one, relative to the mean over tasks; the weights, those written
    included, are then scaled to their sum at the start. The step is in the logarithms of the
    weights and in units of the mean, so that no weight changes sign and the scale of the losses
    does not matter.
    """

    def after(self, tasks: tuple[TaskStep, ...]) -> None:
        if not all(math.isfinite(each.loss + each.gradient_norm) for each in tasks):
            return
        if not self._history:
            self._history.append({each.name: each.loss for each in tasks})
        ratios = {each.name: each.loss / (self._history[0][each.name] or 1.0) for each in tasks}
        mean = sum(ratios.values()) / len(ratios) or 1.0
        norms = {each.name: each.weight * each.gradient_norm for each in tasks}
        level = sum(norms.values()) / len(norms)
        for each in tasks:
            target = level * max(ratios[each.name] / mean, 0.0) ** _RESTORING
            slope = math.copysign(norms[each.name], norms[each.name] - target)
            step = _RATE * slope / (level or 1.0)
            self.values[each.name] *= math.exp(-min(max(step, -1.0), 1.0))
        now = sum(self.written[name] * value for name, value in self.values.items())
        share = sum(self.written.values()) / now if now else 1.0
        self.values = {name: value * share for name, value in self.values.items()}


class Dynamic(TaskWeights):
    """Weights by how fast the tasks' losses fall: dynamic weight averages (Liu et al. 2019).

    K·softmax(r_i/T) on the weights written, r_i the loss at the last step over that before, T = 2.
    """

    def after(self, tasks: tuple[TaskStep, ...]) -> None:
        self._history = [*self._history[-1:], {each.name: each.loss for each in tasks}]
        if len(self._history) < 2:
            return
        before, now = self._history
        ratios = np.array([now[name] / (before[name] or 1.0) for name in self.values])
        if not np.isfinite(ratios).all():
            return
        chances = np.exp((ratios - ratios.max()) / _TEMPERATURE)
        chances *= len(ratios) / chances.sum()
        self.values = dict(zip(self.values, map(float, chances), strict=True))


_KINDS: Final[Mapping[str, type[TaskWeights]]] = {"gradnorm": GradNorm, "dynamic": Dynamic}


def weights_of(plan: Plan) -> TaskWeights:
    """How the tasks of a plan are weighted from step to step."""
    tasks = [loss for loss in plan.losses if loss.weighting is not None]
    written = {task_name(loss): loss.weight for loss in tasks}
    return _KINDS.get(weighting_of(plan), TaskWeights)(written)


def weighting_of(plan: Plan) -> str:
    """The rule by which tasks are weighted; `none` where there are none."""
    (kind, *_) = [
        str(loss.weighting.options["weighting"])
        for loss in plan.losses
        if loss.weighting is not None
    ] or ["none"]
    return kind
