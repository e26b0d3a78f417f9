"""The report of a curvature analysis: frozen data, drawn elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Final, Literal

from gradcli.analysis.in_json import Shape, invalid_result
from gradcli.analysis.verdict import Judged, ReportOfResults, Verdict, exit_code_of, worst_verdict
from gradcli.errors import ExitCode, SpecProblem

__all__ = [
    "MATRICES",
    "SAME",
    "Block",
    "Crosscheck",
    "CurvatureReport",
    "CurvatureResult",
    "Matrix",
    "Method",
    "Relation",
    "Spectrum",
    "Step",
    "StepMethod",
]

Matrix = Literal["hessian", "gauss_newton", "fisher", "empirical_fisher"]
MATRICES: Final[tuple[Matrix, ...]] = ("hessian", "gauss_newton", "fisher", "empirical_fisher")

Method = Literal["exact", "lanczos"]

StepMethod = Literal["gradient", "newton", "gauss_newton", "natural_gradient", "lbfgs"]


SAME: Final = 1e-8
"""Relative distance below which two matrices are taken to be one."""


@dataclass(frozen=True)
class Crosscheck:
    """Hessian products along random directions against differences of the gradient.

    `max_rel_error` is the largest distance between the two, `uncertainty` how far off the
    differences may be, both relative to the size of the product; `compared` directions had steps
    that cross no kink. `agrees` is None where there was none. `asymmetry` is max |uᵀHv - vᵀHu|
    over pairs of directions, relative to the largest |u|·|Hv|.
    """

    directions: int
    compared: int
    max_rel_error: float
    uncertainty: float
    asymmetry: float
    agrees: bool | None


@dataclass(frozen=True)
class Spectrum:
    """One matrix of second order by all parameters: its eigenvalues, or what is known of them.

    `undefined` says why there is none, and is empty where there is. Each number has the error that
    it may have beside it: for an eigenvalue by Lanczos a bound on the distance to the nearest one,
    for the trace and the Frobenius norm a standard error over random probes, for exact ones what
    rounding amounts to. `eigenvalues` are all of them in ascending order where the matrix was
    assembled; `negative`, `zero` and `positive` count them, zero being what rounding cannot tell
    from it; None where they were not. `condition` is the largest over the smallest of those that
    are not zero, in size; of a sampled matrix only where that is definite. `density` are places and
    shares of the spectrum, which sum to one. `asymmetry` is max |A - Aᵀ| over max |A| of the matrix
    as assembled.
    """

    matrix: Matrix
    undefined: str = ""
    smallest: float = math.nan
    smallest_error: float = math.nan
    largest: float = math.nan
    largest_error: float = math.nan
    trace: float = math.nan
    trace_error: float = math.nan
    frobenius: float = math.nan
    frobenius_error: float = math.nan
    negative: int | None = None
    zero: int | None = None
    positive: int | None = None
    condition: float | None = None
    asymmetry: float | None = None
    eigenvalues: tuple[float, ...] = ()
    density: tuple[tuple[float, float], ...] = ()

    in_json: ClassVar = Shape(added={"rank": None}, alone=("matrix", "undefined"))

    @property
    def rank(self) -> int | None:
        """How many eigenvalues are not zero."""
        if self.negative is None or self.positive is None:
            return None
        return self.negative + self.positive

    @property
    def indefinite(self) -> bool:
        """Whether there is negative curvature beyond what the error leaves open."""
        return self.smallest < -self.smallest_error

    def to_dict(self) -> dict[str, Any]:
        if self.undefined:
            return {"matrix": self.matrix, "undefined": self.undefined}
        return {**asdict(self), "rank": self.rank}


@dataclass(frozen=True)
class Block:
    """One layer's block of the Hessian: the curvature by its parameters, all others held.

    Errors are as in `Spectrum`. `share` is that of ‖H‖²_F in the block, None where the matrix was
    not assembled; what the blocks lack of one is between layers.
    """

    layer: str
    parameters: int
    smallest: float
    smallest_error: float
    largest: float
    largest_error: float
    trace: float
    trace_error: float
    share: float | None
    gradient_norm: float


@dataclass(frozen=True)
class Relation:
    """How far a matrix is from another: ‖A - B‖_F relative to ‖B‖_F, or what probes tell of it.

    `why` says what makes the two equal, or keeps them apart.
    """

    matrix: Matrix
    other: Matrix
    distance: float
    why: str

    in_json: ClassVar = Shape(added={"coincide": None})

    @property
    def coincide(self) -> bool:
        """Whether they are the same but for rounding."""
        return self.distance <= SAME


@dataclass(frozen=True)
class Step:
    """A method's step from the point, and what it does to the loss.

    `undefined` says why there is none. `length` is Euclidean, `cosine` that of the angle to the
    negative gradient. The decrease is `predicted` by the method's own quadratic model (over several
    steps, the sum of each one's), `by_hessian` is what the loss's own quadratic model says of the
    step, `actual` what it comes to; `gradient_norm` is what is left of the gradient. `damping` was
    added to the matrix's diagonal; `undamped` is the decrease that was tried before, where that was
    none, None where it was not needed. It took so many `products` with the matrix, `gradients`
    beyond the one at the point, and `numbers` of memory beside the network. `flat` is the share of
    the gradient in directions of no curvature, which the step leaves alone; `residual` what
    products left of the equation, relative to the gradient. L-BFGS has `taken` several
    steps.
    """

    method: StepMethod
    undefined: str = ""
    length: float = math.nan
    cosine: float = math.nan
    damping: float = 0.0
    undamped: float | None = None
    predicted: float = math.nan
    by_hessian: float = math.nan
    actual: float = math.nan
    gradient_norm: float = math.nan
    products: int = 0
    gradients: int = 0
    numbers: int = 0
    flat: float = 0.0
    residual: float = 0.0
    taken: int = 1
    note: str = ""

    in_json: ClassVar = Shape(alone=("method", "undefined"))

    def replace(self, **changes: Any) -> Step:
        """The same with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        if self.undefined:
            return {"method": self.method, "undefined": self.undefined}
        return asdict(self)


@dataclass(frozen=True)
class CurvatureResult(Judged):
    """The curvature of one network's loss at its parameters.

    `gradient_norm` is Euclidean, over all parameters. `passes` counts gradients, and products with
    each matrix. `by_differences` says that an op of the network takes real numbers only, so that
    products are real differences of gradients.
    """

    name: str
    verdict: Verdict
    spec: str = ""
    loss: float = math.nan
    parameters: int = 0
    gradient_norm: float = math.nan
    method: Method = "exact"
    by_differences: bool = False
    crosscheck: Crosscheck | None = None
    spectra: Mapping[Matrix, Spectrum] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    blocks: tuple[Block, ...] = ()
    steps: tuple[Step, ...] = ()
    passes: Mapping[str, int] = field(default_factory=dict)
    builtin: bool = True
    errors: tuple[SpecProblem, ...] = ()

    in_json: ClassVar = Shape(
        without=("spectra", "builtin"),
        added={"sharpness": None, "stable_step": None, "matrices": tuple[Spectrum, ...]},
    )

    @property
    def sharpness(self) -> float:
        """The largest eigenvalue of the Hessian."""
        return self.spectra["hessian"].largest

    @property
    def stable_step(self) -> float | None:
        """The largest stable step of gradient descent, 2/λ_max; None where nothing bounds it."""
        return 2 / self.sharpness if self.sharpness > 0 else None

    @property
    def exit_code(self) -> ExitCode:
        return exit_code_of(self.verdict, builtin=self.builtin)

    def to_dict(self) -> dict[str, Any]:
        if self.verdict == "invalid":
            return invalid_result(self.spec, self.errors)
        return {
            "spec": self.spec,
            "name": self.name,
            "verdict": self.verdict,
            "loss": self.loss,
            "parameters": self.parameters,
            "gradient_norm": self.gradient_norm,
            "method": self.method,
            "by_differences": self.by_differences,
            "sharpness": self.sharpness,
            "stable_step": self.stable_step,
            "crosscheck": None if self.crosscheck is None else asdict(self.crosscheck),
            "matrices": [spectrum.to_dict() for spectrum in self.spectra.values()],
            "relations": [
                {**asdict(relation), "coincide": relation.coincide} for relation in self.relations
            ],
            "blocks": [asdict(block) for block in self.blocks],
            "steps": [step.to_dict() for step in self.steps],
            "passes": dict(self.passes),
        }

    def __str__(self) -> str:
        lines = [f"{self.name or self.spec}: {self.verdict}", *map(str, self.errors)]
        for spectrum in self.spectra.values():
            told = spectrum.undefined or f"{spectrum.smallest:.6g} to {spectrum.largest:.6g}"
            lines.append(f"  {spectrum.matrix}: {told}")
        return "\n".join(lines)


@dataclass(frozen=True)
class CurvatureReport(ReportOfResults):
    """The result of one spec."""

    results: tuple[CurvatureResult, ...]
    seed: int | None = None

    command = "curvature"

    @property
    def verdict(self) -> Verdict:
        return worst_verdict([result.verdict for result in self.results])
