"""The self-test: a mistake of each kind in each pullback of a spec, to see that it is caught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcli.analysis.gradcheck.collect import Progress
from gradcli.analysis.gradcheck.definitions import claims_nothing
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import TensorResult
from gradcli.analysis.gradcheck.self_test_definitions import definition_mutants
from gradcli.analysis.gradcheck.self_test_network import NetworkSelfTest
from gradcli.analysis.gradcheck.self_test_report import Mutant, SelfTest
from gradcli.analysis.gradcheck.tensors import NetworkTensors
from gradcli.spec.plan import Definition, Plan

__all__ = ["SelfTestRun"]


class SelfTestRun:
    """What mistakes can be planted in, after a check with these `results`.

    What fails already is left out: there a mistake more would show nothing.
    """

    def __init__(
        self,
        plan: Plan,
        network: NetworkTensors | None,
        results: Sequence[TensorResult],
        options: CheckOptions,
        required: float,
    ) -> None:
        self._plan = plan
        self._options = options
        self._required = required
        self._mutants: list[Mutant] = []
        self._results = {result.name: result for result in results}
        claimed = [
            definition
            for definition in plan.definitions
            if options.selects(definition.name, "definition") and not claims_nothing(definition)
        ]
        self._definitions = [each for each in claimed if self._passes(each)]
        self.left_out = tuple(each.name for each in claimed if each not in self._definitions)
        self._network = network
        if network is not None:
            verdicts = [self._results[name].verdict for name, _ in network.names()]
            if "fail" in verdicts:
                self._network = None
                self.left_out += ("the network",)

    def _passes(self, definition: Definition) -> bool:
        name = definition.name
        own = [r for r in self._results.values() if r.name.partition(".")[0] == name]
        own = [result for result in own if result.kind == "definition"]
        return bool(own) and all(each.checked and each.verdict != "fail" for each in own)

    def plant(self, progress: Progress | None) -> None:
        """Try every mistake in every place, one after the other."""
        places: list[tuple[str, Iterator[Mutant]]] = [
            (each.name, definition_mutants(each, self._plan, self._options, self._required))
            for each in self._definitions
        ]
        if self._network is not None:
            self._network.truth.point.on_work = None  # progress is by places now
            places += NetworkSelfTest(self._network, self._results, self._required).places()
        for done, (name, mutants) in enumerate(places):
            for mutant in mutants:
                self._mutants.append(mutant)
                if progress is not None:
                    progress(f"self-test of {name}", done, len(places))

    def report(self) -> SelfTest:
        """What became of the mistakes planted by now."""
        return SelfTest(tuple(self._mutants), self.left_out)
