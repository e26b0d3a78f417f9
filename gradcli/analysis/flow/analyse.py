"""The analysis: one network measured in full, further draws of it for the band, a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from gradcli.analysis.flow.findings import other_findings, unit_findings, verdict_finding
from gradcli.analysis.flow.formats import format_findings, plain_readings, underflow
from gradcli.analysis.flow.heads import by_head
from gradcli.analysis.flow.measure import Measured, measure, measure_signal
from gradcli.analysis.flow.over_time import only_over_time, recurrent_nodes, results_over_time
from gradcli.analysis.flow.phase import phase_findings, phase_of
from gradcli.analysis.flow.report import (
    GATES,
    FlowReport,
    FlowResult,
    Remedy,
    power_of_ten,
)
from gradcli.analysis.flow.structure import structure_of
from gradcli.analysis.flow.theory.beside import beside
from gradcli.analysis.flow.verdict import (
    band_of,
    cause_of,
    depth_budget,
    ranges_of,
    verdict_of,
)
from gradcli.analysis.smells import penalty_smells, smells
from gradcli.diagnostics.finding import Finding
from gradcli.engine.model import Model
from gradcli.errors import UsageError
from gradcli.spec.plan import Plan

__all__ = ["FlowOptions", "analyse_flow", "invalid_flow", "memory_needed"]

_WHOLE = 256 * 2**20
"""Bytes up to which a network is run as a whole; what flow itself measures needs far less."""


@dataclass(frozen=True)
class FlowOptions:
    """How a flow analysis is run.

    `threshold` in decades; `seeds` is the number of draws, from the plan's seed on; `fail_on` names
    verdicts or findings that make the exit code 1 (see `GATES`). With `partial`, Ctrl-C ends the
    analysis with what is known by then. With `remedies`, what would mend
    a network that is not healthy is measured; None means unless that would take long. Raises
    UsageError for anything out of range.
    """

    threshold: float = 2.0
    seeds: int = 5
    fail_on: tuple[str, ...] = ()
    allow_inconclusive: bool = False
    partial: bool = False
    remedies: bool | None = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold < math.inf:
            raise UsageError(
                f"threshold: expected a number of decades above 0, got {self.threshold!r}"
            )
        if self.seeds < 1:
            raise UsageError(f"seeds: expected a whole number of at least 1, got {self.seeds!r}")
        for gate in self.fail_on:
            if gate not in GATES:
                raise UsageError(f"fail_on: expected one of {', '.join(GATES)}, got {gate!r}")

    def with_given(self, given: Mapping[str, Any]) -> FlowOptions:
        """These options with those replaced that are given and not None, e.g. a spec's section."""
        return replace(self, **{key: value for key, value in given.items() if value is not None})


@np.errstate(all="ignore")  # what overflows shows in the values, which are judged
def analyse_flow(
    plan: Plan,
    options: FlowOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FlowReport:
    """Measure how a gradient flows through a network, to each of several heads by itself.

    Every number by layer is of the network drawn from the plan's own seed; the following seeds
    give the band. `progress(done, of)` is called after each seed. Raises UsageError for a plan
    without a network, a loss, or a layer that mixes units.
    """
    options = options or FlowOptions()
    heads = by_head(plan)
    drawn, of = count(1), len(heads) * options.seeds

    def advance() -> None:
        if progress is not None:
            done = next(drawn)
            progress(done, max(done, of))

    results, interrupted = _collected(heads, options, advance)
    worst = FlowReport(tuple(results)).verdict
    found = [each.replace(file=plan.file) for each in (*smells(plan), *_penalties(plan))]
    nodes = {node.name for node in plan.nodes}
    judged = []
    for result in results:
        elsewhere = nodes.difference(node.name for node in heads[result.head].nodes)
        judged.append(
            replace(
                result,
                expected=result.expected if result.verdict == worst else None,
                findings=(*result.findings, *(f for f in found if f.where not in elsewhere)),
            )
        )
    return FlowReport(tuple(judged), plan.seed, interrupted)


def _collected(
    heads: Mapping[str | None, Plan], options: FlowOptions, advance: Callable[[], None]
) -> tuple[list[FlowResult], bool]:
    """The results of all heads, or as many as there were until Ctrl-C; and whether that was it."""
    results: list[FlowResult] = []
    try:
        for head, own in heads.items():
            results += _results(own, head, options, advance)
            if any(result.interrupted for result in results):
                return results, True
    except KeyboardInterrupt:
        if not options.partial:
            raise
        return results, True
    return results, False


def _results(
    plan: Plan, head: str | None, options: FlowOptions, advance: Callable[[], None]
) -> Iterator[FlowResult]:
    """From layer to layer, and over time for each recurrent layer."""
    if not recurrent_nodes(plan):
        yield _analysed(plan, head, options, advance)
        return
    if not only_over_time(plan):
        result = _analysed(plan, head, options, advance)
        yield result
        if result.interrupted:
            return
    yield from results_over_time(
        plan,
        head,
        options.threshold,
        options.seeds,
        options.fail_on,
        options.remedies is not False,
        advance,
        partial=options.partial,
    )


def _penalties(plan: Plan) -> list[Finding]:
    """Penalties that outweigh the loss, of a network that can be kept in memory as a whole."""
    if not plan.terms or plan.memory > _WHOLE:
        return []
    model = Model(plan)
    return penalty_smells(model, *model.value_and_grad())


def _analysed(
    plan: Plan, head: str | None, options: FlowOptions, advance: Callable[[], None]
) -> FlowResult:
    structure = structure_of(plan)
    measured = measure(plan, structure)
    signals, interrupted = [measured.signal], False
    try:
        advance()
        for draw in range(1, options.seeds):
            signals.append(measure_signal(plan.replace(seed=plan.seed + draw), structure))
            advance()
    except KeyboardInterrupt:
        if not options.partial:
            raise
        interrupted = True
    totals = [each.total for each in signals]
    total, depth = totals[0], len(measured.layers)
    band = band_of(totals)
    verdict = verdict_of(
        math.nan if any(map(math.isnan, totals)) else total, band, options.threshold
    )
    theory = beside(plan, structure, measured, signals)
    units = list(unit_findings(plan, measured, structure))
    phases = list(phase_findings(plan, structure, measured, verdict, options.threshold))
    cause = cause_of(
        verdict,
        total,
        measured.slope_decades,
        measured.weight_decades,
        dead=any(found.code == "GF103" for found in units),
        phase=phase_of(verdict, phases),
        threshold=options.threshold,
    )
    signal, formats = measured.signal, underflow(measured.signal.entries)
    places = ["the input", *(layer.name for layer in measured.layers)]
    findings = (
        *verdict_finding(plan, measured, verdict, band, cause, options.threshold),
        *units,
        *phases,
        *format_findings(signal.entries, formats, places, plan.dtype, plan.file),
        *other_findings(plan, measured, verdict, options.threshold),
        *theory.findings,
    )
    remedies: tuple[Remedy, ...] = ()
    clipping = None
    untried = False
    if options.remedies is not False and verdict != "healthy" and not interrupted:
        # only networks that need any load what it takes
        from gradcli.analysis.flow.clipping import clipping_of
        from gradcli.analysis.flow.remedies import are_cheap, measured_remedies

        untried = not (options.remedies or are_cheap(plan, options.seeds))
        if not untried:
            tried = measured_remedies(
                plan,
                structure,
                options.seeds,
                options.threshold,
                advance,
                partial=options.partial,
            )
            remedies, interrupted = tried.found, tried.interrupted
        if verdict == "exploding" and plan.memory <= _WHOLE and not interrupted:
            clipping = clipping_of(plan)
    return FlowResult(
        name=plan.name,
        head=head,
        spec=plan.file,
        verdict=verdict,
        depth=depth,
        threshold=options.threshold,
        rate=power_of_ten(total / depth),
        halving_depth=-depth * math.log10(2) / total if total < 0 else None,
        log10_total=total,
        log10_bound=measured.layers[-1].log10_bound,
        log10_rms_product=measured.layers[-1].log10_rms_product,
        log10_input_gradient_norm=measured.signal.norms[0],
        band=band,
        totals=tuple(totals),
        ranges=ranges_of([each.norms for each in signals]),
        layers=theory.layers,
        mean_field=theory.mean_field,
        underflow=formats,
        plain=plain_readings(signal.norms, signal.entries, measured.layers),
        depth_budget=depth_budget(_whole_signal(measured), options.threshold),
        cause=cause,
        remedies=remedies,
        remedies_untried=untried,
        clipping=clipping,
        findings=findings,
        expected=plan.expect.flow,
        fail_on=options.fail_on,
        allow_inconclusive=options.allow_inconclusive,
        interrupted=interrupted,
    )


def _whole_signal(measured: Measured) -> list[float]:
    """The signal from the input on; NaN inside branches, through which only a part of it passes."""
    norms = zip(measured.signal.norms[1:], measured.layers, strict=True)
    return [measured.signal.norms[0], *(n if layer.at_cut else math.nan for n, layer in norms)]


def invalid_flow(spec: str, errors: tuple[Any, ...], seed: int | None = None) -> FlowReport:
    """The report of a spec that cannot be used, with its problems (`SpecProblem`)."""
    return FlowReport((FlowResult(spec, "invalid", spec, errors=errors),), seed)


def memory_needed(plan: Plan) -> int:
    """About how many bytes the analysis holds at a time; far fewer than a deep plan itself.

    Raises UsageError like `analyse_flow`.
    """
    return max(structure_of(own).memory for own in by_head(plan).values())
