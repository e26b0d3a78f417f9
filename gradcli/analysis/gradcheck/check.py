"""The gradient check of one spec: its definitions standing alone, then the network's tensors."""

from __future__ import annotations

from gradcli.analysis.gradcheck.collect import Collector, Progress
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.kinks import SettledKink
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import SpecResult
from gradcli.analysis.gradcheck.tensors import NetworkTensors
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
    builtin_wrong = False
    if network is not None:
        collector.add(map(_kink_note, network.kinks))
        failures: dict[str, list[Finding]] = {}
        for name, kind in names:
            if progress:
                progress(name, done, total)
            result, findings, _ = examine(network.subject(name, kind), options, required)
            collector.tensors.append(result)
            if result.verdict == "fail":
                failures[name] = [found for found in findings if found.severity == "error"]
                findings = [found for found in findings if found.severity != "error"]
            collector.add(findings)
            done += 1
        collector.evaluations += network.point.evaluations
        if failures:
            builtin_wrong = _explain(network.model, failures, collector, required)
    if progress:
        progress("", done, total)
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
        builtin_wrong=builtin_wrong,
        strict=options.strict,
        allow_inconclusive=options.allow_inconclusive,
    )


def _explain(
    model: Model, failures: dict[str, list[Finding]], collector: Collector, required: float
) -> bool:
    """Find the nodes that make tensors wrong; returns whether an op of gradcli itself is one."""
    # loaded only here, since hardly any check gets this far
    from gradcli.analysis.gradcheck.culprits import explain_failures, find_culprits

    plan = model.plan
    culprits = find_culprits(model, collector.options, required)
    collector.add(explain_failures(plan, culprits, failures))
    own = {id(d.op) for d in plan.definitions if isinstance(d, ElementwiseDefinition)}
    ops = [culprit.op for culprit in culprits]
    if not ops:
        ops = [*(node.op for node in plan.nodes), *(loss.op for loss in plan.losses)]
        return not any(id(op) in own for op in ops)
    return any(id(op) not in own for op in ops)


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
