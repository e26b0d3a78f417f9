"""One draw of a network: everything that is read of it, measured when it is asked for."""

from __future__ import annotations

import math
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np

from gradcli.analysis.flow.measure import Measured, Signal, measure, measure_signal
from gradcli.analysis.flow.over_time import results_over_time
from gradcli.analysis.flow.propagate import Propagation
from gradcli.analysis.flow.report import FlowResult
from gradcli.analysis.flow.structure import Structure, structure_of
from gradcli.analysis.flow.theory.entries import Entries, power_of_two
from gradcli.analysis.flow.theory.predict import DECADE, Prediction, predict
from gradcli.core.arrays import Array
from gradcli.engine.model import draw_parameter
from gradcli.spec.plan import Plan

__all__ = ["Draw", "Size"]


class Size(NamedTuple):
    """Layers (or blocks, or steps), units of each, and examples in the batch."""

    depth: int
    width: int
    batch: int

    def between(self, begin: float, end: float) -> tuple[int, int]:
        """Two places as numbers of layers from the input; they are given as parts of the depth."""
        return round(begin * self.depth), round(end * self.depth)


class Draw:
    """A network of this size, with the weights and inputs of its plan's seed."""

    def __init__(self, plan: Plan, size: Size) -> None:
        self.plan = plan
        self.size = size

    @cached_property
    def structure(self) -> Structure:
        return structure_of(self.plan)

    @cached_property
    def measured(self) -> Measured:
        return measure(self.plan, self.structure)

    @cached_property
    def signal(self) -> Signal:
        """The gradient's norms alone, which cost less, unless everything is measured already."""
        if "measured" in vars(self):
            return self.measured.signal
        return measure_signal(self.plan, self.structure)

    @cached_property
    def expected(self) -> Prediction:
        """What theory expects, whatever the draw."""
        return predict(self.plan, self.structure)

    @cached_property
    def over_time(self) -> FlowResult:
        """The one recurrent layer of the network from step to step."""
        threshold, seeds = 2.0, 1
        return next(results_over_time(self.plan, None, threshold, seeds, (), False, lambda: None))

    def log_gain(self, begin: float = 0.0, end: float = 1.0) -> float:
        """ln of the squared gradient at one place over that at another, see `Size.between`."""
        # a residual block has several layers, but only its end is a place
        norms = self.signal.norms
        layers = (len(norms) - 1) // self.size.depth
        first, last = self.size.between(begin, end)
        return DECADE * (norms[layers * first] - norms[layers * last])

    @cached_property
    def _entries(self) -> list[tuple[Entries, Entries]]:
        """What entries are like before and behind each layer's activation, in the last half."""
        places = self.structure.layers
        wanted = {place.node + 1 for place in places} | {place.slot for place in places}
        run = Propagation(self.plan, self.structure)
        found = {
            slot: Entries.of(value.times(0))
            for slot, value in run.values(run.inputs())
            if slot in wanted
        }
        late = places[len(places) // 2 :]
        return [(found[place.node + 1], found[place.slot]) for place in late]

    def square_before(self) -> float:
        """The mean square of what the activations of the last half read."""
        return _mean([power_of_two(2 * before.log2_rms) for before, _ in self._entries])

    def square_behind(self) -> float:
        """The mean square of what the activations of the last half give."""
        return _mean([power_of_two(2 * behind.log2_rms) for _, behind in self._entries])

    def mean_behind(self) -> float:
        """The mean of what the activations of the last half give."""
        return _mean([behind.mean * power_of_two(behind.log2_rms) for _, behind in self._entries])

    @cached_property
    def singular_values(self) -> Array:
        """Those of the product of all weights, a linear network's Jacobian; the largest first."""
        weights = []
        for place in self.structure.layers:
            mixing = self.structure.traits[place.node].mixing
            assert mixing is not None
            name = self.plan.nodes[place.node].parameters[mixing]
            weights.append(draw_parameter(self.plan.parameters[name], self.plan.seed, "float64"))
        jacobian = reduce(lambda product, weight: weight @ product, weights)
        return np.linalg.svd(jacobian, compute_uv=False)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
