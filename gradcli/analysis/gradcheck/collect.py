"""Results and findings as they come in, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import TensorResult
from gradcli.analysis.verdict import Verdict, worst_verdict
from gradcli.diagnostics.finding import Finding

__all__ = ["Collector", "Progress"]

Progress = Callable[[str, float, float], None]
"""(what is being checked, how much is done, how much there is), in multiply-adds."""


class Collector:
    """Results and findings of one spec as they come in."""

    def __init__(self, options: CheckOptions, file: str) -> None:
        self.options = options
        self.file = file
        self.tensors: list[TensorResult] = []
        self.findings: list[Finding] = []
        self.evaluations = 0
        self.broken = False
        self.undecided = False

    def add(self, findings: Iterable[Finding]) -> None:
        self.findings += [found.replace(file=self.file) for found in findings]

    def verdict(self) -> Verdict:
        verdicts: list[Verdict] = [tensor.verdict for tensor in self.tensors]
        if self.broken:
            verdicts.append("fail")
        if self.undecided:
            verdicts.append("inconclusive")
        return worst_verdict(verdicts)

    def meets(self, expected: str) -> bool | None:
        """Whether what was found is what was expected; None where that is undecided.

        A code has to be found, and no error of another code beside it.
        """
        verdict = self.verdict()
        if expected in ("pass", "fail"):
            return None if verdict == "inconclusive" else verdict == expected
        if any(found.code == expected for found in self.findings):
            errors = {found.code for found in self.findings if found.severity == "error"}
            return errors <= {expected}
        return None if verdict == "inconclusive" else False
