"""What a command does, as Python calls; each returns a frozen report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.check import Progress, check_functions, check_plan
from gradcli.analysis.gradcheck.functions import scalarised
from gradcli.analysis.gradcheck.options import CheckOptions, Oracle, required_error
from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.core.arrays import Array
from gradcli.engine.model import Model
from gradcli.errors import SpecError, UsageError
from gradcli.spec import DEFAULT_MEMORY, find_specs, load_plan, load_text
from gradcli.spec.plan import Plan

__all__ = ["check", "check_vjp", "gradcheck", "load"]

Source = str | Path | Mapping[str, Any]
Arrays = Array | Sequence[Any] | Mapping[str, Any] | float


def load(
    source: Source,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
) -> Model:
    """The model of a spec (a file or a mapping), ready to run and to differentiate.

    Raises SpecError, with every problem found, for a spec that cannot be used.
    """
    plan = load_plan(
        source,
        allow_python=allow_python,
        max_memory=max_memory,
        overrides=_overrides(seed=seed, dtype=dtype),
    )
    return Model(plan)


def check(
    *sources: Source | Model,
    text: tuple[str, str] | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    require: str | float | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    wrt: Literal["all", "parameters", "inputs"] | None = None,
    entries: int | Literal["all"] | None = None,
    oracle: Oracle | None = None,
    step: float | None = None,
    strict: bool | None = None,
    allow_inconclusive: bool | None = None,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
    partial: bool = False,
) -> CheckReport:
    """Check every gradient of specs: files, folders of `*.yaml`, mappings, or loaded models.

    `text` is a further spec as (content, name to show). What is left None is taken from the
    spec's `check:` section, then from the defaults. With `partial`, Ctrl-C ends the check with
    what is known by then. An invalid spec gives a result with the verdict `invalid`; UsageError
    is raised for options that make no sense and folders without specs.
    """
    required_error(require)
    written = _overrides(
        require=require,
        only=tuple(only) or None,
        skip=tuple(skip) or None,
        wrt=wrt,
        entries=entries,
        oracle=oracle,
        step=step,
        strict=strict,
        allow_inconclusive=allow_inconclusive,
    )

    overrides = _overrides(seed=seed, dtype=dtype, check=written)

    def one(source: Source | Model | tuple[str, str]) -> SpecResult:
        try:
            found = _plan_of(source, overrides, allow_python, max_memory)
            plan = found.plan if isinstance(found, Model) else found
            model = found if isinstance(found, Model) else None
            chosen = {**plan.sections.get("check", {}), **written}
            if model is None and dtype is None:
                plan = replace(plan, dtype=chosen.get("dtype", plan.dtype))
            options = check_options(chosen, plan.seed)
            return check_plan(plan, options, progress, model)
        except SpecError as error:
            name = _name_of(source)
            return SpecResult(spec=name, name=name, verdict="invalid", errors=error.errors)

    results: list[SpecResult] = []
    try:
        for source in _expand(sources, text):
            results.append(one(source))
    except KeyboardInterrupt:
        if not partial:
            raise
        return CheckReport(tuple(results), seed, interrupted=True)
    return CheckReport(tuple(results), seed)


def check_options(chosen: Mapping[str, Any], seed: int) -> CheckOptions:
    """The options of a check from those written, the defaults for the rest."""
    entries = chosen.get("entries", "all")
    oracle = chosen.get("oracle", "auto")
    return CheckOptions(
        seed=seed,
        required=required_error(chosen.get("require")),
        only=_globs(chosen.get("only", ())),
        skip=_globs(chosen.get("skip", ())),
        wrt=chosen.get("wrt", "all"),
        entries=None if entries == "all" else int(entries),
        oracle=None if oracle == "auto" else oracle,
        step=chosen.get("step"),
        strict=bool(chosen.get("strict", False)),
        allow_inconclusive=bool(chosen.get("allow_inconclusive", False)),
    )


def gradcheck(
    fun: Callable[..., Any],
    grad: Callable[..., Any],
    params: Arrays,
    *,
    require: str | float | None = None,
    seed: int = 0,
    name: str = "gradient",
) -> CheckReport:
    """Check grad(params) against differences of fun(params) -> float, whatever these do inside.

    `params` is an array, a list of arrays or a dict of arrays (scalars count as arrays of no axes);
    `grad` returns the same structure. Integer arrays are passed along and not differentiated.
    """
    point, rebuild, flatten = _structure(params)
    callables = Callables(
        value=lambda arrays: fun(rebuild(arrays)),
        claim=lambda arrays: flatten(grad(rebuild(arrays))),
        point=point,
        wrt=_differentiable(point),
        options=CheckOptions(seed=seed, required=required_error(require)),
        where=name,
    )
    return _function_report(callables, name)


def check_vjp(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Arrays,
    *,
    require: str | float | None = None,
    seed: int = 0,
    name: str = "vjp",
) -> CheckReport:
    """Check backward(inputs, output, cotangent) against ⟨cotangent, forward(inputs)⟩.

    `inputs` is an array, a list or a dict of arrays; `forward` returns an array of any shape,
    or (array, saved), in which case saved is passed to `backward` as a fourth argument. `backward`
    returns cotangents in the structure of `inputs`.
    """
    point, rebuild, flatten = _structure(inputs)

    def run(arrays: dict[str, Array]) -> tuple[Any, Any]:
        made = forward(rebuild(arrays))
        return made if isinstance(made, tuple) else (made, _NOTHING)

    def pull(arrays: dict[str, Array], output: Any, cotangent: Array, saved: Any) -> dict[str, Any]:
        more = () if saved is _NOTHING else (saved,)
        return flatten(backward(rebuild(arrays), output, cotangent, *more))

    options = CheckOptions(seed=seed, required=required_error(require))
    callables = scalarised(run, pull, point, _differentiable(point), options, name)
    callables.kind = "input"
    return _function_report(callables, name)


_NOTHING = object()


def _function_report(callables: Callables, name: str) -> CheckReport:
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
            {str(key): _array(value) for key, value in params.items()},
            lambda arrays: {key: arrays[str(key)] for key in params},
            lambda made: {str(key): value for key, value in made.items()},
        )
    if isinstance(params, (list, tuple)):
        kind = type(params)
        return (
            {str(index): _array(value) for index, value in enumerate(params)},
            lambda arrays: kind(arrays[str(index)] for index in range(len(params))),
            lambda made: {str(index): value for index, value in enumerate(made)},
        )
    return (
        {"x": _array(params)},
        lambda arrays: arrays["x"] if np.ndim(params) else arrays["x"][()],
        lambda made: {"x": made},
    )


def _array(value: Any) -> Array:
    array = np.array(value)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"expected arrays of real numbers, got {array.dtype}")
    return array.astype(float) if array.dtype.kind == "f" and array.itemsize < 4 else array


def _differentiable(point: Mapping[str, Array]) -> tuple[str, ...]:
    names = tuple(name for name, value in point.items() if value.dtype.kind == "f")
    if not names:
        raise UsageError("there is nothing to differentiate: no array of floating-point numbers")
    return names


def _expand(
    sources: Sequence[Source | Model], text: tuple[str, str] | None
) -> list[Source | Model | tuple[str, str]]:
    """Every single spec meant: folders opened, text last."""
    found: list[Source | Model | tuple[str, str]] = []
    for source in sources:
        if isinstance(source, (str, Path)):
            found += find_specs([str(source)])
        else:
            found.append(source)
    if text is not None:
        found.append(text)
    if not found:
        raise UsageError("there is no spec to check")
    return found


def _plan_of(
    source: Source | Model | tuple[str, str],
    overrides: Mapping[str, Any],
    allow_python: bool,
    max_memory: int,
) -> Plan | Model:
    if isinstance(source, Model):
        return source
    if isinstance(source, tuple):
        content, shown = source
        return load_text(
            content,
            shown,
            allow_python=allow_python,
            max_memory=max_memory,
            overrides=overrides,
        )
    return load_plan(source, allow_python=allow_python, max_memory=max_memory, overrides=overrides)


def _name_of(source: Source | Model | tuple[str, str]) -> str:
    if isinstance(source, Model):
        return source.plan.name
    if isinstance(source, tuple):
        return source[1]
    return str(source.get("name", "spec")) if isinstance(source, Mapping) else str(source)


def _globs(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _overrides(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
