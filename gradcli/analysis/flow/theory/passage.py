"""What each node of a network does to a signal, by theory, from what its op states of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from gradcli.analysis.flow.products import log2
from gradcli.analysis.flow.structure import Structure
from gradcli.analysis.flow.theory.curve import curve_of
from gradcli.analysis.flow.theory.entries import (
    Entries,
    Spread,
    after_activation,
    after_noise,
    after_normalization,
    after_scaling,
    after_weights,
    sum_of,
)
from gradcli.analysis.flow.theory.movement import (
    RESTING,
    Movement,
    moved_by_activation,
    moved_by_weights,
    moved_sum,
)
from gradcli.core.arrays import Array
from gradcli.core.op import Activation
from gradcli.core.traits import LayerTraits, Normalization
from gradcli.engine.model import draw_parameter
from gradcli.spec.plan import NodePlan, Plan

__all__ = ["Passage", "Passages", "Unpredictable"]


_LEVELS: Final = 5.0
_FEW_ROWS: Final = 16.0
"""What simulations leave open of units with levels of their own, and of few rows."""


class Unpredictable(Exception):
    """Why theory has nothing to say about a network; the message names the node."""


@dataclass(frozen=True)
class Passage:
    """The output of a node, and what the node does to a gradient on its way back.

    `log2_gains` are of the squared gradient, for each input. `variance` is how much of the variance
    of the logarithm of one example's squared gradient it adds at this width: per layer
    (3·E f'⁴/(E f'²)² − 1)/n in all (Hanin and Nica 2020). `moved` is how the entries move when a
    signal before them is stretched. `doubt` is by how much that logarithm may be off its mean
    besides, where theory is for many rows and these are few. `levels` is the part of that doubt
    which a normalization over rows would add: of units that vary about levels of their own, which
    have variances and slopes of their own. `mixed_by` is the last node whose weights the entries
    depend on, -1 for the input's own.
    """

    entries: Entries
    moved: Movement
    log2_gains: tuple[float, ...] = ()
    variance: float = 0.0
    mixed_by: int = -1
    doubt: float = 0.0
    levels: float = 0.0


class Passages:
    """The nodes of a plan, to be passed in any order and with any inputs.

    `features` are the numbers of units by slot.
    """

    def __init__(self, plan: Plan, structure: Structure) -> None:
        assert plan.inputs is not None
        self.plan = plan
        self.features = [plan.inputs.shape[-1], *(node.shape[-1] for node in plan.nodes)]
        self.traits = structure.traits
        self.elementwise = structure.elementwise
        self.couples = any(map(self.over_rows, range(len(plan.nodes))))
        self._levelled = self._read_over_rows()
        self._weights: dict[int, tuple[float, Spread]] = {}
        self._drawn: dict[Any, Spread] = {}

    def input(self, larger: float) -> Passage:
        """The network's input, as stated or as it is drawn, so many times as large."""
        inputs = self.plan.inputs
        assert inputs is not None
        if inputs.values is not None:
            entries = Entries.of(larger * np.asarray(inputs.values))
        else:
            entries = Entries(log2(larger * inputs.std), 0.0, 0.0)
        return Passage(entries, Movement.of(entries))

    def over_rows(self, index: int) -> bool:
        """Whether a node normalizes over the rows."""
        claim = self.traits[index].normalizes
        return claim is not None and claim.over == "rows"

    def through(self, index: int, inputs: Sequence[Passage]) -> Passage:
        """A node's passage from those of its inputs. Raises Unpredictable."""
        node, traits, x = self.plan.nodes[index], self.traits[index], inputs[0]
        if self.elementwise[index]:
            passed = self._activation(index, x)
        elif traits.mixing is not None and "x" in traits.affine and len(inputs) == 1:
            passed = self._mixing(index, x)
        elif traits.sums is not None:
            passed = self._sum(node, traits.sums, inputs)
        elif traits.normalizes is not None:
            passed = self._normalization(node, traits.normalizes, x)
        elif traits.noise:
            passed = self._noise(node, traits.noise, x)
        else:
            raise Unpredictable(f"{node.name} ({node.op.name}) is not among what it covers")
        if math.isnan(passed.entries.log2_rms) or any(map(math.isnan, passed.log2_gains)):
            raise Unpredictable(f"{node.name} has no finite averages over what reaches it")
        return passed

    def _read_over_rows(self) -> set[int]:
        """Nodes whose output a normalization over rows reads with no weights in between."""
        found: set[int] = set()
        pending = [index for index in range(len(self.plan.nodes)) if self.over_rows(index)]
        while pending:
            for slot in self.plan.nodes[pending.pop()].inputs:
                before = slot - 1
                if before >= 0 and before not in found and self.traits[before].mixing is None:
                    found.add(before)
                    pending.append(before)
        return found

    def _activation(self, index: int, x: Passage) -> Passage:
        node = self.plan.nodes[index]
        assert isinstance(node.op, Activation)
        weights = {name: self.numbers(full) for name, full in node.parameters.items()}
        curve = curve_of(node.op, node.options, weights)
        entries, own = after_activation(x.entries, curve, shared=self.couples)
        moved = moved_by_activation(x.moved, x.entries, entries, own)
        kurtosis = 1.0 if math.isnan(own.kurtosis) else own.kurtosis
        variance = 3 * (kurtosis - 1) / node.shape[-1]
        gains = (2 * log2(own.slope_rms),)
        levels = 0.0
        if index in self._levelled:  # no normal numbers, of which few rows may be all alike
            rows = math.prod(node.shape[:-1])
            levels = _LEVELS * max(entries.alike, 0.0) + _FEW_ROWS / rows
        return Passage(entries, moved, gains, variance, x.mixed_by, levels, levels)

    def _mixing(self, index: int, x: Passage) -> Passage:
        gain, bias = self.weights(index)
        entries = after_weights(x.entries, gain, bias)
        moved = moved_by_weights(x.moved, x.entries, entries, gain)
        fan_in = self.features[self.plan.nodes[index].inputs[0]]
        return Passage(entries, moved, (log2(gain),), 2 / fan_in, index)

    def _sum(
        self, node: NodePlan, factors: tuple[float, ...], inputs: Sequence[Passage]
    ) -> Passage:
        mixers = [each.mixed_by for each in inputs]
        if len(set(mixers)) < len(mixers):
            raise Unpredictable(f"{node.name} adds what no weights have made independent")
        entries = sum_of([(c, x.entries) for c, x in zip(factors, inputs, strict=True)])
        moved = moved_sum(
            [(c, x.moved, x.entries) for c, x in zip(factors, inputs, strict=True)], entries
        )
        gains = tuple(2 * log2(abs(c)) for c in factors)
        levels = max(each.levels for each in inputs)
        return Passage(entries, moved, gains, 0.0, max(mixers), levels=levels)

    def _noise(self, node: NodePlan, noise: float, x: Passage) -> Passage:
        variance, larger = 3 * noise / node.shape[-1], log2(1 + noise)
        entries = after_noise(x.entries, noise)
        moved = replace(x.moved, log2_rms=x.moved.log2_rms + larger / 2)
        return Passage(entries, moved, (larger,), variance, x.mixed_by, levels=x.levels)

    def _normalization(self, node: NodePlan, claim: Normalization, x: Passage) -> Passage:
        names = node.parameters
        weight = self.numbers(names["weight"]) if "weight" in names else np.ones(1)
        bias = self.numbers(names["bias"]) if "bias" in names else np.zeros(1)
        if claim.over == "stored":
            mean, variance = (
                self.numbers(node.buffers[f"running_{name}"]) for name in ("mean", "var")
            )
            scale = weight / np.sqrt(variance + claim.eps)
            entries, gain = after_scaling(x.entries, scale, bias - scale * mean)
            moved = moved_by_weights(x.moved, x.entries, entries, Spread.of(scale).square)
            return Passage(entries, moved, (gain,), 0.0, x.mixed_by)
        features = node.shape[-1]
        count = features if claim.over == "features" else math.prod(node.shape) // features
        entries, gain = after_normalization(
            x.entries, claim, count, Spread.of(weight), Spread.of(bias)
        )
        doubt = 0.0
        if claim.over == "rows":  # few of them, as simulations of 8 to 1,024 show
            doubt = 1 / count + 6 / features + x.levels
        return Passage(entries, RESTING, (gain,), 2 / features, x.mixed_by, doubt)

    def weights(self, index: int) -> tuple[float, Spread]:
        """fan_in times the mean square of a layer's weights, and its biases."""
        found = self._weights.get(index)
        if found is None:
            node, traits = self.plan.nodes[index], self.traits[index]
            found = self._weights[index] = self._gain(node, traits), self._bias(node, traits)
        return found

    def _gain(self, node: NodePlan, traits: LayerTraits) -> float:
        assert traits.mixing is not None
        name = node.parameters[traits.mixing]
        own = self.plan.parameters[name]
        if name in self.plan.weights:
            return own.shape[-1] * Spread.of(self.plan.weights[name]).square
        claimed = own.init.op.variance
        variance = claimed and claimed(own.fan_in, own.fan_out, **own.init.options)
        if not variance:
            raise Unpredictable(f"the weights of {node.name} are not drawn at random")
        return own.fan_in * variance

    def _bias(self, node: NodePlan, traits: LayerTraits) -> Spread:
        """Whatever the layer is affine in alone, and not through its input or its weights."""
        names = [operand for operand, (_, *others) in traits.affine.items() if not others]
        spreads = [self._spread(node.parameters[name]) for name in names]
        mean = math.fsum(spread.mean for spread in spreads)
        variance = math.fsum(spread.square - spread.mean**2 for spread in spreads)
        return Spread(mean, variance + mean**2)

    def _spread(self, name: str) -> Spread:
        own = self.plan.parameters[name]
        claimed = own.init.op.variance
        if name in self.plan.weights or claimed is None:
            return Spread.of(self.numbers(name))
        key = (own.init.op, repr(own.init.options), own.fan_in, own.fan_out)
        found = self._drawn.get(key)
        if found is None:
            variance = claimed(own.fan_in, own.fan_out, **own.init.options)
            found = Spread(0.0, variance) if variance else Spread.of(self.numbers(name))
            self._drawn[key] = found
        return found

    def numbers(self, name: str) -> Array:
        """A parameter or buffer that is stated, or always the same."""
        plan = self.plan
        if name in plan.weights:
            return np.asarray(plan.weights[name], np.float64)
        if name in plan.buffers:
            fill = plan.buffers[name].fill
            assert not callable(fill)
            return np.full(plan.buffers[name].shape, fill)
        return draw_parameter(plan.parameters[name], plan.seed, "float64")
