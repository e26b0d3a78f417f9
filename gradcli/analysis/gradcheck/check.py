"""The gradient check of one spec: its definitions standing alone, then the network's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.analysis.gradcheck.collect import Collector, Progress
from gradcli.analysis.gradcheck.crosscheck import cross_check
from gradcli.analysis.gradcheck.examine import examine
from gradcli.analysis.gradcheck.kinks import SettledKink
from gradcli.analysis.gradcheck.listing import selectable
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import Kind, SpecResult, TensorResult
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.analysis.smells import penalty_smells, smells
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.engine.model import Model
from gradcli.errors import SpecError, SpecProblem, UserCodeError
from gradcli.spec.plan import Definition, ElementwiseDefinition, Plan

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.culprits import Culprit
    from gradcli.analysis.gradcheck.self_test import SelfTestRun

__all__ = ["check_plan"]


@np.errstate(all="ignore")  # what overflows shows in the values, which are judged
def check_plan(
    plan: Plan,
    options: CheckOptions,
    progress: Progress | None = None,
    model: Model | None = None,
    partial: bool = False,
) -> SpecResult:
    """Check everything that a spec holds, at its own point or at that of a `model` of it.

    With `partial`, an interrupt ends the check with what is known by then. Raises SpecError where
    there is nothing to differentiate, or the spec's functions or its loss are not finite numbers.
    """
    if not (plan.definitions or plan.losses or plan.terms):
        message = "there is no loss, and so no gradient to check"
        raise SpecError([SpecProblem("SP008", message, plan.file, key="loss")])
    check = _SpecCheck(plan, options, progress)
    try:
        with _generators_left_alone() if _has_python(plan) else nullcontext():
            check.run(model)
    except KeyboardInterrupt:
        if not partial:
            raise
        check.interrupt()
    except UserCodeError as error:
        raise SpecError([plan.python_problem(error)]) from error
    return check.result()


_DEFINITION = 1e6  # multiply-adds that a definition counts as, in the progress shown


def _has_python(plan: Plan) -> bool:
    return any(node.op.opaque for node in plan.nodes)


def _generators_left_alone() -> AbstractContextManager[None]:
    from gradcli.core.generators import left_as_found

    return left_as_found()


class _SpecCheck:
    """One spec under check: what is known so far, and how to go on."""

    def __init__(self, plan: Plan, options: CheckOptions, progress: Progress | None) -> None:
        self.plan = plan
        self.options = options
        self.collector = Collector(options, plan.file)
        self.required = options.threshold(plan.dtype)
        self.loss: float | None = None
        self.builtin_wrong = False
        self.interrupted = False
        self._judged_all = False
        self.self_test: SelfTestRun | None = None
        self.details: Mapping[str, Any] = {}
        self._progress = progress
        self._at = ""
        self._done = self._total = 0.0
        self._known: tuple[Culprit, ...] = ()

    def run(self, model: Model | None) -> None:
        plan, options = self.plan, self.options
        definitions = [d for d in plan.definitions if options.selects(d.name, "definition")]
        network = None
        if plan.losses or plan.terms:
            network = self._network(model or Model(plan))
        names = [] if network is None else network.names()
        self._total = _DEFINITION * len(definitions) + (0 if network is None else network.work)
        why = ""
        if definitions or names:
            missed = ", ".join(options.in_vain(selectable(plan)))
            why = missed and f"nothing was checked of {missed}: nothing here is called so"
        elif not self.collector.broken:
            why = "nothing was checked: only, skip and wrt leave out everything there is"
        if why:
            self.collector.add([_nothing_checked(plan, why)])
            self.collector.undecided = True
        if definitions:
            # most specs have none, and start faster without what it takes to check them
            from gradcli.analysis.gradcheck.definitions import check_definition

            for definition in definitions:
                self._step(definition.name)
                check_definition(definition, plan, self.collector, self.required)
                self._work(_DEFINITION)
        if network is not None:
            network.truth.point.on_work = self._work
            self._tensors(network, names)
            self.collector.add(smells(plan))
            self.collector.add(penalty_smells(network.model, network.loss, network.gradients))
        if options.order > 1:
            self._second_order(definitions, network, names)
        self._judged_all = True
        if options.self_test:
            from gradcli.analysis.gradcheck.self_test import SelfTestRun  # only where asked for

            results = self.collector.tensors
            self.self_test = SelfTestRun(plan, network, results, options, self.required)
            self.self_test.plant(self._progress)

    def _second_order(
        self,
        definitions: list[Definition],
        network: NetworkTensors | None,
        names: list[tuple[str, Kind]],
    ) -> None:
        """Products with the Hessian, of what is right to first order."""
        from gradcli.analysis.gradcheck.second_order import SecondOrder  # only where asked for

        second = SecondOrder(self.plan, self.collector, self.required)
        if self.collector.verdict() == "fail":
            self.collector.add([second.left_out()])
            return
        for definition in definitions:
            self._step(definition.name)
            second.definition(definition)
        if network is not None and names:
            wrong = second.network(network, names)
            own = any(node.op.opaque for node in self.plan.nodes) or self.plan.definitions
            self.builtin_wrong |= wrong and not own

    def interrupt(self) -> None:
        """Let nothing pass that was not looked at."""
        self.interrupted = True
        if not self._judged_all:
            message = "interrupted: what is not listed was not checked"
            self.collector.add([finding("GC203", self.plan.name, message)])
            self.collector.undecided = True

    def _network(self, model: Model) -> NetworkTensors | None:
        """The network's tensors; None where its layers in Python leave nothing to check."""
        if _has_python(model.plan):
            # hardly any network does
            from gradcli.analysis.gradcheck.layer_contracts import hold_layers

            held = hold_layers(model, self.options, self.required)
            self.collector.add(held.findings)
            self.collector.broken |= any(found.severity == "error" for found in held.findings)
            if held.is_random:
                return None
            model, self._known = held.model, held.culprits
        network = NetworkTensors(model, self.options)
        self.loss = network.loss
        if any(loss.op.details is not None for loss in model.plan.losses):
            slots = model.forward().slots
            self.details = model.network.details(slots, model.parameters)
        return network

    def _step(self, name: str) -> None:
        self._at = name
        self._work(0)

    def _work(self, multiply_adds: float) -> None:
        self._done += multiply_adds
        if self._progress:
            self._progress(self._at, min(self._done, self._total), self._total)

    def _tensors(self, network: NetworkTensors, names: list[tuple[str, Kind]]) -> None:
        self.collector.add(map(_kink_note, network.truth.kinks))
        subjects: list[Subject] = []
        try:
            for name, kind in names:
                self._step(name)
                subjects.append(network.subject(name, kind))
        except KeyboardInterrupt:
            self._judge(network, subjects)  # what is known by now
            raise
        self._judge(network, subjects)

    def _judge(self, network: NetworkTensors, subjects: list[Subject]) -> None:
        results: dict[str, TensorResult] = {}
        findings: dict[str, list[Finding]] = {}
        explained: list[Finding] = []
        try:
            self._examine(subjects, results, findings)
            largest = network.largest if any(r.below_resolution for r in results.values()) else 0.0
            doubtful = {n for n, r in results.items() if r.is_doubtful(largest, self.required)}
            if doubtful or any(result.verdict != "pass" for result in results.values()):
                explained = self._explain(network, results, findings, doubtful)
        finally:  # an interrupt leaves what is known by then
            self.collector.tensors += results.values()
            self.collector.add(found for own in findings.values() for found in own)
            self.collector.add(explained)
            self.collector.evaluations += network.truth.point.evaluations

    def _examine(
        self,
        subjects: list[Subject],
        results: dict[str, TensorResult],
        findings: dict[str, list[Finding]],
    ) -> None:
        disagreements = cross_check(subjects, self.required, self.options.seed)
        for subject in subjects:
            name = subject.name
            self._step(name)
            results[name], findings[name], _ = examine(
                subject, self.options, self.required, disagreements.get(name)
            )

    def _explain(
        self,
        network: NetworkTensors,
        results: dict[str, TensorResult],
        findings: dict[str, list[Finding]],
        doubtful: set[str],
    ) -> list[Finding]:
        """Find the parts that make tensors wrong, and whether an op of gradcli itself is one.

        A `doubtful` tensor is wrong if a part that is proven wrong accounts for it: alone, where
        nothing drowns it, a part can be judged by real differences. Where none does, it has not
        passed either if it is drowned. What is said of it, and the errors of failing tensors, are
        taken from the findings.
        """
        # loaded only here, since hardly any check gets this far
        from gradcli.analysis.gradcheck.culprits import explain_failures, find_culprits

        plan, model = self.plan, network.model
        found = find_culprits(model, self.options, self.required, self._known)
        failures: dict[str, list[Finding]] = {}
        for name, result in results.items():
            causes = (each for each in found.proven if name in doubtful)
            if any(cause.accounts_for(name, model.network) for cause in causes):
                results[name] = result.replace(verdict="fail")
                findings[name] = [each for each in findings[name] if each.code != "GC203"]
            elif name in doubtful and network.is_drowned(result):
                results[name] = result.replace(verdict="inconclusive")
                findings[name].append(_drowned(result))
            if results[name].verdict == "fail":
                failures[name] = [each for each in findings[name] if each.severity == "error"]
                findings[name] = [each for each in findings[name] if each.severity != "error"]
        if not failures:
            return []
        culprits = found.proven or found.small
        own = {id(d.op) for d in plan.definitions if isinstance(d, ElementwiseDefinition)}
        own |= {id(node.op) for node in model.plan.nodes if node.op.opaque}
        builtin = [id(culprit.op) not in own for culprit in culprits]
        if not culprits:
            used = [*(node.op for node in model.plan.nodes), *(loss.op for loss in plan.losses)]
            builtin = [not any(id(op) in own for op in used)]
        self.builtin_wrong = any(builtin)
        return explain_failures(model, culprits, failures)

    def result(self) -> SpecResult:
        plan, options, collector = self.plan, self.options, self.collector
        expected = plan.expect.check or "pass"
        return SpecResult(
            spec=plan.file,
            name=plan.name,
            verdict=collector.verdict(),
            expected=expected,
            met=collector.meets(expected),
            loss=self.loss,
            seed=plan.seed,
            required=self.required,
            tensors=tuple(collector.tensors),
            findings=tuple(collector.findings),
            evaluations=collector.evaluations,
            builtin_wrong=self.builtin_wrong,
            strict=options.strict,
            allow_inconclusive=options.allow_inconclusive,
            interrupted=self.interrupted,
            self_test=None if self.self_test is None else self.self_test.report(),
            details=self.details,
        )


def _nothing_checked(plan: Plan, why: str) -> Finding:
    known = selectable(plan)
    listed = ", ".join([*known[:8], *(["..."] if len(known) > 8 else [])])
    return finding("GC203", plan.name, f"{why} ({listed})")


def _drowned(result: TensorResult) -> Finding:
    message = (
        f"the claim is off by {result.below_resolution_error:.2g} and moves by more than that when "
        "what it is computed from moves by its last digits: right or wrong, it cannot be told"
    )
    return finding("GC203", result.name, message, line=result.line)


def _kink_note(kink: SettledKink) -> Finding:
    first = [int(i) for i in kink.units[0]]
    count = len(kink.units)
    what, place = "unit", f"in row {first[0]}, unit {first[1:] if len(first) > 2 else first[-1]}"
    if len(first) == 1:
        what, place = "value", f"number {first[0]}"
    return finding(
        "GC201",
        kink.where,
        f"{count} {f'{what} sits' if count == 1 else f'{what}s sit'} exactly at a kink (the first "
        f"{place}); the slope chosen is between the one-sided ones and everything before it was "
        "compared with that slope",
        line=kink.line,
        data={"units": [[int(i) for i in unit] for unit in kink.units[:32]], "count": count},
    )
