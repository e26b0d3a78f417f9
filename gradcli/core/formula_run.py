"""One evaluation of a formula's steps, and the reverse pass over it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.formula_arrays import Spread
from gradcli.core.formula_functions import indicator
from gradcli.core.formula_parse import Apply, Constant, Step, Variable
from gradcli.core.formula_tokens import FormulaError
from gradcli.core.formula_values import (
    Pull,
    Through,
    Value,
    align,
    unbroadcast,
    unbroadcast_mask,
)
from gradcli.core.op import Shape

__all__ = ["Run", "step_shape"]


def step_shape(step: Apply, shapes: list[Shape]) -> Shape:
    """The own shape of a step's result; FormulaError where those of its operands do not fit."""
    try:
        if step.function.shape is None:
            return np.broadcast_shapes(*shapes)
        return step.function.shape(*shapes, *_axis(step))
    except ValueError as error:
        message = str(error)
        if step.function.shape is None:
            listed = " and ".join(map(str, shapes))
            message = f"shapes {listed} do not fit together for {step.function.name}"
        raise FormulaError(message, step.offset, step.length) from None


def _axis(step: Apply) -> tuple[int | None, ...]:
    return (step.axis,) if step.function.takes_axis else ()


def _precision(arrays: list[Array]) -> np.dtype[Any]:
    """The real type in which to compute: that of the arrays of real or complex numbers."""
    real = [array.real.dtype for array in arrays if array.dtype.kind in "fc"]
    return np.result_type(*real) if real else np.dtype(np.float64)


class Run:
    """The values of a formula's steps; with `tape`, all of them and their pullbacks are kept.

    With `rounding`, each step's result is off by a random ulp, as another correct evaluation's
    may be (stochastic arithmetic; Vignes, "A stochastic arithmetic for reliable scientific
    computation", 1993).
    """

    def __init__(
        self,
        steps: tuple[Step, ...],
        env: Mapping[str, Array | float],
        ranks: Mapping[str, int] | None,
        tape: bool = False,
        rounding: np.random.Generator | None = None,
    ) -> None:
        self._steps = steps
        self._rounding = rounding
        names = [step.name for step in steps if isinstance(step, Variable)]
        self._dtype = _precision([a for n in names if isinstance(a := env[n], np.ndarray)])
        self._values: list[Value | None] = []
        self._pulls: list[tuple[Pull | None, ...]] = []
        last_use = {
            slot: i
            for i, step in enumerate(steps)
            if isinstance(step, Apply)
            for slot in step.operands
        }
        for i, step in enumerate(steps):
            value, pulls = self._step(step, env, ranks or {})
            self._values.append(value)
            if tape:
                self._pulls.append(pulls)
                continue
            for slot in step.operands if isinstance(step, Apply) else ():
                if last_use[slot] == i:
                    self._values[slot] = None
        self._result = self._number(self._value(len(steps) - 1))
        self.value = self._result.array

    def _value(self, slot: int) -> Value:
        value = self._values[slot]
        assert value is not None
        return value

    def _number(self, value: Value) -> Value:
        if value.array.dtype != np.bool_:
            return value
        return Value(indicator(value.array, self._dtype), value.rank)

    def _kept(self, array: Array) -> Array:
        """In the precision of the formula, which NumPy leaves for scalars of another one."""
        array = np.asarray(array)
        if array.dtype.kind != "c" and array.dtype not in (self._dtype, np.bool_):
            array = array.astype(self._dtype)
        if self._rounding is None or array.dtype == np.bool_:
            return array
        ulp = self._dtype.type(np.finfo(self._dtype).eps)
        factors = 1 + ulp * self._rounding.uniform(-1, 1, array.shape)
        rounded: Array = array * factors.astype(self._dtype)
        return rounded

    def _step(
        self, step: Step, env: Mapping[str, Array | float], ranks: Mapping[str, int]
    ) -> tuple[Value, tuple[Pull | None, ...]]:
        if isinstance(step, Constant):
            return Value(np.asarray(step.value, self._dtype), 0), ()
        if isinstance(step, Variable):
            array = np.asarray(env[step.name])
            if array.dtype.kind != "c":
                array = array.astype(self._dtype, copy=False)
            rank = ranks.get(step.name, array.ndim)
            if rank > array.ndim:
                raise ValueError(f"{step.name} has {array.ndim} axes, fewer than its rank {rank}")
            return Value(array, rank), ()
        operands = [self._value(slot) for slot in step.operands]
        for position, operand in enumerate(operands):
            if position not in step.function.conditions:
                operands[position] = self._number(operand)
        if not step.function.elementwise:
            step_shape(step, [operand.own for operand in operands])
            value, pulls = step.function.rule(*operands, *_axis(step))
            return Value(self._kept(value.array), value.rank), pulls
        arrays, rank = align(operands)
        try:
            array, pulls = step.function.rule(*arrays)
        except ValueError:
            step_shape(step, [operand.own for operand in operands])
            raise
        return Value(self._kept(array), rank), pulls

    def pull(self, g: Array, wrt: Collection[str]) -> dict[str, Array]:
        """Cotangents of the variables `wrt` for the cotangent g of the result."""
        steps = self._steps
        wanted = self._wanted(wrt)
        shape = np.broadcast_shapes(g.shape, self.value.shape)
        cotangents: dict[int, tuple[Array, Mask | None]] = {}
        cotangents[len(steps) - 1] = np.broadcast_to(g, shape), None
        for i in range(len(steps) - 1, -1, -1):
            step = steps[i]
            if i not in cotangents or not isinstance(step, Apply):
                continue
            g, live = cotangents.pop(i)
            for slot, pull in zip(step.operands, self._pulls[i], strict=True):
                if pull is None or slot not in wanted:
                    continue
                reached, live_there = self._through(step, i, slot, pull, g, live)
                if slot in cotangents:
                    other, live_other = cotangents[slot]
                    reached = other + reached
                    if live_there is not None and live_other is not None:
                        live_there = live_there | live_other
                    else:
                        live_there = None
                cotangents[slot] = reached, live_there
        return self._by_name(cotangents, wrt, shape)

    def _wanted(self, wrt: Collection[str]) -> set[int]:
        """The steps through which the result depends on one of the variables."""
        wanted: set[int] = set()
        for i, step in enumerate(self._steps):
            if isinstance(step, Constant):
                continue
            if step.name in wrt if isinstance(step, Variable) else wanted & {*step.operands}:
                wanted.add(i)
        return wanted

    def _through(
        self, step: Apply, i: int, slot: int, pull: Pull, g: Array, live: Mask | None
    ) -> tuple[Array, Mask | None]:
        """The cotangent of one operand, and the entries at which the result depends on it at all.

        Where it does not, because a `where` further on took the other branch, the cotangent is
        zero even if the slope here is infinite or NaN.
        """
        operand = self._value(slot)
        rank = self._value(i).rank
        reached = self._kept(pull(g))
        if isinstance(pull, Spread):
            live = None if live is None else pull.mask(live)
        elif isinstance(pull, Through):
            live = pull.taken if live is None else live & pull.taken
        if live is not None:
            reached = np.where(live, reached, np.zeros_like(reached))
        if step.function.elementwise:
            if live is not None:
                live = unbroadcast_mask(np.broadcast_to(live, reached.shape), rank, operand.own)
            reached = unbroadcast(reached, rank, operand.own)
        return reached, live

    def _by_name(
        self, cotangents: dict[int, tuple[Array, Mask | None]], wrt: Collection[str], shape: Shape
    ) -> dict[str, Array]:
        replicas = shape[: len(shape) - self._result.rank]
        found = {}
        for i, step in enumerate(self._steps):
            if isinstance(step, Variable) and step.name in wrt:
                value = self._value(i)
                zero = np.zeros((*replicas, *value.own), self._dtype)
                found[step.name] = cotangents[i][0] if i in cotangents else zero
        return found
