"""The report on losses: frozen data, drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gradcli.analysis.in_json import invalid_result
from gradcli.analysis.verdict import Judged, ReportOfResults, Verdict, exit_code_of, worst_verdict
from gradcli.errors import ExitCode, SpecError, SpecProblem

__all__ = [
    "Claim",
    "ClaimVerdict",
    "Comparison",
    "Curve",
    "LossReport",
    "LossResult",
    "Pull",
    "Share",
    "Zero",
    "invalid_losses",
]

ClaimVerdict = Literal["holds", "broken", "unchecked"]


@dataclass(frozen=True)
class Claim:
    """What a loss claims of itself, and what the laws about that found at these options.

    `value` is plain data. `laws` are those that were tried; `message` says what a broken one found,
    or why none was tried.
    """

    value: Any
    verdict: ClaimVerdict
    laws: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class Curve:
    """Value and gradient of a loss over one variable, for one target.

    `over` is what the points x are values of; the gradient is with respect to the prediction.
    `target` says what is held fixed. Curves of one `axis` can be drawn together.
    """

    axis: str
    over: str
    target: str
    x: tuple[float, ...]
    value: tuple[float, ...]
    gradient: tuple[float, ...]


@dataclass(frozen=True)
class Zero:
    """Where a gradient vanishes: it is exactly zero from `low` to `high`, which may be one point.

    With `jumps` it passes over zero there rather than through it. With `fades` it only goes to
    zero, toward the one of the ends that is infinite.
    """

    target: str
    low: float
    high: float
    jumps: bool = False
    fades: bool = False


@dataclass(frozen=True)
class Pull:
    """The gradient's size at one point of the first curve's axis."""

    at: float
    gradient: float


@dataclass(frozen=True)
class Share:
    """What one class adds to the sums of a comparison, in nats, and the gradient at its logit."""

    target: float
    predicted: float
    surprise: float
    entropy: float
    cross_entropy: float
    divergence: float
    gradient: float


@dataclass(frozen=True)
class Comparison:
    """Two distributions over classes, in nats: cross_entropy = entropy + divergence.

    `loss` is the loss's own value for them, which smoothing or a weighting sets apart.
    """

    entropy: float
    cross_entropy: float
    divergence: float
    loss: float
    classes: tuple[Share, ...]


@dataclass(frozen=True)
class LossResult(Judged):
    """One loss at fixed options.

    `op` is the loss's name in the catalogue or its spec, `name` what it is called here. `weight` is
    what a spec multiplies it by, `mean_over` what the engine takes its mean over. `formula` and
    `gradients`, by the rows that they are with respect to, are as its author wrote them; the
    claims `formula` and `gradient` are that the arithmetic agrees. `bends` are the places where the
    curvature jumps. A loss of a spec's own claims nothing: `measured` are its properties as found
    by search, and `differs` is how far, relatively, its gradient is from the derivative of its
    formula along the curves.
    """

    name: str
    verdict: Verdict
    spec: str = ""
    op: str = ""
    builtin: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    summary: str = ""
    formula: str = ""
    gradients: Mapping[str, str] = field(default_factory=dict)
    reads: str = ""
    mean_over: str = ""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    differs: float | None = None
    bends: tuple[float, ...] = ()
    curves: tuple[Curve, ...] = ()
    zeros: tuple[Zero, ...] = ()
    pulls: tuple[Pull, ...] = ()
    comparison: Comparison | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[SpecProblem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        return exit_code_of(self.verdict, builtin=self.builtin)

    @property
    def stated(self) -> dict[str, Any]:
        """What is claimed, by field."""
        return {name: claim.value for name, claim in self.claims.items()}

    @property
    def broken(self) -> dict[str, Claim]:
        """The claims that were found false."""
        return {name: claim for name, claim in self.claims.items() if claim.verdict == "broken"}

    def to_dict(self) -> dict[str, Any]:
        if self.verdict == "invalid":
            return invalid_result(self.spec, self.errors)
        everything = asdict(self)
        del everything["errors"]
        return everything

    def __str__(self) -> str:
        lines = [f"{self.name or self.spec}: {self.verdict}", *map(str, self.errors)]
        lines += [f"  {name}: {claim.message}" for name, claim in self.broken.items()]
        return "\n".join(lines)


def invalid_losses(spec: str, error: SpecError) -> LossResult:
    """What there is to say of a spec that cannot be used."""
    return LossResult(spec, "invalid", spec=spec, errors=error.errors)


@dataclass(frozen=True)
class LossReport(ReportOfResults):
    """The results of one or several losses; the verdict is the worst."""

    results: tuple[LossResult, ...]
    seed: int | None = None

    command = "loss"

    @property
    def verdict(self) -> Verdict:
        return worst_verdict([result.verdict for result in self.results])
