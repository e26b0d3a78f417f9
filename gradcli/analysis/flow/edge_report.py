"""The report on an activation's edge of chaos: frozen data, drawn elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final, Literal

from gradcli.analysis.flow.theory.critical import CriticalPoint
from gradcli.analysis.flow.theory.published import Published
from gradcli.analysis.in_json import Shape, invalid_result
from gradcli.analysis.verdict import Judged, ReportOfResults
from gradcli.errors import ExitCode, SpecProblem

__all__ = ["EdgeKind", "EdgeReport", "EdgeResult", "Setting"]

EdgeKind = Literal["line", "scale-free", "none", "no-slope", "no-average", "invalid"]
"""What there is of an edge of chaos.

`line`: points for some biases at least. `scale-free`: f(s·x) = s·f(x), for which χ depends on the
weights alone. `none`: whatever the weights and biases, q leaves where χ = 1. `no-slope`: the
activation passes no gradient. `no-average`: its averages over normal inputs are no finite numbers.
"""

_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Setting:
    """How weights may be drawn, without biases, and where that brings a deep network.

    `q` is the variance of the pre-activations at rest, 0 or infinite where it falls or grows
    without end, and None where it stays as it is. `chi` is the factor on the squared gradient
    there, and `depth_scale` = 1/|ln χ| the layers in which that changes it by a factor e.
    """

    name: str
    weight_std: float
    q: float | None
    chi: float

    in_json: ClassVar = Shape(added={"depth_scale": None})

    @property
    def on_edge(self) -> bool:
        return abs(self.chi - 1) < _ROUNDING

    @property
    def depth_scale(self) -> float:
        if self.on_edge:
            return math.inf
        return 1 / abs(math.log(self.chi)) if self.chi else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "depth_scale": self.depth_scale}


@dataclass(frozen=True)
class EdgeResult(Judged):
    """The edge of chaos of one activation.

    `name` is what it was called, `op` its name in the catalogue or in its spec. `points` are for a
    range of σ_b, or for the one that was asked for: `bias_std`. `start` is the one to initialize
    with, at that σ_b or else the least with which there is one; None where q leaves every point.
    `onset` is the same whatever was asked for. `settings` are initializers, `published` points of
    the literature, each with what is computed there.
    """

    name: str
    kind: EdgeKind
    op: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    spec: str = ""
    points: tuple[CriticalPoint, ...] = ()
    bias_std: float | None = None
    start: CriticalPoint | None = None
    onset: CriticalPoint | None = None
    settings: tuple[Setting, ...] = ()
    published: tuple[tuple[Published, CriticalPoint], ...] = ()
    errors: tuple[SpecProblem, ...] = ()

    in_json: ClassVar = Shape(added={"published": tuple[Mapping[str, Any], ...]})

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.INVALID if self.kind == "invalid" else ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        if self.kind == "invalid":
            return invalid_result(self.spec, self.errors)
        return {
            "name": self.name,
            "kind": self.kind,
            "op": self.op,
            "options": dict(self.options),
            "spec": self.spec,
            "bias_std": self.bias_std,
            "start": None if self.start is None else self._point(self.start),
            "onset": None if self.onset is None else self._point(self.onset),
            "points": [self._point(point) for point in self.points],
            "settings": [setting.to_dict() for setting in self.settings],
            "published": [
                {**stated.as_dict(), "computed": self._point(point)}
                for stated, point in self.published
            ],
        }

    def _point(self, point: CriticalPoint) -> dict[str, Any]:
        return {
            "bias_std": point.bias_std,
            "weight_std": point.weight_std,
            "bias_variance": point.bias_std**2,
            "weight_variance": point.weight_std**2,
            "q": self.q_at(point),
            "stretch": point.stretch,
            "stable": point.stable,
            "depth_scale": point.depth_scale,
            "init": {"lecun_normal": {"gain": point.weight_std}},
            "bias_init": {"normal": {"std": point.bias_std}} if point.bias_std else "zeros",
        }

    def q_at(self, point: CriticalPoint) -> float | None:
        """The variance at rest; None where it stays what it is, whatever it is."""
        return None if self.kind == "scale-free" and not point.bias_std else point.q

    def __str__(self) -> str:
        if self.kind == "invalid":
            return "\n".join([f"{self.spec}: invalid", *map(str, self.errors)])
        if self.start is None:
            return f"{self.name}: no edge of chaos ({self.kind})"
        return (
            f"{self.name}: sigma_w {self.start.weight_std:.6g}, sigma_b {self.start.bias_std:.6g}"
        )


@dataclass(frozen=True)
class EdgeReport(ReportOfResults):
    """The edges of one or several activations."""

    results: tuple[EdgeResult, ...]
    seed: int | None = None

    command = "flow"
    drawn_as = "edge"
