"""What a check of a spec looks at, known without running it."""

from __future__ import annotations

from gradcli.analysis.gradcheck.options import check_options
from gradcli.analysis.gradcheck.tensors import tensors_of
from gradcli.core.record import Record
from gradcli.engine.model import INPUTS
from gradcli.spec.plan import Plan

__all__ = ["Listed", "listed", "selectable"]


class Listed(Record):
    """Definitions and tensors that are checked, in their order, each with its line (0 for none).

    `expected` is what the spec expects. `speaks_for_itself` says that whatever is found is found of
    one of these: a layer in Python can also be wrong in what it does beside its gradients.
    """

    lines: tuple[tuple[str, int], ...]
    expected: str
    speaks_for_itself: bool
    self_test: bool


def listed(plan: Plan) -> Listed:
    """What `check_plan` checks of a plan with the options of its `check:` section.

    Raises UsageError where these do not go together.
    """
    options = check_options(plan.sections.get("check", {}), plan.seed)
    lines = {d.name: d.line for d in plan.definitions if options.selects(d.name, "definition")}
    found = list(lines.items())
    if plan.losses or plan.terms:
        for name, _ in tensors_of(plan.parameters, options):
            parameter = plan.parameters.get(name)
            found.append((name, 0 if parameter is None else parameter.line))
    opaque = any(node.op.opaque for node in plan.nodes)
    expected = plan.expect.check or "pass"
    alone = bool(found) and not opaque and not options.in_vain(selectable(plan))
    return Listed(tuple(found), expected, alone, options.self_test)


def selectable(plan: Plan) -> list[str]:
    """The names by which something is checked."""
    definitions = [definition.name for definition in plan.definitions]
    if not (plan.losses or plan.terms):
        return definitions
    layers = [node.name for node in plan.nodes if node.op.opaque]
    return [*definitions, *plan.parameters, INPUTS, *layers]
