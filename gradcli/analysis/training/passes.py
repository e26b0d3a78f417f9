"""One forward and backward pass on a batch, as a training step needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from math import gcd

import numpy as np

from gradcli.analysis.training.precision import to_float16
from gradcli.core.arrays import Array
from gradcli.core.record import Record
from gradcli.core.training_op import Choice
from gradcli.engine.model import INPUTS, Model, draw_buffer
from gradcli.engine.network import Network, Trace
from gradcli.errors import UsageError
from gradcli.spec.batch import with_rows
from gradcli.spec.plan import LossPlan, Plan, TermPlan

__all__ = ["Pass", "Passes", "anneal_targets"]


class Pass(Record):
    """What one pass on a batch gives: the loss, its gradient by parameter, and how it came about.

    `rows` are those of the batch, `number` is its own, from which all is drawn that is random. In
    mixed precision `gradients` are those of `scale` times the loss.
    """

    rows: Array
    number: int

    loss: float
    gradients: dict[str, Array]
    trace: Trace
    network: Network
    scale: float


class Passes:
    """A model's data and plan, run on batches of it: plans by number of rows are worked out once.

    What is drawn at random within the network, such as a dropout mask, is drawn anew for each
    batch, from the seed and the number of the batch.
    """

    def __init__(self, model: Model, *, mixed: bool) -> None:
        self.model = model
        self.mixed = mixed
        assert model.plan.inputs is not None
        self.rows = model.plan.inputs.shape[0]
        self._plans: dict[int, Plan] = {}

    def run(
        self,
        parameters: Mapping[str, Array],
        rows: Array,
        number: int,
        *,
        weights: Mapping[str, float],
        options: Mapping[str, float],
        scale: float = 1.0,
    ) -> Pass:
        """The pass of the batch of this number.

        `weights` are factors on the losses and terms by name, `options` values for numbers that
        the losses take by name, `scale` is the loss scale.
        """
        plan = _changed(self.plan(len(rows)), weights, options, scale)
        network = self.network(plan, rows, number)
        held = {k: to_float16(w) for k, w in parameters.items()} if self.mixed else parameters
        inputs = self.inputs(rows)
        with np.errstate(all="ignore"), self.rounding(network):
            trace = network.forward(held, inputs)
            loss = network.loss(trace.slots, held)
            seeds, gradients = loss.pullback()
            _, through = network.backward(trace, seeds)
            for name, gradient in through.items():
                gradients[name] = gradients[name] + gradient if name in gradients else gradient
            found = {name: gradients.get(name, np.zeros_like(w)) for name, w in parameters.items()}
            if self.mixed:
                found = {name: to_float16(gradient) for name, gradient in found.items()}
            total = float(loss.total) / scale
        return Pass(rows, number, total, found, trace, network, scale)

    def plan(self, rows: int) -> Plan:
        """The plan for so many rows. Raises UsageError where there is none."""
        if rows not in self._plans:
            try:
                self._plans[rows] = with_rows(self.model.plan, rows)
            except ValueError as error:
                raise UsageError(f"batch: {rows} rows do not do: {error}") from None
        return self._plans[rows]

    def network(self, plan: Plan, rows: Array, number: int) -> Network:
        """The network of a plan on these rows, with what is drawn for the batch of this number."""
        buffers = {}
        for name, buffer in plan.buffers.items():
            own = plan.weights.get(name)
            if own is not None:
                buffers[name] = np.array(own, self.model.dtype)
            else:
                of_batch = f"{name} of batch {number}" if callable(buffer.fill) else name
                buffers[name] = draw_buffer(buffer, plan.seed, of_batch, self.model.dtype.name)
        return Network(plan, self._targets(rows), buffers)

    def inputs(self, rows: Array) -> Array:
        """The inputs of these rows, rounded as the run has it."""
        inputs = self.model.inputs[INPUTS][rows]
        return to_float16(inputs) if self.mixed else inputs

    def _targets(self, rows: Array) -> dict[str, Array]:
        """The targets of these rows, so many of which, one behind the other, have some together."""
        found = {}
        for name, target in self.model.targets.items():
            groups = gcd(self.rows, len(target))
            by_group = target.reshape(groups, len(target) // groups, *target.shape[1:])
            size = self.rows // groups
            found[name] = by_group[rows[::size] // size].reshape(-1, *target.shape[1:])
        return found

    @contextmanager
    def rounding(self, network: Network) -> Iterator[None]:
        """Every value and cotangent of the network rounded to float16, in mixed precision."""
        with network.rounded(to_float16) if self.mixed else nullcontext():
            yield


def _changed(
    plan: Plan, weights: Mapping[str, float], options: Mapping[str, float], scale: float
) -> Plan:
    """The plan with weights of summands and options of losses as they are at this step."""
    if not weights and not options and scale == 1.0:
        return plan
    losses: list[LossPlan] = []
    for loss in plan.losses:
        own = {name: value for name, value in options.items() if name in loss.options}
        weight = loss.weight * weights.get(loss.name, 1.0) * scale
        losses.append(loss.replace(options={**loss.options, **own}, weight=weight))
    terms: list[TermPlan] = [
        term.replace(weight=term.weight * weights.get(term.name, 1.0) * scale)
        for term in plan.terms
    ]
    return plan.replace(losses=tuple(losses), terms=tuple(terms))


def anneal_targets(plan: Plan, schedules: Mapping[str, Choice], steps: int) -> None:
    """Raises UsageError for a name that is neither a number of a loss nor a summand.

    And for a number that leaves, within these steps, what the loss takes.
    """
    numbers = {
        param.name
        for loss in plan.losses
        for param in loss.op.params
        if param.kind == "number" and param.name in loss.options
    }
    summands = {each.name for each in plan.losses} | {each.name for each in plan.terms}
    for name in schedules:
        if name not in numbers | summands:
            known = ", ".join(sorted(numbers | summands))
            raise UsageError(f"anneal: the loss has no {name!r}; it has {known}")
    for loss in plan.losses:
        for param in loss.op.params:
            if param.name not in schedules or param.name not in loss.options:
                continue
            schedule = schedules[param.name]
            factors = [float(schedule(done, steps)) for done in range(steps)]
            for value in (loss.options[param.name] * f for f in (min(factors), max(factors))):
                try:
                    param.convert(value)
                except ValueError:
                    raise UsageError(
                        f"anneal: {schedule} takes {param.name} to {value:.4g}; expected "
                        f"{param.expected()}"
                    ) from None
