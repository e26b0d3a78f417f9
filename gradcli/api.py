"""What a command does, as Python calls; each returns a frozen report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.collect import Progress
from gradcli.analysis.gradcheck.options import CheckOptions, Oracle, required_error
from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.core.arrays import Array
from gradcli.engine.model import Model
from gradcli.errors import SpecError, UsageError
from gradcli.spec import DEFAULT_MEMORY, find_specs, load_plan, load_text
from gradcli.spec.plan import Plan

if TYPE_CHECKING:
    from gradcli.analysis.flow import FlowReport

__all__ = ["check", "check_vjp", "flow", "gradcheck", "load"]

_KEPT_SHARE = 1024
"""A flow analysis keeps a small part of a deep network at a time; so much more may be planned."""

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
            if isinstance(source, Model):
                plan, model = source.plan, source
            else:
                plan, model = _plan_of(source, overrides, allow_python, max_memory), None
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
    Raises UsageError where `fun` itself cannot be evaluated at the point.
    """
    from gradcli.analysis.gradcheck.from_python import check_scalar_function

    options = CheckOptions(seed=seed, required=required_error(require))
    return check_scalar_function(fun, grad, params, options, name)


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
    returns cotangents in the structure of `inputs`. Raises UsageError where `forward` cannot be
    evaluated at the point.
    """
    from gradcli.analysis.gradcheck.from_python import check_vector_function

    options = CheckOptions(seed=seed, required=required_error(require))
    return check_vector_function(forward, backward, inputs, options, name)


def flow(
    source: Source | None = None,
    *,
    text: tuple[str, str] | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    threshold: float | None = None,
    seeds: int | None = None,
    fail_on: Sequence[str] = (),
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
    **network: Any,
) -> FlowReport:
    """Measure how the gradient's norm changes from layer to layer of a spec's network.

    Without a spec, `network` describes one that is built: depth, width, activation, init, gain,
    bias_std, batch, loss, residual, residual_scale (see `build_spec`). What is left None is taken
    from the spec's `flow:` section, then from the defaults. An invalid spec gives a report with
    the verdict `invalid`; UsageError is raised for options that make no sense.
    """
    from gradcli.analysis.flow import (
        FlowOptions,
        analyse_flow,
        build_spec,
        invalid_flow,
        memory_needed,
    )

    written = _overrides(threshold=threshold, seeds=seeds, fail_on=tuple(fail_on) or None)
    overrides = _overrides(seed=seed, dtype=dtype, flow=written)
    given = _overrides(**network)
    meant = text or source
    if meant is not None and given:
        raise UsageError(f"{', '.join(given)}: only for a network that is built, not for a spec")
    try:
        meant = build_spec(**given) if meant is None else meant
    except TypeError:
        import inspect

        known = list(inspect.signature(build_spec).parameters)
        unknown = [name for name in given if name not in known]
        raise UsageError(f"{', '.join(unknown)}: expected {', '.join(known)}") from None
    try:
        plan = _plan_of(meant, overrides, allow_python, max_memory * _KEPT_SHARE)
    except SpecError as error:
        return invalid_flow(_name_of(meant), error.errors, seed)
    needed = memory_needed(plan)
    if needed > max_memory:
        raise UsageError(
            f"this would need about {needed / 2**20:,.0f} MiB, more than the "
            f"{max_memory / 2**20:,.0f} MiB allowed: --max-memory raises that"
        )
    options = FlowOptions().with_given({**plan.sections.get("flow", {}), **written})
    steps = None if progress is None else (lambda done, of: progress("seeds", done, of))
    return analyse_flow(plan, options, steps)


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
    source: Source | tuple[str, str],
    overrides: Mapping[str, Any],
    allow_python: bool,
    max_memory: int,
) -> Plan:
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
