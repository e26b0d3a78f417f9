"""The gradient check of one spec: its definitions standing alone, then the network's tensors."""

from __future__ import annotations

from gradcli.analysis.gradcheck.collect import Collector, Progress
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.kinks import SettledKink
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import SpecResult
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.analysis.verdict import Verdict
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.model import Model
from gradcli.spec.plan import ElementwiseDefinition, Plan

__all__ = ["check_plan"]


def check_plan(
    plan: Plan,
    options: CheckOptions,
    progress: Progress | None = None,
    model: Model | None = None,
) -> SpecResult:
    """Check everything that a spec holds, at its own point or at that of a `model` of it.

    Raises SpecError where the spec's functions or its loss are not finite numbers at that point.
    """
    collector = Collector(options, plan.file)
    required = options.threshold(plan.dtype)
    definitions = [d for d in plan.definitions if options.selects(d.name, "definition")]
    network = NetworkTensors(model or Model(plan), options) if plan.losses else None
    names = [] if network is None else network.names()
    total, done = len(definitions) + len(names), 0
    if definitions:
        # most specs have none, and start faster without what it takes to check them
        from gradcli.analysis.gradcheck.definitions import check_definition

        for definition in definitions:
            if progress:
                progress(definition.name, done, total)
            check_definition(definition, plan, collector, required)
            done += 1
    network_verdicts: list[Verdict] = []
    if network is not None:
        collector.add(map(_kink_note, network.kinks))
        for name, kind in names:
            if progress:
                progress(name, done, total)
            result, findings, _ = examine(network.subject(name, kind), options, required)
            collector.tensors.append(result)
            network_verdicts.append(result.verdict)
            collector.add(findings)
            done += 1
        collector.evaluations += network.point.evaluations
    if progress:
        progress("", done, total)
    return _result(plan, collector, required, network, network_verdicts)


def _result(
    plan: Plan,
    collector: Collector,
    required: float,
    network: NetworkTensors | None,
    network_verdicts: list[Verdict],
) -> SpecResult:
    verdict = collector.verdict()
    expected = plan.expect.check or "pass"
    return SpecResult(
        spec=plan.file,
        name=plan.name,
        verdict=verdict,
        expected=expected,
        met=collector.meets(expected),
        loss=None if network is None else network.loss,
        seed=plan.seed,
        required=required,
        tensors=tuple(collector.tensors),
        findings=tuple(collector.findings),
        evaluations=collector.evaluations,
        builtin_wrong="fail" in network_verdicts and not _uses_definitions(plan),
        strict=collector.options.strict,
        allow_inconclusive=collector.options.allow_inconclusive,
    )


def _uses_definitions(plan: Plan) -> bool:
    own = {id(d.op) for d in plan.definitions if isinstance(d, ElementwiseDefinition)}
    return any(id(node.op) in own for node in plan.nodes) or any(
        id(loss.op) in own for loss in plan.losses
    )


def _kink_note(kink: SettledKink) -> Finding:
    first = [int(i) for i in kink.units[0]]
    count = len(kink.units)
    return finding(
        "GC201",
        kink.where,
        f"{count} {'unit sits' if count == 1 else 'units sit'} exactly at a kink (the first in row "
        f"{first[0]}, unit {first[1:] if len(first) > 2 else first[-1]}); the slope chosen is "
        "between the one-sided ones and everything before it was compared with that slope",
        line=kink.line,
        data={"units": [[int(i) for i in unit] for unit in kink.units[:32]], "count": count},
    )
