"""The gradient check of one spec: its definitions standing alone, then the network's tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.elementwise import elementwise_subject
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.functions import function_callables
from gradcli.analysis.gradcheck.kinks import SettledKink
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import SpecResult, TensorResult
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.analysis.verdict import Verdict, worst_verdict
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.model import Model
from gradcli.spec.plan import Definition, ElementwiseDefinition, FunctionDefinition, Plan

__all__ = ["Progress", "check_functions", "check_plan"]

Progress = Callable[[str, int, int], None]
"""(what is being checked, how many tensors are done, how many there are)."""


class _Collector:
    """Results and findings of one spec as they come in."""

    def __init__(self, options: CheckOptions, file: str) -> None:
        self.options = options
        self.file = file
        self.tensors: list[TensorResult] = []
        self.findings: list[Finding] = []
        self.evaluations = 0
        self.broken = False

    def add(self, findings: Iterable[Finding]) -> None:
        self.findings += [replace(found, file=self.file) for found in findings]

    def verdict(self) -> Verdict:
        verdicts: list[Verdict] = [tensor.verdict for tensor in self.tensors]
        if self.broken:
            verdicts.append("fail")
        return worst_verdict(verdicts)


def check_plan(
    plan: Plan,
    options: CheckOptions,
    progress: Progress | None = None,
    model: Model | None = None,
) -> SpecResult:
    """Check everything that a spec holds, at its own point or at that of a `model` of it.

    Raises UsageError where the spec's own functions cannot run.
    """
    collector = _Collector(options, plan.file)
    required = options.threshold(plan.dtype)
    definitions = [d for d in plan.definitions if options.selects(d.name, "definition")]
    network = NetworkTensors(model or Model(plan), options) if plan.losses else None
    names = [] if network is None else network.names()
    total, done = len(definitions) + len(names), 0
    for definition in definitions:
        if progress:
            progress(definition.name, done, total)
        _check_definition(definition, plan, collector, required)
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
    collector: _Collector,
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
        met=_met(expected, verdict, collector.findings),
        loss=None if network is None else network.loss,
        required=required,
        tensors=tuple(collector.tensors),
        findings=tuple(collector.findings),
        evaluations=collector.evaluations,
        builtin_wrong="fail" in network_verdicts and not _uses_definitions(plan),
        strict=collector.options.strict,
        allow_inconclusive=collector.options.allow_inconclusive,
    )


def _met(expected: str, verdict: Verdict, findings: list[Finding]) -> bool | None:
    if expected in ("pass", "fail"):
        return None if verdict == "inconclusive" else verdict == expected
    if any(found.code == expected for found in findings):
        return True
    return None if verdict == "inconclusive" else False


def _uses_definitions(plan: Plan) -> bool:
    own = {id(d.op) for d in plan.definitions if isinstance(d, ElementwiseDefinition)}
    return any(id(node.op) in own for node in plan.nodes) or any(
        id(loss.op) in own for loss in plan.losses
    )


def _check_definition(
    definition: Definition, plan: Plan, collector: _Collector, required: float
) -> None:
    options = collector.options
    claim = (
        definition.claim if isinstance(definition, ElementwiseDefinition) else definition.backward
    )
    if claim is None:
        message = (
            "no derivative is claimed, so there is nothing to check; its formula's own is used"
        )
        collector.add([finding("GC205", definition.name, message, line=definition.line)])
        return
    if isinstance(definition, FunctionDefinition):
        callables = function_callables(definition, plan.seed, plan.dtype, options)
        _check_callables(callables, collector, required)
        return
    subject, outside = elementwise_subject(definition, options)
    result, findings, evaluations = examine(subject, options, required)
    collector.evaluations += evaluations + 2 * len(subject.x)
    if not result.checked:
        result = replace(result, verdict="inconclusive", vacuous=False)
        message = "no point of the grid lies where the formula and its slope are finite"
        findings = [finding("GC203", definition.name, message, line=definition.line)]
    elif outside:
        message = (
            f"{outside} points of the grid were left out: the formula or its slope is not finite"
        )
        findings.append(
            finding("GC203", definition.name, message, severity="note", line=definition.line)
        )
    collector.tensors.append(result)
    collector.add(findings)


def _check_callables(callables: Callables, collector: _Collector, required: float) -> None:
    """Check one function written by a user, contracts first."""
    broken = callables.prepare()
    collector.add(broken)
    if broken:
        collector.broken = True
    else:
        for name in callables.wrt:
            subject = callables.subject(name)
            result, findings, _ = examine(subject, collector.options, required)
            collector.tensors.append(result)
            collector.add(findings)
    collector.evaluations += callables.evaluations


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


def check_functions(
    callables: Callables, options: CheckOptions, required: float, name: str
) -> SpecResult:
    """A result like a spec's for one function called from Python."""
    collector = _Collector(options, "")
    _check_callables(callables, collector, required)
    verdict = collector.verdict()
    return SpecResult(
        spec="",
        name=name,
        verdict=verdict,
        met=_met("pass", verdict, collector.findings),
        required=required,
        tensors=tuple(collector.tensors),
        findings=tuple(collector.findings),
        evaluations=collector.evaluations,
        strict=options.strict,
        allow_inconclusive=options.allow_inconclusive,
    )
