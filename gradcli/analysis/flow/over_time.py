"""A recurrent layer as a network over time: how the gradient fares from its last step to its first.

The cotangent of the last state alone is followed back, so that what is measured is the product of
the steps' Jacobians (Pascanu, Mikolov, Bengio 2013), whatever later layers make of other steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gradcli.analysis.flow.findings import blame, why_undetermined
from gradcli.analysis.flow.formats import format_findings, plain_readings, underflow
from gradcli.analysis.flow.gates import KEEPING, gates_of
from gradcli.analysis.flow.report import (
    Cause,
    FlowResult,
    Gate,
    LayerFlow,
    Recurrence,
    power_of_ten,
)
from gradcli.analysis.flow.verdict import band_of, cause_of, depth_budget, ranges_of, verdict_of
from gradcli.core.arrays import Array
from gradcli.core.steps import Step, record_steps
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.model import Model
from gradcli.spec.plan import Plan

if TYPE_CHECKING:
    from gradcli.analysis.flow.remedies import Remedies

__all__ = ["only_over_time", "recurrent_nodes", "results_over_time"]


def recurrent_nodes(plan: Plan) -> list[int]:
    """The nodes of a network that hand a state on from step to step."""
    return [
        index
        for index, node in enumerate(plan.nodes)
        if node.op.layer_traits(node.options).recurs is not None
    ]


def only_over_time(plan: Plan) -> bool:
    """Whether there is nothing to measure from layer to layer: one recurrent layer and a head."""
    mixing = [node for node in plan.nodes if node.op.layer_traits(node.options).mixing is not None]
    recurrent = recurrent_nodes(plan)
    return len(recurrent) == 1 and len(mixing) <= 2 and plan.nodes[recurrent[0]] is mixing[0]


def results_over_time(
    plan: Plan,
    head: str | None,
    threshold: float,
    seeds: int,
    fail_on: tuple[str, ...],
    remedies: bool,
    advance: Callable[[], None],
    *,
    partial: bool = False,
) -> Iterator[FlowResult]:
    """A result for each recurrent layer; `advance()` is called after each draw but the first.

    With `partial`, Ctrl-C ends it with what is known, if the first draw is.
    """
    nodes = recurrent_nodes(plan)
    if not nodes:
        return
    draws: list[list[_OverTime]] = []
    interrupted = False
    try:
        for draw in range(seeds):
            model = Model(plan.replace(seed=plan.seed + draw) if draw else plan)
            draws.append([_OverTime(model, index) for index in nodes])
            if draw:
                advance()
    except KeyboardInterrupt:
        if not (partial and draws):
            raise
        interrupted = True
    for index, runs in zip(nodes, zip(*draws, strict=True), strict=True):
        node = plan.nodes[index]
        alone = only_over_time(plan)
        name = plan.name if alone else f"{plan.name}, {node.name} over time"
        result = _result(runs, name, head, plan, threshold, fail_on, expects=alone)
        if remedies and result.verdict != "healthy" and not interrupted:
            tried = _remedies(plan, index, seeds, threshold, advance, partial)
            result = replace(result, remedies=tried.found)
            interrupted = tried.interrupted
        yield replace(result, interrupted=interrupted)


def _remedies(
    plan: Plan,
    index: int,
    seeds: int,
    threshold: float,
    advance: Callable[[], None],
    partial: bool,
) -> Remedies:
    # only networks that need any load what it takes
    from gradcli.analysis.flow.remedies import measured
    from gradcli.analysis.flow.remedies_over_time import changes_over_time

    def total_of(changed: Plan) -> float:
        return _OverTime(Model(changed), index).total

    changes = changes_over_time(plan, index)
    return measured(changes, total_of, seeds, threshold, advance, partial=partial)


class _OverTime:
    """One recurrent layer of one model, run and followed back."""

    def __init__(self, model: Model, index: int) -> None:
        node = model.plan.nodes[index]
        self.node = node
        self.dtype = model.dtype
        trace = model.forward()
        with np.errstate(all="ignore"):
            seeds, _ = model.network.loss(trace.slots, model.parameters).pullback()
            cotangents, _ = model.network.backward(trace, seeds)
            g = cotangents.get(index + 1, np.zeros_like(trace.slots[index + 1]))
            own = {local: model.parameters[full] for local, full in node.parameters.items()}
            x = trace.slots[node.inputs[0]]
            with record_steps() as steps:
                _, pull = node.op.evaluate((x,), own, node.rank, node.options)
                pull(_last_alone(g, x))
        self.steps: list[Step] = steps
        traits = node.op.layer_traits(node.options)
        assert traits.recurs is not None
        self.weight: Array = own[traits.recurs].astype(float)
        self.norms = [_log10_norm(step.cotangent) for step in steps]

    @property
    def width(self) -> int:
        return int(self.steps[0].state.shape[-1])

    @property
    def total(self) -> float:
        """log10 of the gradient at the first state to that at the last."""
        return self.norms[0] - self.norms[-1]


def _last_alone(g: Array, x: Array) -> Array:
    """The cotangent of the output, of the last step alone; ones where the loss has none for it."""
    if g.ndim < x.ndim:
        return g if g.any() else np.ones_like(g)
    last = np.zeros_like(g)
    last[..., -1, :] = g[..., -1, :] if g[..., -1, :].any() else 1.0
    return last


def _log10_norm(values: Array) -> float:
    largest = float(np.abs(values).max(initial=0.0))
    if not math.isfinite(largest):
        return math.nan
    if largest == 0:
        return -math.inf
    return math.log10(largest) + math.log10(float(np.linalg.norm(values.astype(float) / largest)))


@dataclass(frozen=True)
class _Factor:
    """What one step can multiply a gradient by, in decades: at the most, and usually."""

    bound: float
    product: float


def _factor(step: Step, spectral: float, rms: float) -> _Factor:
    if not step.slope.size:
        return _Factor(math.nan, math.nan)
    slope = np.abs(step.slope.astype(float))
    return _Factor(
        _log10(spectral * float(slope.max())),
        _log10(rms * float(np.sqrt(np.mean(slope**2)))),
    )


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def _result(
    runs: tuple[_OverTime, ...],
    name: str,
    head: str | None,
    plan: Plan,
    threshold: float,
    fail_on: tuple[str, ...],
    *,
    expects: bool,
) -> FlowResult:
    run = runs[0]
    totals = tuple(each.total for each in runs)
    total, depth = totals[0], len(run.steps) - 1
    band = band_of(totals)
    verdict = verdict_of(math.nan if any(map(math.isnan, totals)) else total, band, threshold)
    spectral = float(np.linalg.norm(run.weight, 2))
    rms = float(np.linalg.norm(run.weight)) / math.sqrt(len(run.weight))
    layers = tuple(_rows(run, spectral, rms))
    gates = gates_of(run.steps)
    slopes = [_log10(layer.slope_rms) for layer in layers[1:] if not math.isnan(layer.slope_rms)]
    weights = depth * _log10(rms) if slopes else 0.0
    cause = cause_of(verdict, total, math.fsum(slopes), weights)
    if cause is not None and gates and verdict == "vanishing":
        cause = replace(cause, name="gates")
    recurrence = Recurrence(spectral, _steepest(run), gates)
    entries = [norm - math.log10(run.steps[0].cotangent.size) / 2 for norm in run.norms]
    formats = underflow(entries)
    places = [layer.name for layer in layers]
    return FlowResult(
        name=name,
        head=head,
        spec=plan.file,
        verdict=verdict,
        depth=depth,
        threshold=threshold,
        rate=power_of_ten(total / depth) if depth else math.nan,
        halving_depth=-depth * math.log10(2) / total if total < 0 else None,
        log10_total=total,
        log10_bound=layers[-1].log10_bound,
        log10_rms_product=layers[-1].log10_rms_product,
        log10_input_gradient_norm=run.norms[0],
        band=band,
        totals=totals,
        ranges=ranges_of([each.norms for each in runs]),
        layers=layers[1:],
        underflow=formats,
        plain=plain_readings(run.norms, entries, layers),
        depth_budget=depth_budget(run.norms, threshold),
        cause=cause,
        recurrence=recurrence,
        findings=(
            *_findings(plan, run, gates, total, depth, verdict, cause, band, threshold),
            *format_findings(entries, formats, places, plan.dtype, plan.file),
        ),
        expected=plan.expect.flow if expects else None,
        fail_on=fail_on,
    )


def _rows(run: _OverTime, spectral: float, rms: float) -> Iterator[LayerFlow]:
    """A row for each step; the products run from the first state on."""
    bound = product = 0.0
    for number, (step, norm) in enumerate(zip(run.steps, run.norms, strict=True), 1):
        factor = _factor(step, spectral, rms) if number > 1 else _Factor(0.0, 0.0)
        bound, product = bound + factor.bound, product + factor.product
        slope = np.abs(step.slope.astype(float))
        before = run.norms[number - 2] if number > 1 else math.nan
        yield LayerFlow(
            index=number,
            name=f"step {number}",
            op=run.node.op.name,
            activation=None,
            width=run.width,
            weight_norm=spectral,
            slope_max=float(slope.max()) if slope.size else math.nan,
            slope_rms=float(np.sqrt(np.mean(slope**2))) if slope.size else math.nan,
            activation_rms=float(np.sqrt(np.mean(step.state.astype(float) ** 2))),
            log10_bound=bound,
            log10_rms_product=product,
            log10_gradient_norm=norm,
            log10_weight_gradient_norm=math.nan,
            log10_weight_gradient_ratio=math.nan,
            gain=power_of_ten(before - norm),
            saturated=math.nan,
            dead=math.nan,
        )


def _steepest(run: _OverTime) -> float | None:
    """γ, the largest slope met; None for a layer whose state passes gates."""
    slopes = [float(np.abs(step.slope).max()) for step in run.steps if step.slope.size]
    return max(slopes) if slopes else None


def _findings(
    plan: Plan,
    run: _OverTime,
    gates: tuple[Gate, ...],
    total: float,
    depth: int,
    verdict: str,
    cause: Cause | None,
    band: tuple[float, float] | None,
    threshold: float,
) -> Iterator[Finding]:
    node = run.node
    if verdict == "undetermined":
        reason = why_undetermined(total, band, threshold)
        yield finding("GF108", node.name, reason, file=plan.file, line=node.line)
    if verdict not in ("vanishing", "exploding"):
        return
    code = "GF101" if verdict == "vanishing" else "GF102"
    does = "shrinks" if total < 0 else "grows"
    size = "to nothing" if math.isinf(total) else f"by {abs(total):.1f} decades"
    message = (
        f"the gradient {does} {size} over {depth} steps back in time, a factor of "
        f"{power_of_ten(total / depth):.3g} a step"
    )
    assert cause is not None
    said = f"{message}; {_blame(cause, run, gates, depth)}"
    data = {"log10_total": total, "cause": cause.to_dict()}
    yield finding(code, node.name, said, file=plan.file, line=node.line, data=data)


def _blame(cause: Cause, run: _OverTime, gates: tuple[Gate, ...], depth: int) -> str:
    keeping = KEEPING.get(run.node.op.name)
    gate = next((gate for gate in gates if gate.name == keeping), None)
    if gate is not None:
        return (
            f"the {gate.name} gates, which hand the state on from step to step, are open by "
            f"{gate.mean:.0%} on average"
        )
    return blame(cause, depth, str(run.node.options.get("activation", "")), "step")
