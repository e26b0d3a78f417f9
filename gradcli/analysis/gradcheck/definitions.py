"""Definitions and functions that a user wrote, with the gradient claimed for them."""

from __future__ import annotations

from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.collect import Collector
from gradcli.analysis.gradcheck.contracts import broken_contracts, nonlinear, wrong_dtype
from gradcli.analysis.gradcheck.crosscheck import cross_check
from gradcli.analysis.gradcheck.elementwise import elementwise_subject
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.functions import function_callables
from gradcli.analysis.gradcheck.generators import left_as_found
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import SpecResult, TensorResult
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.errors import SpecError, UsageError
from gradcli.spec.plan import Definition, ElementwiseDefinition, FunctionDefinition, Plan

__all__ = ["check_definition", "check_functions"]


def check_definition(
    definition: Definition, plan: Plan, collector: Collector, required: float
) -> None:
    """Check one definition standing alone.

    Raises SpecError where its function cannot be evaluated at the point of the check.
    """
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
        try:
            callables = function_callables(definition, plan.seed, plan.dtype, options)
            _check_callables(callables, collector, required, definition)
        except UsageError as error:
            problem = plan.problem("SP021", str(error), definition.line)
            raise SpecError([problem]) from error
        return
    subject, outside = elementwise_subject(definition, options)
    result, findings, evaluations = _examined(subject, options, required)
    collector.evaluations += evaluations + 2 * len(subject.x)
    if not result.checked:
        result = result.replace(verdict="inconclusive", vacuous=False)
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


def _examined(
    subject: Subject, options: CheckOptions, required: float
) -> tuple[TensorResult, list[Finding], int]:
    """Examine a subject that stands alone, its oracles compared before."""
    disagreement = cross_check([subject], required, options.seed).get(subject.name)
    return examine(subject, options, required, disagreement)


def _check_callables(
    callables: Callables,
    collector: Collector,
    required: float,
    definition: FunctionDefinition | None = None,
) -> None:
    """Check one function written by a user, contracts first."""
    with left_as_found():
        _hold_to_contracts(callables, collector, required, definition)
    collector.evaluations += callables.evaluations


def _hold_to_contracts(
    callables: Callables,
    collector: Collector,
    required: float,
    definition: FunctionDefinition | None,
) -> None:
    from gradcli.analysis.gradcheck.function_parts import described  # most specs have none

    broken = broken_contracts(callables)
    collector.add(broken)
    if any(found.severity == "error" for found in broken):
        collector.broken = True
    else:
        breaks = nonlinear(callables)
        for name in callables.wrt:
            subject = described(callables.subject(name), callables, name, definition)
            result, findings, _ = _examined(subject, collector.options, required)
            if name in breaks:
                # what shows in the values (clipping, say) names the mistake better than this
                errors = [found for found in findings if found.severity == "error"]
                if all(found.code == "GC100" for found in errors):
                    findings = [found for found in findings if found not in errors]
                    findings.append(breaks[name])
                    result = result.replace(verdict="fail")
            if all(found.code != "GC003" for found in findings):
                findings += wrong_dtype(callables, name)
            collector.tensors.append(result)
            collector.add(findings)


def check_functions(
    callables: Callables, options: CheckOptions, required: float, name: str
) -> SpecResult:
    """A result like a spec's for one function called from Python."""
    collector = Collector(options, "")
    _check_callables(callables, collector, required)
    verdict = collector.verdict()
    return SpecResult(
        spec="",
        name=name,
        verdict=verdict,
        met=collector.meets("pass"),
        required=required,
        tensors=tuple(collector.tensors),
        findings=tuple(collector.findings),
        evaluations=collector.evaluations,
        strict=options.strict,
        allow_inconclusive=options.allow_inconclusive,
    )
