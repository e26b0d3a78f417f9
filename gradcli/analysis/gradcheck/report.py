"""The report of a gradient check: frozen data, drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from gradcli.analysis.in_json import Shape, invalid_result
from gradcli.analysis.verdict import (
    Grade,
    Judged,
    ReportOfResults,
    Verdict,
    envelope,
    worst_verdict,
)
from gradcli.core.record import Record
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode, SpecProblem

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.self_test_report import SelfTest

__all__ = ["CheckReport", "Kind", "SpecResult", "TensorResult", "Worst"]

Kind = Literal["parameter", "input", "loss-parameter", "definition"]


@dataclass(frozen=True)
class Worst:
    """The entry with the largest error. `uncertainty` is of the numeric value.

    `at` are the values of a definition's variables there, empty for a tensor.
    """

    index: tuple[int, ...]
    analytic: float
    numeric: float
    uncertainty: float
    at: Mapping[str, float] = field(default_factory=dict)

    in_json: ClassVar = Shape(optional=("at",))


class TensorResult(Record):
    """One tensor or definition. Errors are of graded entries; `grade` is None where none was.

    `oracle` names what the numeric values come from: `complex`, `ladder`, `central` or `forward`.
    `below_resolution` counts entries that passed because the arithmetic can tell no difference,
    `below_resolution_error` is the largest that one of them may hide; `projections` counts random
    ones of a tensor of which not every entry was checked. `line` is where the spec names its op or
    definition, 0 for the inputs and for what has no spec.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    entries: int
    checked: int
    verdict: Verdict
    grade: Grade | None
    max_rel_error: float
    max_abs_error: float
    detectable_error: float
    kinks: int
    below_resolution: int
    vacuous: bool
    oracle: str
    worst: Worst | None
    wrong: int = 0
    projections: int = 0
    below_resolution_error: float = 0.0
    line: int = 0

    def is_doubtful(self, largest: float, required: float) -> bool:
        """Whether the parts of a network have to say if this tensor of it is right.

        It could not be decided; or it passed although the claim is so far off, and so unsure of
        itself, that it would matter beside the `largest` entry of any gradient.
        """
        hides = self.below_resolution_error > required * largest
        return self.verdict == "inconclusive" or hides

    def to_dict(self) -> dict[str, Any]:
        worst = self.worst
        return {
            "name": self.name,
            "kind": self.kind,
            "line": self.line,
            "shape": list(self.shape),
            "entries": self.entries,
            "checked": self.checked,
            "verdict": self.verdict,
            "grade": self.grade,
            "max_rel_error": self.max_rel_error,
            "max_abs_error": self.max_abs_error,
            "detectable_error": self.detectable_error,
            "kinks": self.kinks,
            "below_resolution": self.below_resolution,
            "below_resolution_error": self.below_resolution_error,
            "vacuous": self.vacuous,
            "oracle": self.oracle,
            "wrong": self.wrong,
            "projections": self.projections,
            "worst": None
            if worst is None
            else {
                "index": list(worst.index),
                "analytic": worst.analytic,
                "numeric": worst.numeric,
                "uncertainty": worst.uncertainty,
                **({"at": dict(worst.at)} if worst.at else {}),
            },
        }


class SpecResult(Record, Judged):
    """One spec. `expected` is pass, fail or a code; `required` the worst error that passes.

    `met` says whether the expectation was: True, False, or None where that is undecided. An
    invalid spec has `errors` and nothing else. `builtin_wrong` is set where an op of gradcli
    itself is proven wrong. `details` are what losses say of themselves, by name, such as the rows
    of mined triples. `self_test` says what became of planted mistakes, if any were.
    """

    spec: str
    name: str
    verdict: Verdict
    expected: str = "pass"
    met: bool | None = None
    loss: float | None = None
    seed: int | None = None
    required: float = 1e-5
    tensors: tuple[TensorResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    evaluations: int = 0
    errors: tuple[SpecProblem, ...] = ()
    builtin_wrong: bool = False
    strict: bool = False
    allow_inconclusive: bool = False
    interrupted: bool = False
    self_test: SelfTest | None = None
    details: Mapping[str, Any] = MappingProxyType({})

    in_json: ClassVar = Shape(
        without=("seed", "builtin_wrong", "strict", "allow_inconclusive", "interrupted"),
        optional=("details", "self_test"),
    )

    @property
    def exit_code(self) -> ExitCode:
        if self.verdict == "invalid":
            return ExitCode.INVALID
        if self.builtin_wrong:
            return ExitCode.BUG
        if self.met is False or (self.self_test is not None and self.self_test.survivors):
            return ExitCode.WRONG
        undecided = self.met is None or (self.strict and any(t.vacuous for t in self.tensors))
        if undecided and not self.allow_inconclusive:
            return ExitCode.UNDECIDED
        return ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        if self.verdict == "invalid":
            return invalid_result(self.spec, self.errors)
        return {
            "spec": self.spec,
            "name": self.name,
            "verdict": self.verdict,
            "expected": self.expected,
            "met": self.met,
            "loss": self.loss,
            "required": self.required,
            "tensors": [tensor.to_dict() for tensor in self.tensors],
            "findings": [found.to_dict() for found in self.findings],
            "evaluations": self.evaluations,
            **({"details": dict(self.details)} if self.details else {}),
            **({} if self.self_test is None else {"self_test": self.self_test.to_dict()}),
        }


@dataclass(frozen=True)
class CheckReport(ReportOfResults):
    """The results of one or several specs; the verdict is the worst."""

    results: tuple[SpecResult, ...]
    seed: int | None = None
    interrupted: bool = False

    command = "check"

    @property
    def verdict(self) -> Verdict:
        return worst_verdict([result.verdict for result in self.results])

    @property
    def tensors(self) -> tuple[TensorResult, ...]:
        return tuple(tensor for result in self.results for tensor in result.tensors)

    def to_dict(self) -> dict[str, Any]:
        return envelope(self, self._common_seed())

    def _common_seed(self) -> int | None:
        """The seed asked for, else the one that all specs have, if they have one."""
        own = {result.seed for result in self.results}
        return own.pop() if self.seed is None and len(own) == 1 else self.seed

    def __str__(self) -> str:
        lines = []
        for result in self.results:
            lines.append(f"{result.name}: {result.verdict}")
            lines += [f"  {problem}" for problem in result.errors]
            lines += [
                f"  {tensor.name} {list(tensor.shape)}: {tensor.verdict}"
                + (f" ({tensor.grade})" if tensor.grade else "")
                + f", relative error {tensor.max_rel_error:.3g}"
                + f", {tensor.below_resolution} below resolution" * (tensor.below_resolution > 0)
                for tensor in result.tensors
            ]
            lines += [
                f"  {found.code} {found.name} in {found.where}: {found.message}"
                for found in result.findings
            ]
        return "\n".join(lines)
