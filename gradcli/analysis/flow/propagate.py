"""One forward and one backward pass in the log domain, through any number of layers.

Values and cotangents carry a power of two beside them. A cotangent can always be rescaled, since a
pullback is linear. A value can be rescaled where the op is positively homogeneous, together with
the parameters that scale along (f(s·x, s·b) = s·f(x, b)): then ∂f/∂x and ∂f/∂b are what they are
at the true point, and ∂f/∂W is 1/s times what it is there.
Weights and values of long networks are computed again for the backward pass instead of kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gradcli.analysis.flow.scaled import Scaled, added
from gradcli.analysis.flow.structure import Structure
from gradcli.core.arrays import Array, Pullback
from gradcli.engine.model import INPUTS, draw_array, draw_buffer, draw_parameter
from gradcli.engine.network import Network
from gradcli.spec.plan import Plan

__all__ = ["Breakdown", "Propagation", "Step", "Visit"]


@dataclass(frozen=True, slots=True)
class Step:
    """A node as it was run: on its inputs times 2**-exponent."""

    index: int
    inputs: tuple[Scaled, ...]
    arrays: tuple[Array, ...]
    output: Scaled
    pullback: Pullback
    exponent: int
    parameters: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Visit:
    """A node passed by the gradient: ∂L/∂output, and what of it reaches inputs and parameters.

    `slopes` is f' at every entry, for elementwise activations where it was asked for.
    """

    step: Step
    cotangent: Scaled
    to_inputs: tuple[Scaled, ...]
    to_parameters: Mapping[str, Scaled]
    slopes: Array | None


@dataclass(frozen=True)
class Breakdown:
    """The first node at which something stopped being finite; None for the loss."""

    node: int | None
    phase: Literal["forward", "loss", "backward"]


class Propagation:
    """A network drawn from its plan's seed, to be run once.

    After `run`, `signals` holds log2 of ‖∂L/∂slot‖ by slot and `sizes` their numbers of entries,
    `breakdown` what stopped being finite, and `loss_rescaled` whether the outputs were too large
    for the loss, which was then differentiated at outputs divided by a power of two.
    """

    def __init__(self, plan: Plan, structure: Structure) -> None:
        self.plan = plan
        self.structure = structure
        self.signals: dict[int, float] = {}
        self.sizes: dict[int, int] = {}
        self.breakdown: Breakdown | None = None
        self.loss_rescaled = False

    def run(self, visit: Callable[[Visit], None] | None = None, *, slopes: bool = False) -> None:
        """Forward, then backward; `visit` sees every node the gradient passes, the last first."""
        with np.errstate(all="ignore"):
            checkpoints, steps, slots = self._forward()
            cotangents = {slot: [seed] for slot, seed in self._seeds(slots).items()}
            for position in reversed(range(len(self.structure.segments))):
                segment = self.structure.segments[position]
                if position < len(self.structure.segments) - 1:
                    steps = self._again(segment, checkpoints[position])
                for step in reversed(steps):
                    self._back(step, cotangents, visit, slopes)
                steps = []
            if 0 in cotangents:
                self._record(0, added(cotangents[0]))

    def inputs(self) -> Array:
        """The inputs as drawn."""
        assert self.plan.inputs is not None
        return np.asarray(draw_array(self.plan.inputs, self.plan.seed, INPUTS, self.plan.dtype))

    def values(self, inputs: Array) -> Iterator[tuple[int, Scaled]]:
        """Every slot with its value for these inputs, in order; a few are held at a time."""
        slots = {0: Scaled.of(inputs)}
        yield 0, slots[0]
        for index in range(len(self.plan.nodes)):
            with np.errstate(all="ignore"):
                slots[index + 1] = self._step(index, slots).output
            yield index + 1, slots[index + 1]
            for slot in self.structure.frees[index]:
                slots.pop(slot, None)

    def _forward(self) -> tuple[list[dict[int, Scaled]], list[Step], dict[int, Scaled]]:
        """Values at the start of each segment, the steps of the last one, the values at the end."""
        slots = {0: Scaled.of(self.inputs())}
        checkpoints = []
        steps: list[Step] = []
        last = self.structure.segments[-1]
        for segment in self.structure.segments:
            checkpoints.append(dict(slots))
            for index in segment:
                step = self._step(index, slots)
                if self.breakdown is None and self._broke(step):
                    self.breakdown = Breakdown(index, "forward")
                slots[index + 1] = step.output
                for slot in self.structure.frees[index]:
                    slots.pop(slot, None)
                if segment is last:
                    steps.append(step)
        return checkpoints, steps, slots

    def _again(self, segment: range, checkpoint: dict[int, Scaled]) -> list[Step]:
        slots = dict(checkpoint)
        steps = []
        for index in segment:
            steps.append(self._step(index, slots))
            slots[index + 1] = steps[-1].output
        return steps

    def _parameter(self, name: str) -> Array:
        """A parameter or buffer."""
        plan = self.plan
        if name in plan.weights:
            return np.asarray(plan.weights[name], plan.dtype)
        if name in plan.buffers:
            return draw_buffer(plan.buffers[name], plan.seed, name, plan.dtype)
        return draw_parameter(plan.parameters[name], plan.seed, plan.dtype)

    def _step(self, index: int, slots: Mapping[int, Scaled]) -> Step:
        node = self.plan.nodes[index]
        inputs = tuple(slots[slot] for slot in node.inputs)
        names = {**node.parameters, **node.buffers}
        own = {name: self._parameter(full) for name, full in names.items()}
        along = self.structure.traits[index].homogeneous_with
        exponent, used = 0, own
        if along is not None and any(value.exponent for value in inputs):
            exponents = [value.exponent for value in inputs if value.norm]
            # Parameters that scale along stay representable; where they are zero they set no scale.
            if any(own[name].any() for name in along if name in own):
                exponents.append(0)
            exponent = max(exponents, default=0)
            if exponent:
                used = {
                    name: np.ldexp(value, -exponent) if name in along else value
                    for name, value in own.items()
                }
        arrays = tuple(value.times(exponent) for value in inputs)
        y, pullback = node.op.evaluate(arrays, used, node.rank, node.options)
        return Step(index, inputs, arrays, Scaled.of(y, exponent), pullback, exponent, own)

    def _broke(self, step: Step) -> bool:
        """Whether the output is not finite, or an input had to be written out and could not be."""
        if not step.output.finite:
            return True
        return any(
            value.exponent > step.exponent and not np.isfinite(array).all()
            for value, array in zip(step.inputs, step.arrays, strict=True)
        )

    def _seeds(self, slots: Mapping[int, Scaled]) -> dict[int, Scaled]:
        """Cotangents of the slots that the losses read; penalties on weights carry no signal."""
        plan = self.plan
        targets = {
            name: draw_array(target, plan.seed, name, plan.dtype)
            for name, target in plan.targets.items()
        }
        held = {
            name: self._parameter(name) for loss in plan.losses for name in loss.buffers.values()
        }
        network = Network(plan.replace(terms=()), targets, held)
        learned = {name: self._parameter(name) for loss in plan.losses for name in loss.learned}
        read = {loss.slot for loss in plan.losses}

        def at(values: Mapping[int, Array]) -> dict[int, Scaled]:
            empty = np.empty(0)
            arrays = [values.get(slot, empty) for slot in range(len(plan.nodes) + 1)]
            seeds, _ = network.loss(arrays, learned).pullback()
            return {slot: Scaled.of(seed) for slot, seed in seeds.items()}

        seeds = at({slot: slots[slot].times(0) for slot in read})
        if all(seed.finite for seed in seeds.values()):
            return seeds
        if any(slots[slot].exponent for slot in read):
            rescaled = at({slot: slots[slot].array for slot in read})
            if all(seed.finite for seed in rescaled.values()):
                self.loss_rescaled = True
                return rescaled
        if self.breakdown is None:
            self.breakdown = Breakdown(None, "loss")
        return seeds

    def _record(self, slot: int, cotangent: Scaled) -> None:
        self.signals[slot] = cotangent.log2
        self.sizes[slot] = cotangent.array.size

    def _back(
        self,
        step: Step,
        cotangents: dict[int, list[Scaled]],
        visit: Callable[[Visit], None] | None,
        slopes: bool,
    ) -> None:
        pending = cotangents.pop(step.index + 1, None)
        if pending is None:
            return
        g = added(pending)
        self._record(step.index + 1, g)
        slope = None
        to_parameters: dict[str, Scaled] = {}
        if slopes and self.structure.elementwise[step.index]:
            slope = step.pullback(np.ones_like(g.array))[0][0]
            to_inputs: tuple[Array, ...] = (g.array * slope,)
        else:
            to_inputs, raw = step.pullback(g.array)
            along = self.structure.traits[step.index].homogeneous_with or ()
            to_parameters = {
                name: Scaled.of(d, g.exponent + (0 if name in along else step.exponent))
                for name, d in raw.items()
            }
        node = self.plan.nodes[step.index]
        reached = tuple(Scaled.of(dx, g.exponent) for dx in to_inputs)
        for slot, cotangent in zip(node.inputs, reached, strict=True):
            cotangents.setdefault(slot, []).append(cotangent)
        if self.breakdown is None and g.finite and not all(value.finite for value in reached):
            self.breakdown = Breakdown(step.index, "backward")
        if visit is not None:
            visit(Visit(step, g, reached, to_parameters, slope))
