"""The report of a training run: frozen data, drawn elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from gradcli.analysis.facts import Facts
from gradcli.analysis.in_json import Shape, invalid_result
from gradcli.analysis.training.approximations import Approximation
from gradcli.analysis.training.embeddings import Embeddings
from gradcli.analysis.training.tasks import TaskStep
from gradcli.analysis.verdict import Gated, ReportOfResults
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode, SpecProblem
from gradcli.spec.options import TRAIN_GATES as GATES

__all__ = [
    "GATES",
    "CheckedStep",
    "ClipStep",
    "Hardest",
    "LayerStep",
    "Step",
    "TrainReport",
    "TrainResult",
    "TrainVerdict",
]

TrainVerdict = Literal["learning", "plateau", "rising", "diverged", "non-finite", "invalid"]


@dataclass(frozen=True)
class LayerStep(Facts):
    """One layer at one step.

    `gradient_norm` is that of all of its parameters before clipping, `weight_norm` theirs before
    the step, `update_ratio` the norm of what the step changes over it. `dead` and `saturated` are
    shares of the units of the activation behind it, None where there is none.
    """

    name: str
    gradient_norm: float
    weight_norm: float
    update_ratio: float
    dead: float | None
    saturated: float | None


@dataclass(frozen=True)
class ClipStep(Facts):
    """What clipping did at a step: the norm that is left of the gradient's, and the angle.

    `factor` is 1 where nothing was cut. `other_factor` and `other_cosine` are of the other kind of
    clipping at the same limit, which was only tried.
    """

    factor: float
    cosine: float
    other_factor: float
    other_cosine: float


@dataclass(frozen=True)
class Step(Facts):
    """One step: what was found before it, and what it did.

    `loss` and `gradient_norm` are of the batch, before the step. `skipped` says that a dynamic loss
    scale refused the step since the scaled gradient was not finite; `zeros` is the share of entries
    of the gradient that are exactly zero. `embeddings` are there only where a loss compares
    rows; `trained_on` is the share of the examples that a curriculum lets in. `annealed` are
    numbers on schedules of their own.
    """

    number: int
    loss: float
    learning_rate: float
    gradient_norm: float
    layers: tuple[LayerStep, ...]
    clip: ClipStep | None = None
    loss_scale: float | None = None
    skipped: bool = False
    zeros: float = 0.0
    tasks: tuple[TaskStep, ...] = ()
    annealed: Mapping[str, float] = field(default_factory=dict)
    embeddings: Embeddings | None = None
    trained_on: float | None = None


@dataclass(frozen=True)
class CheckedStep(Facts):
    """A gradient check at the point reached after the step of this number, on its last batch.

    `failed` are the tensors whose gradients are wrong there.
    """

    number: int
    verdict: str
    max_rel_error: float
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Hardest(Facts):
    """An example by its row: its loss at the start and at the end, and how often it was used."""

    row: int
    first_loss: float
    last_loss: float
    used: int
    first_used: int | None


@dataclass(frozen=True)
class TrainResult(Gated):
    """One run.

    `first_loss` and `last_loss` are of all data, before and after it; `accuracy` likewise, the
    share of rows whose largest output is at the label, None where targets are no labels. `verdict`
    is learning, or what went wrong and ended or spoiled the run. `started` is the number of steps
    that a resumed run had behind it.
    """

    name: str
    verdict: TrainVerdict
    spec: str = ""
    optimizer: str = ""
    schedule: str = ""
    precision: str = ""
    clipping: str = ""
    curriculum: str = ""
    examples: int = 0
    batch: int = 0
    accumulate: int = 1
    parameters: int = 0
    started: int = 0
    first_loss: float = math.nan
    last_loss: float = math.nan
    accuracy: tuple[float, float] | None = None
    steps: tuple[Step, ...] = ()
    checks: tuple[CheckedStep, ...] = ()
    hardest: tuple[Hardest, ...] = ()
    approximations: tuple[Approximation, ...] = ()
    findings: tuple[Finding, ...] = ()
    fail_on: tuple[str, ...] = ()
    interrupted: bool = False
    errors: tuple[SpecProblem, ...] = ()

    in_json: ClassVar = Shape(without=("fail_on", "interrupted"))

    @property
    def exit_code(self) -> ExitCode:
        if self.verdict == "invalid":
            return ExitCode.INVALID
        verdicts = {check.verdict for check in self.checks}
        if self.gates_hit or "fail" in verdicts:
            return ExitCode.WRONG
        if "inconclusive" in verdicts:
            return ExitCode.UNDECIDED
        return ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        if self.verdict == "invalid":
            return invalid_result(self.spec, self.errors)
        plain = (
            "spec", "name", "verdict", "optimizer", "schedule", "precision", "clipping",
            "curriculum", "examples", "batch", "accumulate", "parameters", "started", "first_loss",
            "last_loss",
        )  # fmt: skip
        return {
            **{key: getattr(self, key) for key in plain},
            "accuracy": None if self.accuracy is None else list(self.accuracy),
            "steps": [step.to_dict() for step in self.steps],
            "checks": [check.to_dict() for check in self.checks],
            "hardest": [each.to_dict() for each in self.hardest],
            "approximations": [each.as_dict() for each in self.approximations],
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __str__(self) -> str:
        if self.verdict == "invalid":
            return "\n".join([f"{self.name or self.spec}: invalid", *map(str, self.errors)])
        lines = [
            f"{self.name}: {self.verdict}",
            f"  loss {self.first_loss:.4g} to {self.last_loss:.4g} in {len(self.steps)} steps",
        ]
        lines += [
            f"  {found.code} {found.name} in {found.where}: {found.message}"
            for found in self.findings
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class TrainReport(ReportOfResults):
    """The run of one spec."""

    results: tuple[TrainResult, ...]
    seed: int | None = None
    interrupted: bool = False

    command = "train"

    @property
    def verdict(self) -> TrainVerdict:
        (result,) = self.results
        return result.verdict
