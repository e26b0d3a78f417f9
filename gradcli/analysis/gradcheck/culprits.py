"""Where a wrong gradient comes from: each node's pullback alone, at its operating point.

Parts that fail alone are culprits. A tensor that is wrong although no culprit computes its
gradient is wrong as their consequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.parts import COTANGENT, Part, parts_of, weighting_name
from gradcli.analysis.gradcheck.row_gradients import rows_of_node
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.analysis.gradcheck.truth import Truth
from gradcli.core.op import Op
from gradcli.core.record import Record
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.model import INPUTS, Model, generator
from gradcli.engine.network import Network
from gradcli.spec.plan import NodePlan, TermPlan

__all__ = [
    "Culprit",
    "Culprits",
    "Judge",
    "Judgement",
    "explain_failures",
    "find_culprits",
]


_SMALL = ("GC112", "GC113")  # what is off within the grade
_NOT_LINEAR = "the cotangent that it passes back is not linear in the one it is given"
_NONLINEAR = 0.01  # relative gap that is not what a rough or rounded pullback leaves


@dataclass(frozen=True)
class Culprit:
    """A node, loss, weighting or term whose own pullback is wrong.

    `operands` are the network's tensors whose gradient it makes wrong itself; `upstream` is whether
    what it passes on to its inputs is wrong, and with it everything before.
    """

    name: str
    op: Op
    operands: frozenset[str]
    upstream: bool
    findings: tuple[Finding, ...]

    def accounts_for(self, name: str, network: Network) -> bool:
        """Whether a tensor's gradient is made, or was passed on, by what is wrong here."""
        return name in self.operands or (self.upstream and self.name in _behind(network, name))


class Judgement(Record):
    """One part as a culprit: with what is proven wrong, and with what is off within the grade."""

    proven: Culprit | None
    small: Culprit | None


class Culprits(Record):
    """The parts of a network that are proven wrong alone, and those off within the grade."""

    proven: list[Culprit]
    small: list[Culprit]


class Judge:
    """One part of a network under check, whatever op stands in its place.

    The truth of it is worked out once: it is that of the forward, which other ops share. It is kept
    in more detail where a part will be judged `often`.
    """

    def __init__(
        self, part: Part, options: CheckOptions, required: float, *, often: bool = False
    ) -> None:
        self._often = often
        self.part = part
        wrt = "parameters" if isinstance(part.plan, TermPlan) else "all"
        self._options = options.replace(only=(), skip=(), wrt=wrt, entries=None)
        self._required = required
        self._truth: Truth | None = None

    def judged(self, op: Op | None = None) -> Judgement:
        """What is wrong with the part's own pullback, or with that of an op of the same forward."""
        part = self.part
        alone = part.alone if op is None else part.alone_with(op)
        truth = self._truth
        if truth is not None and not truth.serves(alone):
            truth = None
        network = NetworkTensors(alone, self._options, truth)
        if self._truth is None:
            self._truth = network.truth
            if self._often:
                self._truth.remember_ladders()
        proven: dict[str, list[Finding]] = {}
        small: dict[str, list[Finding]] = {}
        for tensor, kind in network.names():
            subject = self._described(network.subject(tensor, kind), alone)
            result, findings, _ = examine(subject, self._options, self._required)
            if result.verdict == "fail":
                found = [f for f in findings if f.severity == "error"]
                if all(f.code == "GC100" for f in found) and self._is_nonlinear(alone, tensor):
                    found = [finding("GC001", tensor, _NOT_LINEAR)]
                proven[tensor] = found
            elif any(f.code in _SMALL for f in findings):
                small[tensor] = [f for f in findings if f.code in _SMALL]
        return Judgement(self._culprit(proven, op), self._culprit(small, op))

    def _culprit(self, found: Mapping[str, list[Finding]], op: Op | None) -> Culprit | None:
        if not found:
            return None
        part = self.part
        return Culprit(
            part.name,
            op or part.op,
            frozenset(part.operands[tensor] for tensor in found),
            not part.inputs.isdisjoint(found),
            tuple(self._own(tensor, each) for tensor, own in found.items() for each in own),
        )

    def _described(self, subject: Subject, alone: Model) -> Subject:
        """The subject with what is known of the inside of its part."""
        if isinstance(self.part.plan, NodePlan):
            subject = subject.replace(by_row=rows_of_node(alone, subject.name, self._options.seed))
        return subject

    def _is_nonlinear(self, alone: Model, tensor: str) -> bool:
        """Whether what a node passes back for g - 2h is not that for g less twice that for h."""
        if not isinstance(self.part.plan, NodePlan):
            return False
        g = alone.targets[COTANGENT]
        rng = generator(self._options.seed, f"other cotangent of {self.part.name}")
        h = rng.standard_normal(g.shape).astype(g.dtype)
        of_g, of_h, of_both = (
            alone.with_targets({COTANGENT: each}).value_and_grad()[1][tensor].astype(float)
            for each in (g, h, g - 2 * h)
        )
        size = max(np.abs(of_g).max(initial=0.0), np.abs(of_h).max(initial=0.0))
        gap = np.abs(of_both - (of_g - 2 * of_h)).max(initial=0.0)
        return bool(gap > _NONLINEAR * size)

    def _own(self, tensor: str, found: Finding) -> Finding:
        part = self.part
        operand = "its input" if tensor == INPUTS else tensor
        data = {**found.data, "op": part.op.name, "operand": tensor}
        if found.code == "GC103" and tensor in part.shared:
            to = part.operands[tensor]
            message = f"its contribution to the gradient of {to} is missing: what it passes on"
            data |= {"missing": part.name, "to": to}
            found = finding("GC111", part.name, f"{message} to {operand} is zero in all entries")
        else:
            message = f"{part.op.name}'s own pullback, with respect to {operand}: {found.message}"
            found = found.replace(where=part.name, message=message)
        return found.replace(line=part.plan.line, data=data, severity="error")


def find_culprits(
    model: Model, options: CheckOptions, required: float, known: Sequence[Culprit] = ()
) -> Culprits:
    """Every part of a network whose pullback alone is wrong, or is `known` to be."""
    named = {culprit.name: Judgement(culprit, None) for culprit in known}
    judged = [
        named.get(part.name) or Judge(part, options, required).judged()
        for part in parts_of(model, options.seed)
    ]
    return Culprits(
        [each.proven for each in judged if each.proven is not None],
        [each.small for each in judged if each.small is not None],
    )


def explain_failures(
    model: Model, culprits: list[Culprit], failures: Mapping[str, list[Finding]]
) -> list[Finding]:
    """Findings of failing tensors, consequences marked as such, after those of the culprits."""
    findings = [found for culprit in culprits for found in culprit.findings]
    for name, own in failures.items():
        if any(name in culprit.operands for culprit in culprits):
            continue
        causes = [c.name for c in culprits if c.accounts_for(name, model.network)]
        if not causes:
            findings += own
            continue
        names = " and ".join(causes) if len(causes) < 3 else f"{len(causes)} nodes behind it"
        message = f"wrong only because the gradient passes through {names}"
        line = own[0].line if own else 0
        findings.append(finding("GC204", name, message, line=line, data={"culprits": causes}))
    return findings


def _behind(network: Network, name: str) -> set[str]:
    """The parts that a tensor's gradient has passed through when it reaches its reader."""
    reached = network.downstream([0]) if name == INPUTS else network.downstream([], [name])
    slots = {index + 1 for index in reached} | ({0} if name == INPUTS else set())
    behind = {
        network.nodes[index].name
        for index in reached
        if slots.intersection(network.nodes[index].inputs)
    }
    for loss in network.plan.losses:
        if loss.slot in slots:
            behind |= {loss.name, weighting_name(loss)}
    return behind
