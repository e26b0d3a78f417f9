"""Functions handed over from Python, in whatever structure their arrays come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.analysis.gradcheck.callables import Callables, WrongStructure, as_array
from gradcli.analysis.gradcheck.definitions import check_functions
from gradcli.analysis.gradcheck.functions import scalarised
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import CheckReport
from gradcli.core.arrays import Array
from gradcli.errors import UsageError

__all__ = ["check_scalar_function", "check_vector_function"]

Arrays = Array | Sequence[Any] | Mapping[str, Any] | float


def check_scalar_function(
    fun: Callable[..., Any],
    grad: Callable[..., Any] | Arrays,
    params: Arrays,
    options: CheckOptions,
    name: str,
) -> CheckReport:
    """The report on grad(params), or grad itself, as the gradient of fun(params) -> float."""
    point, rebuild, flatten = _structure(params)

    def claim(arrays: Mapping[str, Array]) -> dict[str, Any]:
        return flatten(grad(rebuild(arrays)) if callable(grad) else grad)

    callables = Callables(
        value=lambda arrays: fun(rebuild(arrays)),
        claim=claim,
        point=point,
        wrt=_differentiable(point),
        options=options,
        where=name,
        here_only=not callable(grad),
    )
    return _report(callables, name)


def check_vector_function(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Arrays,
    options: CheckOptions,
    name: str,
) -> CheckReport:
    """The report on backward(inputs, output, cotangent[, saved]) as the pullback of forward."""
    point, rebuild, flatten = _structure(inputs)

    def run(arrays: dict[str, Array]) -> tuple[Any, Any]:
        made = forward(rebuild(arrays))
        if not isinstance(made, tuple):
            return made, _NOTHING
        if len(made) != 2:
            message = f"has to return an array, or (array, saved), got a tuple of {len(made)}"
            raise UsageError(f"{name}: forward {message}")
        return made

    def pull(arrays: dict[str, Array], output: Any, cotangent: Array, saved: Any) -> dict[str, Any]:
        more = () if saved is _NOTHING else (saved,)
        return flatten(backward(rebuild(arrays), output, cotangent, *more))

    callables = scalarised(run, pull, point, _differentiable(point), options, name)
    callables.kind = "input"
    return _report(callables, name)


_NOTHING = object()


@np.errstate(all="ignore")  # what overflows shows in the values, which are judged
def _report(callables: Callables, name: str) -> CheckReport:
    single = all(callables.point[key].dtype == np.float32 for key in callables.wrt)
    options = callables.options
    required = options.threshold("float32" if single else "float64")
    return CheckReport((check_functions(callables, options, required, name),), options.seed)


def _structure(
    params: Arrays,
) -> tuple[dict[str, Array], Callable[[Mapping[str, Array]], Any], Callable[[Any], dict[str, Any]]]:
    """Arrays by name, and the ways back to the caller's structure and from it."""
    if isinstance(params, Mapping):
        return (
            {str(key): _array(value, f" as {key}") for key, value in params.items()},
            lambda arrays: {key: _like(value, arrays[str(key)]) for key, value in params.items()},
            _from_dict,
        )
    if isinstance(params, (list, tuple)):
        return (
            {str(index): _array(value, f" at {index}") for index, value in enumerate(params)},
            lambda arrays: _sequence(
                params, [_like(value, arrays[str(i)]) for i, value in enumerate(params)]
            ),
            _from_sequence,
        )
    return (
        {"x": _array(params, "")},
        lambda arrays: _like(params, arrays["x"]),
        lambda made: {"x": made},
    )


def _like(given: Any, array: Array) -> Any:
    """A number where a number was given, which is not an array of no axes."""
    return array if isinstance(given, np.ndarray) or array.ndim else array[()]


def _sequence(like: Sequence[Any], values: list[Any]) -> Any:
    """A list, a tuple or a named tuple, as the one given."""
    return like._make(values) if hasattr(like, "_make") else type(like)(values)  # type: ignore[call-arg]


def _from_dict(made: Any) -> dict[str, Any]:
    if not isinstance(made, Mapping):
        raise WrongStructure(f"expected a dict like the argument, got {type(made).__name__}")
    return {str(key): value for key, value in made.items()}


def _from_sequence(made: Any) -> dict[str, Any]:
    try:
        values = None if isinstance(made, Mapping) else list(made)
    except TypeError:
        values = None
    if values is None:
        raise WrongStructure(f"expected a list like the argument, got {type(made).__name__}")
    return {str(index): value for index, value in enumerate(values)}


def _array(value: Any, where: str) -> Array:
    array, no_array = as_array(value)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"expected arrays of real numbers, got {no_array or array.dtype}{where}")
    is_usual = array.dtype.kind != "f" or array.dtype in (np.float32, np.float64)
    return array if is_usual else array.astype(float)


def _differentiable(point: Mapping[str, Array]) -> tuple[str, ...]:
    names = tuple(name for name, value in point.items() if value.dtype.kind == "f")
    if not names:
        raise UsageError("there is nothing to differentiate: no array of floating-point numbers")
    return names
