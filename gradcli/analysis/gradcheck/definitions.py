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

__all__ = [
    "check_definition",
    "check_functions",
    "claims_nothing",
    "definition_callables",
    "examine_callables",
]


def check_definition(
    definition: Definition, plan: Plan, collector: Collector, required: float
) -> None:
    """Check one definition standing alone.

    Raises SpecError where its function cannot be evaluated at the point of the check.
    """
    options = collector.options
    if claims_nothing(definition):
        message = (
            "no derivative is claimed, so there is nothing to check; its formula's own is used"
        )
        collector.add([finding("GC205", definition.name, message, line=definition.line)])
        return
    if not isinstance(definition, ElementwiseDefinition):
        try:
            callables = definition_callables(definition, plan, options)
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


def claims_nothing(definition: Definition) -> bool:
    """Whether a definition states no gradient, so that there is nothing to check."""
    if isinstance(definition, ElementwiseDefinition):
        return definition.claim is None
    return isinstance(definition, FunctionDefinition) and definition.backward is None


def definition_callables(
    definition: FunctionDefinition | LayerDefinition, plan: Plan, options: CheckOptions
) -> Callables:
    """A definition of whole arrays as callables, at the point of the spec."""
    if isinstance(definition, FunctionDefinition):
        return function_callables(definition, plan.seed, plan.dtype, options)
    # hardly any spec has one
    from gradcli.analysis.gradcheck import layers

    return layers.definition_callables(definition, plan.seed, plan.dtype, options)


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
    # most specs have none
    from gradcli.analysis.gradcheck.beside import beside_kinks
    from gradcli.analysis.gradcheck.function_parts import described
    from gradcli.analysis.gradcheck.straight import straightened

    function = definition if isinstance(definition, FunctionDefinition) else None

    def examined(of: Callables, name: str) -> tuple[TensorResult, list[Finding]]:
        subject = described(of.subject(name), callables, name, function)
        result, findings, _ = _examined(subject, options, required)
        return beside_kinks(callables, name, result, findings, beside)

    def beside(subject: Subject) -> tuple[TensorResult, list[Finding]]:
        result, findings, _ = examine(subject, options, required)
        return result, findings

    with left_as_found():
        broken = broken_contracts(callables)
        if any(found.severity == "error" for found in broken):
            return [], broken
        found = {name: examined(callables, name) for name in callables.wrt}
        unsettled = [name for name, (result, _) in found.items() if result.verdict != "pass"]
        straight = straightened(callables) if unsettled else None
        if straight is not None:
            along, note = straight
            broken.append(note)
            found |= {name: examined(along, name) for name in unsettled}
        breaks = nonlinear(callables, required)
        for name, (result, findings) in found.items():
            if name in breaks:
                found[name] = _nonlinear(result, findings, breaks[name])
            elif all(each.code != "GC003" for each in findings):
                findings += wrong_dtype(callables, name)
    return [result for result, _ in found.values()], [
        *broken,
        *(each for _, findings in found.values() for each in findings),
    ]


def _nonlinear(
    result: TensorResult, findings: list[Finding], broken: Finding
) -> tuple[TensorResult, list[Finding]]:
    """The same with the contract broken, unless what shows in the values names it better."""
    errors = [found for found in findings if found.severity == "error"]
    if any(found.code != "GC100" for found in errors):
        return result, findings
    rest = [found for found in findings if found not in errors]
    return result.replace(verdict="fail"), [*rest, broken]


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
