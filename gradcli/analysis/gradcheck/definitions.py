"""Definitions and functions that a user wrote, with the gradient claimed for them."""

from __future__ import annotations

from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.collect import Collector
from gradcli.analysis.gradcheck.contracts import broken_contracts, nonlinear, wrong_dtype
from gradcli.analysis.gradcheck.crosscheck import cross_check
from gradcli.analysis.gradcheck.elementwise import elementwise_subject
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.functions import function_callables
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import SpecResult, TensorResult
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.generators import left_as_found
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.errors import SpecError, UsageError
from gradcli.spec.plan import (
    Definition,
    ElementwiseDefinition,
    FunctionDefinition,
    LayerDefinition,
    Plan,
)

__all__ = ["check_definition", "check_functions", "examine_callables"]


def check_definition(
    definition: Definition, plan: Plan, collector: Collector, required: float
) -> None:
    """Check one definition standing alone.

    Raises SpecError where its function cannot be evaluated at the point of the check.
    """
    options = collector.options
    if _claims_nothing(definition):
        message = (
            "no derivative is claimed, so there is nothing to check; its formula's own is used"
        )
        collector.add([finding("GC205", definition.name, message, line=definition.line)])
        return
    if not isinstance(definition, ElementwiseDefinition):
        try:
            callables = _callables(definition, plan, options)
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


def _claims_nothing(definition: Definition) -> bool:
    if isinstance(definition, ElementwiseDefinition):
        return definition.claim is None
    return isinstance(definition, FunctionDefinition) and definition.backward is None


def _callables(
    definition: FunctionDefinition | LayerDefinition, plan: Plan, options: CheckOptions
) -> Callables:
    if isinstance(definition, FunctionDefinition):
        return function_callables(definition, plan.seed, plan.dtype, options)
    # hardly any spec has one
    from gradcli.analysis.gradcheck.layers import definition_callables

    return definition_callables(definition, plan.seed, plan.dtype, options)


def _check_callables(
    callables: Callables,
    collector: Collector,
    required: float,
    definition: Definition | None = None,
) -> None:
    """Check one function written by a user."""
    results, findings = examine_callables(callables, collector.options, required, definition)
    # without a result nothing could be examined, since a contract is broken
    collector.broken |= not results
    collector.tensors += results
    collector.add(findings)
    collector.evaluations += callables.evaluations


def examine_callables(
    callables: Callables,
    options: CheckOptions,
    required: float,
    definition: Definition | None = None,
) -> tuple[list[TensorResult], list[Finding]]:
    """Results and findings for a function written by a user, contracts first.

    If it breaks one so that nothing more can be examined there are no results.
    """
    from gradcli.analysis.gradcheck.function_parts import described  # most specs have none

    function = definition if isinstance(definition, FunctionDefinition) else None
    results: list[TensorResult] = []
    with left_as_found():
        all_findings = broken_contracts(callables)
        if any(found.severity == "error" for found in all_findings):
            return results, all_findings
        breaks = nonlinear(callables)
        for name in callables.wrt:
            subject = described(callables.subject(name), callables, name, function)
            result, findings, _ = _examined(subject, options, required)
            if name in breaks:
                # what shows in the values (clipping, say) names the mistake better than this
                errors = [found for found in findings if found.severity == "error"]
                if all(found.code == "GC100" for found in errors):
                    findings = [found for found in findings if found not in errors]
                    findings.append(breaks[name])
                    result = result.replace(verdict="fail")
            if all(found.code != "GC003" for found in findings):
                findings += wrong_dtype(callables, name)
            results.append(result)
            all_findings += findings
    return results, all_findings


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
