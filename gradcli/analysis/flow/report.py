"""The report of a gradient-flow analysis: frozen data, drawn elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from gradcli.analysis.facts import Facts
from gradcli.analysis.flow.rows import NO_ROWS, Rows
from gradcli.analysis.flow.theory.mean_field import MeanField
from gradcli.analysis.in_json import Shape, invalid_result
from gradcli.analysis.verdict import Gated, ReportOfResults
from gradcli.diagnostics.finding import Finding
from gradcli.errors import ExitCode, SpecProblem
from gradcli.spec.options import FLOW_GATES as GATES

__all__ = [
    "GATES",
    "Cause",
    "Clipping",
    "FlowReport",
    "FlowResult",
    "FlowVerdict",
    "Gate",
    "LayerFlow",
    "Phase",
    "Plain",
    "Precision",
    "Recurrence",
    "Remedy",
    "power_of_ten",
]

Phase = Literal["ordered phase", "chaotic phase"]
FlowVerdict = Literal["vanishing", "exploding", "healthy", "undetermined", "invalid"]


def power_of_ten(exponent: float) -> float:
    """10**exponent, infinite or zero beyond the range of a float; NaN of NaN."""
    if exponent > 308:
        return math.inf
    return 0.0 if exponent < -324 else 10.0**exponent


@dataclass(frozen=True)
class LayerFlow(Facts):
    """One layer that mixes units, as measured on the network of the first seed.

    a^l is the layer's output after its activation, and after the residual block that it closes.
    `weight_norm` is the spectral norm of W. `slope_max` and `slope_rms` are of f' over batch and
    units, 1 without an activation. `activation_rms` is of a^l. `log10_bound` and
    `log10_rms_product` run from the input to this layer: Π ‖W‖₂·slope_max, an upper bound of
    ‖∂L/∂a⁰‖/‖∂L/∂a^l‖, and Π (‖W‖_F/√fan_out)·slope_rms, its estimate. Within a residual block
    both are of the branch so far; at its end they count the shortcut as well (1 + |scale|·Π, or the
    root of 1 + (scale·Π)²). `log10_gradient_norm` is of ∂L/∂a^l, `log10_weight_gradient_norm` of
    ∂L/∂W, both Frobenius norms over the batch; `log10_weight_gradient_ratio` is that of ∂L/∂W to W.
    `gain` is ‖∂L/∂a^(l-1)‖/‖∂L/∂a^l‖. `saturated` and `dead` are shares of the units. `at_cut` says
    that the whole signal passes a^l, which is where the bound holds. Inside a branch, which has
    only a part of it, scaled, `gain` is NaN; at the end of the block it is that of the whole block,
    so that all gains multiply to the total. `rows` compares the examples of the batch at a^l.
    `predicted_gain` is what mean-field theory expects and `z_score` how many standard deviations
    the gain is off; None where it expects nothing.
    """

    index: int
    name: str
    op: str
    activation: str | None
    width: int
    weight_norm: float
    slope_max: float
    slope_rms: float
    activation_rms: float
    log10_bound: float
    log10_rms_product: float
    log10_gradient_norm: float
    log10_weight_gradient_norm: float
    log10_weight_gradient_ratio: float
    gain: float
    saturated: float
    dead: float
    rows: Rows = NO_ROWS
    at_cut: bool = True
    predicted_gain: float | None = None
    z_score: float | None = None


@dataclass(frozen=True)
class Precision:
    """A number format against the signal: how many layers from the loss it lasts.

    `layers` is None where the rms entry of ∂L/∂a^l stays above the format's smallest subnormal.
    `loss_scale` is the power of two, the nearest to 1, by which to multiply the loss so that every
    layer's rms entry is within the format: 1 where none is needed, None where none is enough, since
    the signal spans more than the format does.
    """

    layers: int | None
    loss_scale: float | None


@dataclass(frozen=True)
class Plain(Facts):
    """What a pass in a number format without any rescaling would show.

    The layers from the loss from which on norms of gradients read zero, or infinity, and the first
    layer whose activations overflow, after which nothing is a number; None where that is nowhere.
    """

    reads_zero: int | None
    reads_infinity: int | None
    overflows: str | None


@dataclass(frozen=True)
class Cause(Facts):
    """Decades that the parts of the rms product contribute to the total, and the part to blame.

    `slope` is of the activations' slopes, `weights` of ‖W‖_F/√fan_out, `rest` of everything else:
    shortcuts, normalization, and correlations that the product does not know. A phase is to blame
    where slopes and weights pull against each other, so that only their balance is wrong, and gates
    where the state passes these instead of slopes and weights.
    """

    name: Literal["slope", "weights", "dead units", "gates", "rest"] | Phase
    slope: float
    weights: float
    rest: float


@dataclass(frozen=True)
class Remedy(Facts):
    """A change to the network, and its total with it: on the first seed, with a band of `draws`."""

    change: str
    log10_total: float
    verdict: FlowVerdict
    band: tuple[float, float] | None
    draws: int


@dataclass(frozen=True)
class Clipping(Facts):
    """The gradient of all parameters, clipped at `limit` by its norm and by its entries' sizes.

    By norm it is multiplied by `norm_factor` and keeps its direction. By value a share of `clipped`
    entries is cut off; what is left has the norm `log10_clipped_norm` and stands at an angle of
    this `cosine` to the gradient.
    """

    limit: float
    log10_norm: float
    norm_factor: float
    clipped: float
    log10_clipped_norm: float
    cosine: float


@dataclass(frozen=True)
class Gate(Facts):
    """A gate of a recurrent layer: its mean opening, and how often it is shut or wide open.

    Shut is below a tenth, open above nine tenths.
    """

    name: str
    mean: float
    shut: float
    open: float


@dataclass(frozen=True)
class Recurrence(Facts):
    """What drives a gradient over time: σ_max of W_hh, the largest slope γ, and the gates.

    σ_max < 1/γ is enough for it to vanish, σ_max > 1/γ only necessary for it to explode (Pascanu,
    Mikolov, Bengio 2013). `slope_max` is None where the state passes gates instead.
    """

    weight_norm: float
    slope_max: float | None
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class FlowResult(Gated):
    """One network, or what leads to one of its heads.

    `log10_total` = log10 ‖∂L/∂a⁰‖/‖∂L/∂a^L‖ and everything by layer are of the first seed;
    `totals` of every seed, in order; `band` is where 95 % of such draws lie, None for one seed.
    `rate` is the geometric mean gain of a layer, `halving_depth` the layers over which the gradient
    halves (None where it does not shrink). `depth_budget` is the number of layers, counted from
    the loss, over which the signal stays within the threshold, None where all of them are.
    `expected` is the verdict that the spec expects, None for none; of several heads the worst
    verdict counts, and only a head that has it carries the expectation. `ranges` holds the least
    and the largest log10 ‖∂L/∂a^l‖ of all draws, from the input on, where there are several.
    `remedies_untried` says that none was measured because that would take long. `mean_field` is
    what theory expects, None over time steps.
    """

    name: str
    verdict: FlowVerdict
    spec: str = ""
    head: str | None = None
    depth: int = 0
    threshold: float = 2.0
    rate: float = math.nan
    halving_depth: float | None = None
    log10_total: float = math.nan
    log10_bound: float = math.nan
    log10_rms_product: float = math.nan
    log10_input_gradient_norm: float = math.nan
    band: tuple[float, float] | None = None
    totals: tuple[float, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    layers: tuple[LayerFlow, ...] = ()
    underflow: Mapping[str, Precision] = field(default_factory=dict)
    plain: Mapping[str, Plain] = field(default_factory=dict)
    depth_budget: int | None = None
    cause: Cause | None = None
    remedies: tuple[Remedy, ...] = ()
    remedies_untried: bool = False
    clipping: Clipping | None = None
    recurrence: Recurrence | None = None
    mean_field: MeanField | None = None
    findings: tuple[Finding, ...] = ()
    expected: str | None = None
    fail_on: tuple[str, ...] = ()
    allow_inconclusive: bool = False
    interrupted: bool = False
    errors: tuple[SpecProblem, ...] = ()

    in_json: ClassVar = Shape(
        without=("ranges", "fail_on", "allow_inconclusive", "interrupted"),
        added={
            "log10_gradient_ranges": tuple[tuple[float, float], ...],
            "underflow": Mapping[str, int | None],
            "loss_scale": Mapping[str, float | None],
        },
    )

    @property
    def title(self) -> str:
        """The network's name, with the head."""
        return self.name if self.head is None else f"{self.name}, head {self.head}"

    @property
    def exit_code(self) -> ExitCode:
        if self.verdict == "invalid":
            return ExitCode.INVALID
        if any(finding.code == "GF106" for finding in self.findings):
            return ExitCode.BUG
        if self.gates_hit:
            return ExitCode.WRONG
        asked = self.expected is not None or not {"vanishing", "exploding"}.isdisjoint(self.fail_on)
        if self.verdict == "undetermined" and self.expected != "undetermined":
            undecided = asked and not self.allow_inconclusive
            return ExitCode.UNDECIDED if undecided else ExitCode.OK
        if self.expected is not None and self.verdict != self.expected:
            return ExitCode.WRONG
        return ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        if self.verdict == "invalid":
            return invalid_result(self.spec, self.errors)
        plain = (
            "spec", "name", "head", "verdict", "expected", "depth", "threshold", "rate",
            "halving_depth", "log10_total", "log10_bound", "log10_rms_product",
            "log10_input_gradient_norm",
        )  # fmt: skip
        return {
            **{key: getattr(self, key) for key in plain},
            "band": None if self.band is None else list(self.band),
            "totals": list(self.totals),
            "log10_gradient_ranges": [list(each) for each in self.ranges],
            "layers": [layer.to_dict() for layer in self.layers],
            "mean_field": None if self.mean_field is None else self.mean_field.to_dict(),
            "underflow": {name: each.layers for name, each in self.underflow.items()},
            "loss_scale": {name: each.loss_scale for name, each in self.underflow.items()},
            "plain": {name: each.to_dict() for name, each in self.plain.items()},
            "depth_budget": self.depth_budget,
            "cause": None if self.cause is None else self.cause.to_dict(),
            "remedies": [remedy.to_dict() for remedy in self.remedies],
            "remedies_untried": self.remedies_untried,
            "recurrence": None if self.recurrence is None else self.recurrence.to_dict(),
            "clipping": None if self.clipping is None else self.clipping.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __str__(self) -> str:
        if self.verdict == "invalid":
            return "\n".join([f"{self.name or self.spec}: invalid", *map(str, self.errors)])
        band = (
            "" if self.band is None else f", 95 % of draws [{self.band[0]:.2f}, {self.band[1]:.2f}]"
        )
        lines = [
            f"{self.title}: {self.verdict}",
            f"  total {self.log10_total:.2f} decades over {self.depth} layers{band}"
            + (f", {self.rate:.4g} a layer" if self.depth else ""),
        ]
        lines += [
            f"  {found.code} {found.name} in {found.where}: {found.message}"
            for found in self.findings
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class FlowReport(ReportOfResults):
    """The results of one or several networks; the verdict is the worst.

    `interrupted` says that Ctrl-C ended the analysis before all was measured.
    """

    results: tuple[FlowResult, ...]
    seed: int | None = None
    interrupted: bool = False

    command = "flow"

    @property
    def verdict(self) -> FlowVerdict:
        order: tuple[FlowVerdict, ...] = ("invalid", "exploding", "vanishing", "undetermined")
        found = {result.verdict for result in self.results}
        return next((verdict for verdict in order if verdict in found), "healthy")

    @property
    def layers(self) -> tuple[LayerFlow, ...]:
        return tuple(layer for result in self.results for layer in result.layers)
