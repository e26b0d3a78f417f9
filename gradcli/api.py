"""What a command does, as Python calls; each returns a frozen report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.analysis.gradcheck.check import check_plan
from gradcli.analysis.gradcheck.collect import Progress
from gradcli.analysis.gradcheck.options import Oracle, check_options, stated_options
from gradcli.analysis.gradcheck.report import CheckReport, SpecResult
from gradcli.calls.curvature import curvature
from gradcli.calls.functions import check_vjp, gradcheck
from gradcli.calls.graph import graph
from gradcli.calls.training import train
from gradcli.engine.model import Model
from gradcli.errors import SpecError, SpecProblem, UsageError, UserCodeError
from gradcli.sources import (
    Source,
    check_codes,
    every_spec,
    keep_as_loaded,
    model_of,
    name_of,
    plan_of,
    stated,
)
from gradcli.spec import DEFAULT_MEMORY
from gradcli.spec.memory import in_bytes
from gradcli.spec.options import overridden

if TYPE_CHECKING:
    from gradcli.analysis.catalogue import ExplainReport, ListReport
    from gradcli.analysis.flow import FlowReport
    from gradcli.analysis.flow.edge_report import EdgeReport
    from gradcli.analysis.flow.paper import PaperReport
    from gradcli.analysis.losses import LossReport
    from gradcli.templates import Template

__all__ = [
    "catalogue",
    "check",
    "check_vjp",
    "critical",
    "curvature",
    "explain",
    "flow",
    "gradcheck",
    "graph",
    "load",
    "loss",
    "paper",
    "schema",
    "template",
    "templates",
    "train",
]


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
    return model_of(plan_of(source, stated(seed=seed, dtype=dtype), allow_python, max_memory))


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
    budget: float | None = None,
    oracle: Oracle | Literal["auto"] | None = None,
    step: float | None = None,
    strict: bool | None = None,
    allow_inconclusive: bool | None = None,
    self_test: bool | None = None,
    order: int | None = None,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
    partial: bool = False,
) -> CheckReport:
    """Check every gradient of specs: files, folders of `*.yaml`, mappings, or loaded models.

    `text` is a further spec as (content, name to show). An `order` of 2 checks, where the gradients
    are right, products with the Hessian as well, in tensors called Hv[...]. What is left None is
    taken from the spec's `check:` section, then from the defaults. With `partial`, Ctrl-C ends the
    check with what is known by then. An invalid spec gives a result with the verdict `invalid`;
    UsageError is raised for options that make no sense and folders without specs.
    """
    if any(isinstance(source, Model) for source in sources):
        keep_as_loaded(seed, dtype)
    written = stated_options(
        require=require,
        only=tuple(only) or None,
        skip=tuple(skip) or None,
        wrt=wrt,
        entries=entries,
        budget=budget,
        oracle=oracle,
        step=step,
        strict=strict,
        allow_inconclusive=allow_inconclusive,
        self_test=self_test,
        order=order,
    )

    overrides = stated(seed=seed, dtype=dtype, check=written)

    def one(source: Source | Model | tuple[str, str] | SpecError) -> SpecResult:
        try:
            if isinstance(source, SpecError):
                raise source
            if isinstance(source, Model):
                plan, model = source.plan, source
            else:
                plan, model = plan_of(source, overrides, allow_python, max_memory), None
            chosen = overridden("check", plan.sections.get("check", {}), written)
            if model is None and dtype is None:
                plan = plan.replace(dtype=chosen.get("dtype", plan.dtype))
            options = check_options(chosen, plan.seed)
            return check_plan(plan, options, progress, model, partial)
        except SpecError as error:
            errors = error.errors
        except MemoryError as error:
            message = f"there is not enough memory for this check: {error}".rstrip(": ")
            errors = (SpecProblem("SP016", message, name_of(source)),)
        name = name_of(source)
        return SpecResult(spec=name, name=name, verdict="invalid", errors=errors)

    results: list[SpecResult] = []
    interrupted = False
    try:
        for source in every_spec(sources, text):
            results.append(one(source))
            if results[-1].interrupted:
                interrupted = True
                break
    except KeyboardInterrupt:
        if not partial:
            raise
        interrupted = True
    return CheckReport(tuple(results), seed, interrupted)


def flow(
    source: Source | None = None,
    *,
    text: tuple[str, str] | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    threshold: float | None = None,
    seeds: int | None = None,
    fail_on: Sequence[str] = (),
    remedies: bool | None = None,
    write_spec: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
    partial: bool = False,
    **network: Any,
) -> FlowReport:
    """Measure how the gradient's norm changes from layer to layer of a spec's network.

    Without a spec, `network` describes one that is built: arch (mlp, or a recurrent layer, whose
    depth is the number of time steps), depth, width, activation, init, gain and so on (see
    `build_network`); `write_spec` is a file for its spec, which is only replaced with `overwrite`.
    What is left None is taken from the spec's `flow:` section, then from the defaults. What would
    mend a network that is not healthy is measured, unless `remedies` is False, or None where it
    would take long. An invalid spec gives a report with the verdict `invalid`; UsageError is raised
    for options that make no sense and a file that cannot be written. `partial` is as for `check`.
    """
    from gradcli.analysis.flow import (
        FlowOptions,
        analyse_flow,
        build_network,
        invalid_flow,
        memory_needed,
    )

    written = stated(
        threshold=threshold, seeds=seeds, fail_on=tuple(fail_on) or None, remedies=remedies
    )
    overrides = stated(seed=seed, dtype=dtype, flow=written)
    given = stated(**network)
    meant = text or source
    only_built = [*given, *stated(write_spec=write_spec)]
    if meant is not None and only_built:
        message = f"{', '.join(only_built)}: only for a network that is built, not for a spec"
        raise UsageError(message)
    if overwrite and write_spec is None:
        raise UsageError("overwrite: only for a spec that is written; add write_spec")
    if meant is None:
        meant = build_network(**given)
    try:
        plan = plan_of(meant, overrides, allow_python, max_memory, keeps_network=False)
    except SpecError as error:
        return invalid_flow(name_of(meant), error.errors, seed)
    needed = memory_needed(plan)
    if needed > max_memory:
        raise UsageError(
            f"this needs about {in_bytes(needed)} of memory, more than the {in_bytes(max_memory)} "
            "allowed: --max-memory raises that"
        )
    if write_spec is not None:
        from gradcli.analysis.flow.spec_file import write_network

        assert isinstance(meant, Mapping)
        write_network({**meant, **overrides}, write_spec, overwrite=overwrite)
    options = FlowOptions(remedies=None, partial=partial).with_given(
        {**plan.sections.get("flow", {}), **written}
    )
    steps = None if progress is None else (lambda done, of: progress("seeds", done, of))
    try:
        return analyse_flow(plan, options, steps)
    except UserCodeError as error:
        return invalid_flow(name_of(meant), (plan.python_problem(error),), seed)


def critical(
    source: Source | None = None,
    *,
    text: tuple[str, str] | None = None,
    activation: str | Mapping[str, Any] | None = None,
    bias_std: float | None = None,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
    **others: Any,
) -> EdgeReport:
    """The edge of chaos: spreads of weights and biases with which a deep network keeps gradients.

    Of an `activation` (a name, `leaky_relu:alpha=0.3`, or an entry of a spec), of those that a spec
    uses and defines, or of every one of the catalogue; for a range of σ_b, or for `bias_std`. An
    invalid spec gives a result of the kind `invalid`; UsageError is raised for what is not known,
    and for other options of `flow`, since no network is drawn.
    """
    from gradcli.analysis.flow.edge import edges, invalid_edge

    meant = text or source
    steps = None if progress is None else (lambda done, of: progress("activations", done, of))
    try:
        plan = None if meant is None else plan_of(meant, {}, allow_python, max_memory)
        return edges(plan, activation, bias_std, steps, without=stated(**others))
    except SpecError as error:
        return invalid_edge(name_of(meant or {}), error.errors)


def paper(
    *,
    seed: int | None = None,
    progress: Progress | None = None,
    partial: bool = False,
    **others: Any,
) -> PaperReport:
    """Measure published numbers about gradient flow again, on networks drawn from the seed on.

    The report fails where one of them is not what theory computes, or not what networks show.
    `partial` is as for `check`. Raises UsageError for other options of `flow`, since the networks
    are those that the numbers are of.
    """
    from gradcli.analysis.flow.paper import measure_paper

    return measure_paper(seed or 0, progress, partial=partial, without=stated(**others))


def loss(
    *sources: Source,
    text: tuple[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    window: tuple[float, float] | None = None,
    targets: Sequence[float] = (),
    predictions: Sequence[float] = (),
    logits: Sequence[float] = (),
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> LossReport:
    """Losses by name (`huber`, `huber:delta=2`), or those of specs: curves, and claims tried.

    `params` go to every named loss that has them. Curves are drawn over `window`, by default as
    far as the losses bend. With `targets`, the losses are compared at two distributions instead:
    these target chances, and `predictions` or `logits`. An invalid spec gives a result with the
    verdict `invalid`; UsageError is raised for unknown losses and parameters.
    """
    from gradcli.analysis.losses import Chances, invalid_losses, is_loss_name, show_losses

    items: list[Any] = []
    for source in (*sources, *(() if text is None else (text,))):
        try:
            named = isinstance(source, str) and is_loss_name(source)
            items.append(source if named else plan_of(source, {}, allow_python, max_memory))
        except SpecError as error:
            items.append(invalid_losses(name_of(source), error))
    steps = None if progress is None else (lambda done, of: progress("losses", done, of))
    chances = Chances(list(targets), list(predictions) or None, list(logits) or None)
    return show_losses(items, params or {}, window, chances if any(chances) else None, steps)


def explain(
    *topics: str, sources: Sequence[Source] = (), text: tuple[str, str] | None = None
) -> ExplainReport:
    """The cards of ops, rule codes and concepts, by any of their names.

    With specs, by `sources` or as a `text`, the topic has to be the step size, which is then
    measured on them. Raises UsageError, with the nearest topics, for what is not known, and
    SpecError for a spec that cannot be used.
    """
    from gradcli.analysis.catalogue import ExplainReport, find_cards

    cards = find_cards(topics)
    specs: list[Source | tuple[str, str]] = [*sources, *([] if text is None else [text])]
    if not specs:
        return ExplainReport(cards)
    from gradcli.analysis.gradcheck.step_size import StepCurve, measure_step_sizes

    if [card.name for card in cards] != [StepCurve.name]:
        raise UsageError(f"only {StepCurve.name} is measured on a spec")
    curves = []
    for spec in specs:
        plan = plan_of(spec, {}, False, DEFAULT_MEMORY)
        curves.append(measure_step_sizes(plan, plan.seed))
    return ExplainReport((*cards, *curves))


def catalogue(
    kind: str | None = None, *, search: Sequence[str] = (), where: Sequence[str] = ()
) -> ListReport:
    """What there is of a kind, such as losses or rules.

    Every word of `search` is in a name or summary of what is listed, and every property of `where`
    holds, or does not where it begins with `not-`. Raises UsageError for an unknown kind or
    property.
    """
    from gradcli.analysis.catalogue import ListReport, catalogue_rows

    return ListReport(catalogue_rows(kind, search, where))


def templates() -> ListReport:
    """The specs to start from, each with the files that it is written as."""
    from gradcli.analysis.catalogue import ListReport, template_rows

    return ListReport(template_rows())


def template(name: str) -> Template:
    """A spec to start from; raises UsageError, with the nearest, where there is none so named."""
    from gradcli.templates import find_template

    return find_template(name)


def schema(of: Literal["spec", "report"] = "spec") -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a spec, or of what commands give as JSON.

    It is for editors, and for programs that read reports.
    """
    if of == "report":
        from gradcli.analysis.report_schema import report_schema

        return report_schema()
    if of != "spec":
        raise UsageError(f"schema: there is one of a spec and one of a report, not of {of!r}")
    from gradcli.core.registry import CATALOGUE
    from gradcli.spec.schema import json_schema

    return json_schema(CATALOGUE, check_codes())
