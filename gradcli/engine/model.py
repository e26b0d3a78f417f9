"""A spec made real: parameters drawn, data in place, ready to be differentiated."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from copy import copy
from functools import cached_property

import numpy as np

from gradcli.core.arrays import Array, Parameters
from gradcli.core.op import Buffer
from gradcli.engine.network import Network, Trace
from gradcli.spec.layout import OUTPUTS
from gradcli.spec.plan import ArrayPlan, ParameterPlan, Plan

__all__ = [
    "COMPLEX_STEP",
    "FAINTEST",
    "INPUTS",
    "WIDER_STEP",
    "Model",
    "draw_array",
    "draw_buffer",
    "draw_parameter",
    "generator",
]

INPUTS = "inputs"
"""The name under which the network's one input appears among gradients."""

COMPLEX_STEP = 2.0**-330
"""Step of the complex step: its square vanishes beside 1; gradients down to 1e-200 survive it."""

WIDER_STEP = 1024 * COMPLEX_STEP
"""Another complex step: the difference is what the step itself does to a slope near zero."""

FAINTEST = float(np.finfo(np.float64).tiny) / COMPLEX_STEP / float(np.finfo(np.float64).eps)
"""Size below which a derivative by the complex step loses digits to underflow."""


def generator(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for everything drawn, so that one name's draw moves no other's."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def draw_array(plan: ArrayPlan, seed: int, name: str, dtype: str) -> Array:
    """The stated values, or a draw from the stated distribution, in `dtype` (integers stay so)."""
    if plan.values is not None:
        values = np.asarray(plan.values)
        return values.astype(dtype) if values.dtype.kind == "f" else values
    rng = generator(seed, name)
    if plan.dtype == "int":
        return np.asarray(rng.integers(0, plan.high, plan.shape))
    if plan.distribution == "uniform":
        drawn = rng.uniform(-np.sqrt(3.0), np.sqrt(3.0), plan.shape)
    else:
        drawn = rng.standard_normal(plan.shape)
    with np.errstate(over="ignore"):  # an overflow shows in the values
        return np.asarray(plan.std * drawn, dtype)


def draw_parameter(plan: ParameterPlan, seed: int, dtype: str) -> Array:
    """A parameter as its initializer draws it."""
    with np.errstate(over="ignore"):  # an overflow shows in the values
        rng = generator(seed, plan.drawn_as or plan.name)
        drawn = plan.init.draw(rng, plan.shape, plan.fan_in, plan.fan_out)
        return np.ascontiguousarray(drawn, dtype=dtype)


def draw_buffer(buffer: Buffer, seed: int, name: str, dtype: str) -> Array:
    """A buffer as its op fills it: a draw is the same for the same seed, hence frozen."""
    if not callable(buffer.fill):
        return np.full(buffer.shape, buffer.fill, dtype)
    return np.ascontiguousarray(buffer.fill(generator(seed, name), buffer.shape), dtype=dtype)


class Model:
    """A network, its loss, parameters, buffers and data.

    `parameters` (those of the loss, named `loss.…`, included), `buffers` (what ops are given and
    never learn, such as a dropout mask), `inputs` and `targets` are dicts by name and may be
    changed in place.
    """

    def __init__(self, plan: Plan, dtype: str | None = None) -> None:
        if plan.inputs is None:
            raise ValueError(f"{plan.name} has definitions only, no network or loss")
        self.plan = plan
        self.dtype = np.dtype(dtype or plan.dtype)
        self.parameters: dict[str, Array] = {
            name: np.array(plan.weights[name], self.dtype)
            if name in plan.weights
            else draw_parameter(parameter, plan.seed, self.dtype.name)
            for name, parameter in plan.parameters.items()
        }
        self.buffers: dict[str, Array] = {
            name: np.array(plan.weights[name], self.dtype)
            if name in plan.weights
            else draw_buffer(buffer, plan.seed, name, self.dtype.name)
            for name, buffer in plan.buffers.items()
        }
        self.inputs: dict[str, Array] = {
            INPUTS: draw_array(plan.inputs, plan.seed, INPUTS, self.dtype.name)
        }
        self.targets: dict[str, Array] = {
            name: draw_array(target, plan.seed, name, self.dtype.name)
            for name, target in plan.targets.items()
        }

    def with_plan(self, plan: Plan) -> Model:
        """The same parameters and data under a plan whose ops are others."""
        other = copy(self)
        vars(other).pop("network", None)
        other.plan = plan
        return other

    def in_float64(self) -> Model:
        """The same values in float64."""
        other = self.with_plan(self.plan)
        other.dtype = np.dtype(np.float64)
        other.parameters, other.buffers, other.inputs, other.targets = (
            {
                name: value.astype(np.float64) if value.dtype.kind == "f" else value
                for name, value in arrays.items()
            }
            for arrays in (self.parameters, self.buffers, self.inputs, self.targets)
        )
        return other

    def with_targets(self, targets: Mapping[str, Array]) -> Model:
        """The same with other targets."""
        other = self.with_plan(self.plan)
        other.targets = dict(targets)
        return other

    @cached_property
    def network(self) -> Network:
        return Network(self.plan, self.targets, self.buffers)

    def forward(self, parameters: Parameters | None = None, inputs: Array | None = None) -> Trace:
        """Every slot's value and every node's pullback; an overflow shows in the values."""
        with np.errstate(all="ignore"):
            return self.network.forward(
                self.parameters if parameters is None else parameters,
                self.inputs[INPUTS] if inputs is None else inputs,
            )

    def loss(self, parameters: Parameters | None = None, inputs: Array | None = None) -> float:
        """The loss, a scalar; an overflow shows in the value."""
        parameters = self.parameters if parameters is None else parameters
        with np.errstate(all="ignore"):
            total = self.network.loss(self.forward(parameters, inputs).slots, parameters).total
        return float(total.real)

    def value_and_grad(self) -> tuple[float, dict[str, Array]]:
        """The loss and its gradient by name: every parameter, and `inputs`."""
        value, gradients = self.value_and_grad_at(self.parameters, self.inputs[INPUTS])
        return float(value), gradients

    def value_and_grad_at(
        self, parameters: Parameters, inputs: Array
    ) -> tuple[Array, dict[str, Array]]:
        """The loss and its gradient elsewhere; replica axes and complex values are allowed."""
        # an overflow shows in the values, which is where it is reported from
        with np.errstate(all="ignore"):
            trace = self.forward(parameters, inputs)
            loss = self.network.loss(trace.slots, parameters)
            seeds, gradients = loss.pullback()
            slots, through = self.network.backward(trace, seeds)
        for name, gradient in through.items():
            gradients[name] = gradients[name] + gradient if name in gradients else gradient
        for name, value in parameters.items():
            gradients.setdefault(name, np.zeros_like(value))
        gradients[INPUTS] = slots.get(0, np.zeros_like(inputs))
        return loss.total, {name: gradients[name] for name in (*parameters, INPUTS)}

    def jvp(self, v: Mapping[str, Array]) -> dict[str, Array] | Array:
        """Forward mode: the change of the outputs along v, by the complex step.

        `v` maps names of parameters, or `inputs`, to arrays of their shapes; what is left out
        does not move. The result is like the outputs: an array, or a dict by head.
        """
        parameters, inputs = self._moved(v)
        slots = self.forward(parameters, inputs).slots
        with np.errstate(over="ignore"):
            tangents = {
                name: np.imag(slots[slot]) / COMPLEX_STEP + np.zeros(self.network.slot_shape(slot))
                for name, slot in self.plan.outputs.items()
            }
        return tangents.get(OUTPUTS, tangents)

    def vjp(self, u: Mapping[str, Array] | Array) -> dict[str, Array]:
        """Reverse mode: from cotangents of the outputs to those of all parameters and `inputs`."""
        outputs = self.plan.outputs
        by_head = u if isinstance(u, Mapping) else {OUTPUTS: u}
        seeds: dict[int, Array] = {}
        for name, cotangent in by_head.items():
            array = np.asarray(cotangent, self.dtype)
            if name not in outputs or array.shape != self.network.slot_shape(outputs[name]):
                shapes = {head: self.network.slot_shape(slot) for head, slot in outputs.items()}
                raise ValueError(f"cotangents are by output, of the shapes {shapes}")
            seeds[outputs[name]] = array
        with np.errstate(all="ignore"):
            slots, gradients = self.network.backward(self.forward(), seeds)
        inputs = self.inputs[INPUTS]
        found = {name: gradients.get(name, np.zeros_like(w)) for name, w in self.parameters.items()}
        return {**found, INPUTS: slots.get(0, np.zeros_like(inputs))}

    def hvp(self, v: Mapping[str, Array]) -> dict[str, Array]:
        """The Hessian of the loss times v, as Im ∇L(x + ihv)/h: exact to rounding away from kinks.

        `v` is as for `jvp`; the result has every parameter and `inputs`.
        """
        _, gradients = self.value_and_grad_at(*self._moved(v))
        with np.errstate(over="ignore"):
            return {name: np.imag(each) / COMPLEX_STEP for name, each in gradients.items()}

    def _moved(self, v: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
        point = {**self.parameters, INPUTS: self.inputs[INPUTS]}
        moved: dict[str, Array] = {name: value.astype(np.float64) for name, value in point.items()}
        for name, direction in v.items():
            if name not in point or np.shape(direction) != point[name].shape:
                known = {known: value.shape for known, value in point.items()}
                raise ValueError(f"directions are by name, of the shapes {known}")
            moved[name] = moved[name] + 1j * COMPLEX_STEP * np.asarray(direction, np.float64)
        inputs = moved.pop(INPUTS)
        return moved, inputs
