"""One network measured: every layer's row of the flow table, from one forward and backward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from gradcli.analysis.flow.products import (
    Factors,
    Products,
    factors_of,
    mixing_matrix,
    products_along,
)
from gradcli.analysis.flow.propagate import Breakdown, Propagation, Visit
from gradcli.analysis.flow.report import LayerFlow, power_of_ten
from gradcli.analysis.flow.rows import NO_ROWS, Rows, rows_of
from gradcli.analysis.flow.scaled import LOG10_2, log2_norm, spectral_norm
from gradcli.analysis.flow.structure import LayerPlace, Structure
from gradcli.analysis.flow.units import Normal, Shares, normal_shares, unit_shares
from gradcli.spec.plan import NodePlan, Plan

__all__ = ["Measured", "Signal", "Violation", "measure", "measure_signal"]

_STANDARD_DEVIATIONS = 4.0
_LOGARITHM = 2.0**-40
"""The rounding of a logarithm of up to 4096."""


@dataclass(frozen=True)
class Signal:
    """log10 ‖∂L/∂a^l‖ and log10 of its rms entry, for l = 0..L; NaN where no gradient arrives."""

    norms: tuple[float, ...]
    entries: tuple[float, ...]

    @property
    def total(self) -> float:
        """log10 ‖∂L/∂a⁰‖/‖∂L/∂a^L‖."""
        return self.norms[0] - self.norms[-1]


@dataclass(frozen=True)
class Violation:
    """A node or layer whose measured log10 gain exceeds its bound, which cannot be."""

    where: str
    measured: float
    bound: float


@dataclass(frozen=True)
class Measured:
    """Everything measured on one network. `normal` holds the references of layers' activations.

    `inputs` compares the examples at the input. `slope_decades` and `weight_decades` are the parts
    of the rms product inside the products.
    """

    signal: Signal
    layers: tuple[LayerFlow, ...]
    normal: dict[int, Normal]
    inputs: Rows
    slope_decades: float
    weight_decades: float
    violations: tuple[Violation, ...]
    breakdown: Breakdown | None
    loss_rescaled: bool


def measure_signal(plan: Plan, structure: Structure) -> Signal:
    """Run the network of this plan's seed and keep the signal only."""
    run = Propagation(plan, structure)
    run.run()
    return _signal(run, structure)


def measure(plan: Plan, structure: Structure) -> Measured:
    """Run the network of this plan's seed and measure every layer."""
    run = Propagation(plan, structure)
    observer = _Observer(plan, structure)
    run.run(observer, slopes=True)
    signal = _signal(run, structure)
    products = products_along(plan, observer.factors, structure.layers[-1].slot)
    layers = tuple(
        observer.row(position, place, signal, products)
        for position, place in enumerate(structure.layers)
    )
    inside = {node: f for node, f in observer.factors.items() if node < structure.layers[-1].slot}
    return Measured(
        signal,
        layers,
        {place.node: observer.normal[place.activation] for place in structure.layers
         if place.activation in observer.normal},
        observer.rows.get(0, NO_ROWS),
        LOG10_2 * sum(f.rms[0] for node, f in inside.items() if structure.elementwise[node]),
        LOG10_2 * sum(f.rms[0] for node, f in inside.items() if node in observer.weight_norms),
        (*observer.violations, *_above_bound(plan, structure, layers, signal)),
        run.breakdown,
        run.loss_rescaled,
    )  # fmt: skip


def _signal(run: Propagation, structure: Structure) -> Signal:
    slots = [0, *(place.slot for place in structure.layers)]
    norms = [LOG10_2 * run.signals.get(slot, math.nan) for slot in slots]
    sizes = [run.sizes.get(slot, 1) for slot in slots]
    entries = [norm - math.log10(size) / 2 for norm, size in zip(norms, sizes, strict=True)]
    return Signal(tuple(norms), tuple(entries))


def _rounding(plan: Plan, node: NodePlan) -> float:
    """log2 by which rounding may lift what a node passes on above what it can pass on.

    A sum of n products is as large as sqrt(n)·eps of its terms' absolute values is wrong (Higham
    and Mary 2019, doi:10.1137/18M1226312), and the matrix of absolute values has at most sqrt(n)
    times the norm of the matrix itself: n·eps for the n features of the output.
    """
    eps = float(np.finfo(plan.dtype).eps)
    return _STANDARD_DEVIATIONS * eps * node.shape[-1] + _LOGARITHM


def _above_bound(
    plan: Plan, structure: Structure, layers: tuple[LayerFlow, ...], signal: Signal
) -> list[Violation]:
    rounding = [0.0, *accumulate(_rounding(plan, node) for node in plan.nodes)]
    found = []
    for place, layer in zip(structure.layers, layers, strict=True):
        reached = signal.norms[0] - layer.log10_gradient_norm
        if layer.at_cut and reached > layer.log10_bound + LOG10_2 * rounding[place.slot]:
            found.append(Violation(layer.name, reached, layer.log10_bound))
    return found


class _Observer:
    """Collects what each visited node shows."""

    def __init__(self, plan: Plan, structure: Structure) -> None:
        self.plan = plan
        self.structure = structure
        self.factors: dict[int, Factors] = {}
        self.weight_norms: dict[int, float] = {}
        self.weight_gradients: dict[int, tuple[float, float]] = {}
        self.slopes: dict[int, tuple[float, float]] = {}
        self.shares: dict[int, Shares] = {}
        self.normal: dict[int, Normal] = {}
        self.values: dict[int, float] = {}
        self.rows: dict[int, Rows] = {}
        self.violations: list[Violation] = []
        self._normal_by_op: dict[tuple[int, str], Normal] = {}
        self._ends = {place.slot for place in structure.layers}
        self._last = structure.layers[-1].slot

    def __call__(self, visit: Visit) -> None:
        index = visit.step.index
        if index + 1 in self._ends:
            output = visit.step.output
            self.values[index + 1] = output.log2 - math.log2(output.array.size) / 2
            self.rows[index + 1] = rows_of(output.array)
        if index >= self._last:
            return
        if 0 not in self.rows and 0 in self.plan.nodes[index].inputs:
            self.rows[0] = rows_of(visit.step.inputs[0].array)
        node, traits = self.plan.nodes[index], self.structure.traits[index]
        if traits.mixing is not None:
            weight = visit.step.parameters[traits.mixing]
            gradient = visit.to_parameters.get(traits.mixing)
            norm = math.nan if gradient is None else gradient.log2
            self.weight_gradients[index] = (norm, norm - log2_norm(weight))
        matrix = mixing_matrix(visit, traits)
        if matrix is not None:
            self.weight_norms[index] = spectral_norm(matrix)
        factors = factors_of(visit, node, traits, self.weight_norms.get(index))
        self.factors[index] = factors
        for bound, measured in zip(factors.bound, factors.measured, strict=True):
            if measured > bound + _rounding(self.plan, node):
                self.violations.append(Violation(node.name, LOG10_2 * measured, LOG10_2 * bound))
        if visit.slopes is not None:
            self._watch_units(visit, index)

    def _watch_units(self, visit: Visit, index: int) -> None:
        assert visit.slopes is not None
        slopes, node = visit.slopes, self.plan.nodes[index]
        own = self.factors[index]
        self.slopes[index] = (2.0 ** own.bound[0], 2.0 ** own.rms[0])
        key = (id(node.op), repr(node.options))
        known = self._normal_by_op.get(key)
        if known is None:
            known = normal_shares(node, visit.step.parameters)
            if not node.parameters:
                self._normal_by_op[key] = known
        self.normal[index] = known
        self.shares[index] = unit_shares(slopes, known)

    def row(
        self, position: int, place: LayerPlace, signal: Signal, products: Products
    ) -> LayerFlow:
        """One layer's row. Nothing that no gradient reached has a number."""
        node = self.plan.nodes[place.node]
        none = (math.nan, math.nan)
        activation = place.activation
        slope_max, slope_rms = (
            (1.0, 1.0) if activation is None else self.slopes.get(activation, none)
        )
        shares = self.shares.get(-1 if activation is None else activation, Shares(0.0, 0.0))
        gradient, ratio = self.weight_gradients.get(place.node, none)
        norm = signal.norms[position + 1]
        at_cut = place.slot in self.structure.cuts
        return LayerFlow(
            index=position + 1,
            name=node.name,
            op=node.op.name,
            activation=None if activation is None else self.plan.nodes[activation].op.name,
            width=node.shape[-1],
            weight_norm=self.weight_norms.get(place.node, math.nan),
            slope_max=slope_max,
            slope_rms=slope_rms,
            activation_rms=power_of_ten(LOG10_2 * self.values.get(place.slot, math.nan)),
            log10_bound=LOG10_2 * products.bound.get(place.slot, math.nan),
            log10_rms_product=LOG10_2 * products.rms.get(place.slot, math.nan),
            log10_gradient_norm=norm,
            log10_weight_gradient_norm=LOG10_2 * gradient,
            log10_weight_gradient_ratio=LOG10_2 * ratio,
            gain=power_of_ten(self._norm_before(position, signal) - norm) if at_cut else math.nan,
            saturated=shares.saturated,
            dead=shares.dead,
            rows=self.rows.get(place.slot, NO_ROWS),
            at_cut=at_cut,
        )

    def _norm_before(self, position: int, signal: Signal) -> float:
        """The signal where the whole of it last passed before a layer: a branch holds a part."""
        while position and self.structure.layers[position - 1].slot not in self.structure.cuts:
            position -= 1
        return signal.norms[position]
