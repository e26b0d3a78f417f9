"""A user's function of whole arrays, by formula or in Python, against the cotangents it claims."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

import numpy as np

from gradcli.analysis.gradcheck.callables import (
    Callables,
    MutatesItsArguments,
    Pull,
    WrongStructure,
    differs,
)
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.arrays import Array
from gradcli.core.generators import Generators
from gradcli.core.user_code import USER_ERRORS, told
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import COMPLEX_STEP, FAINTEST, WIDER_STEP, draw_array, generator
from gradcli.engine.replicas import chunks
from gradcli.errors import UsageError, UserCodeError
from gradcli.spec.plan import FunctionDefinition

__all__ = ["complex_slopes", "cotangent_for", "function_callables", "scalarised"]

_EPS = float(np.finfo(np.float64).eps)
_DOUBT_ULPS = 16
_FAINT = 1e-100  # slopes so small that the square of the step may be no less


def function_callables(
    definition: FunctionDefinition, seed: int, dtype: str, options: CheckOptions
) -> Callables:
    """The definition as callables: ⟨cotangent, output⟩, and what its backward makes of it.

    The cotangent is 1 for a scalar output, else standard normal.
    """
    point = {
        name: draw_array(plan, seed, f"{definition.name}.{name}", dtype)
        for name, plan in definition.inputs.items()
    }
    wrt = tuple(
        name
        for name, plan in definition.inputs.items()
        if plan.differentiable and point[name].dtype.kind == "f"
    )
    result = scalarised(
        lambda arrays: definition.forward(arrays),
        definition.backward,
        point,
        wrt,
        options,
        definition.name,
    )
    result.kind = "definition"
    result.line = definition.line
    sizes = [(f"the size of {name}", float(point[name].size)) for name in wrt]
    rows = [
        (f"the number of rows of {name}", float(len(point[name])))
        for name in point
        if point[name].ndim
    ]
    result.factors = (
        *((name, float(number)) for name, number in definition.params.items()),
        *sizes,
        *rows,
        ("2", 2.0),
    )
    if definition.formula is not None:
        slopes = _ComplexSlopes(definition, point, options.seed)
        result.complex_slopes = slopes
    return result


def scalarised(
    forward: Any,
    backward: Any,
    point: dict[str, Array],
    wrt: tuple[str, ...],
    options: CheckOptions,
    where: str,
) -> Callables:
    """A vector function with its backward as a scalar one: ⟨cotangent, output⟩.

    `forward(arrays) -> (output, saved)`; `backward(arrays, output, cotangent, saved) -> dict`.
    """
    forward = _Forward(forward)
    try:
        with redirect_stdout(sys.stderr):
            output, _ = forward.first({name: value.copy() for name, value in point.items()})
    except UsageError:
        raise
    except USER_ERRORS as error:
        raise UserCodeError(where, f"forward raises {told(error)}") from error
    output = np.asarray(output)
    if output.dtype.kind not in "fiub":
        raise UserCodeError(where, f"forward returns {output.dtype}, not real numbers")
    cotangent = cotangent_for(output, options.seed, where)

    def output_of(arrays: dict[str, Array]) -> Array:
        found = np.asarray(forward(arrays)[0])
        if found.shape != cotangent.shape:
            raise UserCodeError(where, "the shape of the output changes with the input's values")
        return found

    def call(arrays: dict[str, Array], g: Array) -> Mapping[str, Any]:
        made, saved = forward(arrays)
        given = {"the cotangent": g.copy(), "the output": np.asarray(made)}
        given |= {f"saved value {i}": value for i, value in enumerate(_arrays_in(saved))}
        before = {name: value.copy() for name, value in given.items()}
        found = backward(arrays, made, given["the cotangent"], saved)
        for name, value in before.items():
            if differs(value, given[name]):
                raise MutatesItsArguments(name)
        if not isinstance(found, Mapping):
            what = "None" if found is None else f"a {type(found).__name__}"
            raise WrongStructure(f"the backward returns {what}, not a dict of cotangents by input")
        return found

    other = generator(options.seed, f"other cotangent of {where}").standard_normal(cotangent.shape)
    pull = Pull(call, cotangent, other.astype(cotangent.dtype), output_of)
    return Callables(
        lambda arrays: pull.value(arrays, cotangent),
        lambda arrays: call(arrays, cotangent),
        point,
        wrt,
        options,
        where,
        pull=pull,
        draws=forward.draws,
    )


class _Forward:
    """A forward that, if it draws from the global generators, draws the same in every call."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._state: Generators | None = None
        self.draws = ""

    def first(self, arrays: dict[str, Array]) -> Any:
        before = Generators.now()
        made = self._run(arrays)
        self.draws = before.moved()
        if self.draws:
            before.restore()
            self._state = before
        return made

    def __call__(self, arrays: dict[str, Array]) -> Any:
        if self._state is None:
            return self._run(arrays)
        with self._state.held():
            return self._run(arrays)


def _arrays_in(saved: Any) -> Iterator[Array]:
    """The arrays among what a forward saved, in lists, tuples, dicts and objects."""
    seen: dict[int, Any] = {}
    pending = [saved]
    while pending:
        value = pending.pop()
        if id(value) in seen or isinstance(value, (type, ModuleType)):
            continue
        seen[id(value)] = value  # kept, so that nothing new gets its id
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, Mapping):
            pending += reversed(list(value.values()))
        elif isinstance(value, (list, tuple)):
            pending += reversed(value)
        else:
            slots = getattr(value, "__slots__", ())
            pending += [getattr(value, name, None) for name in slots]
            pending += reversed(list(getattr(value, "__dict__", {}).values()))


def cotangent_for(output: Array, seed: int, name: str) -> Array:
    """1 for a scalar, else standard normal, so that no entry's error is lost among others'."""
    dtype = output.dtype if output.dtype.kind == "f" else np.dtype(float)
    if output.size == 1:
        return np.ones(output.shape, dtype)
    return generator(seed, f"cotangent of {name}").standard_normal(output.shape).astype(dtype)


class _ComplexSlopes:
    """Complex-step slopes of a formula, all entries of an input at once in copies."""

    def __init__(self, definition: FunctionDefinition, point: dict[str, Array], seed: int) -> None:
        self._definition = definition
        self._point = {
            name: value.astype(float) if value.dtype.kind == "f" else value
            for name, value in point.items()
        }
        output = np.asarray(definition.forward(dict(self._point))[0])
        self._cotangent = cotangent_for(output, seed, definition.name)

    def __call__(self, name: str) -> Estimate:
        tensor = self._point[name]

        def output(copies: Array) -> Array:
            return np.asarray(self._definition.forward({**self._point, name: copies})[0])

        slopes = complex_slopes(output, tensor, self._cotangent)
        largest = np.abs(slopes).max(initial=0.0)
        doubt = np.full(slopes.shape, _DOUBT_ULPS * _EPS * largest + FAINTEST)
        if largest < _FAINT:
            wider = complex_slopes(output, tensor, self._cotangent, WIDER_STEP)
            doubt += np.abs(wider - slopes)
        return Estimate(slopes, doubt)


def complex_slopes(
    output: Callable[[Array], Array],
    tensor: Array,
    cotangent: Array,
    step: float = COMPLEX_STEP,
) -> Array:
    """Slopes (E,) of ⟨cotangent, output⟩ by the complex step, from copies of a tensor."""
    own = tuple(range(-cotangent.ndim, 0))
    slopes = np.zeros(tensor.size)
    for part in chunks(tensor.size, 64 * (tensor.size + cotangent.size)):
        size = part.stop - part.start
        copies = np.zeros((size, tensor.size), complex)
        copies += tensor.ravel()
        copies[np.arange(size), np.arange(part.start, part.stop)] += 1j * step
        found = output(copies.reshape(size, *tensor.shape))
        slopes[part] = (cotangent * found.imag).sum(axis=own) / step
    return slopes
