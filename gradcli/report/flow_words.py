"""What a flow analysis measured, in words and numbers: shared by every rendering of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from gradcli.analysis.flow.report import (
    FlowReport,
    FlowResult,
    Gate,
    LayerFlow,
    Plain,
    Recurrence,
)
from gradcli.analysis.flow.theory.mean_field import MeanField
from gradcli.errors import ExitCode
from gradcli.report.characters import NOTHING
from gradcli.report.surface import Style
from gradcli.report.words import Status, plural

__all__ = [
    "Measure",
    "exit_line",
    "flow_status",
    "folded",
    "ladder_of",
    "makeup",
    "measures_of",
    "number",
    "summary",
    "where_to_bar",
]

_ROWS: Final = 16
"""Layers that a folded table shows."""

LEGEND: Final = (
    "gradient: log10 ‖∂L/∂a‖ of the layer's output, its bar in decades; gain: the factor that the "
    "layer puts on it on its way back; theory: the gain that mean-field theory expects, and z how "
    "many standard deviations the measured one is off; product and bound: log10 of the products "
    "from the input to the layer, of ‖W‖/sqrt(fan_out) times the rms slope, and of ‖W‖₂ times the "
    "largest slope"
)


LEGEND_OVER_TIME: Final = (
    "gradient: log10 ‖∂L/∂h‖ of the states that a step hands on, its bar in decades; gain: the "
    "factor that the step puts on it on its way back; product and bound: log10 of the products "
    "from the first step on, of ‖W_hh‖/sqrt(units) times the rms slope, and of ‖W_hh‖₂ times the "
    "largest slope"
)


class Ladder(NamedTuple):
    """What a gradient runs through: what one rung is called, the far end, and how to read it."""

    rung: str
    end: str
    legend: str


def ladder_of(result: FlowResult) -> Ladder:
    """Layers down to the input, or steps of a recurrent layer down to its first."""
    if result.recurrence is None:
        return Ladder("layer", "input", LEGEND)
    return Ladder("step", "step 1", LEGEND_OVER_TIME)


class Measure(NamedTuple):
    """A column of numbers: its heading, and how a layer's number is written."""

    heading: str
    text: Callable[[LayerFlow], str]


def number(value: float) -> str:
    """Decades; a dash for what was not measured. Nothing is written as minus zero."""
    return NOTHING if math.isnan(value) else f"{round(value, 2) + 0.0:.2f}"


def _share(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.0%}" if value else "0"


def _figure(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.3g}"


def _gain(value: float) -> str:
    return f"{value:.3f}" if 1e-2 <= value < 1e3 else _figure(value)


def _expected(value: float | None) -> str:
    return NOTHING if value is None else _gain(value)


def _score(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.1f}"


_MEASURES: Final = (
    Measure("gradient", lambda layer: number(layer.log10_gradient_norm)),
    Measure("gain", lambda layer: _gain(layer.gain)),
    Measure("theory", lambda layer: _expected(layer.predicted_gain)),
    Measure("product", lambda layer: number(layer.log10_rms_product)),
    Measure("bound", lambda layer: number(layer.log10_bound)),
    Measure("z", lambda layer: _score(layer.z_score)),
    Measure("W gradient", lambda layer: number(layer.log10_weight_gradient_norm)),
    Measure("rms a", lambda layer: _figure(layer.activation_rms)),
    Measure("rms slope", lambda layer: _figure(layer.slope_rms)),
    Measure("dead", lambda layer: _share(layer.dead)),
    Measure("saturated", lambda layer: _share(layer.saturated)),
    Measure("cosine", lambda layer: _figure(layer.rows.cosine)),
    Measure("rank", lambda layer: _figure(layer.rows.effective_rank)),
    Measure("‖W‖₂", lambda layer: _figure(layer.weight_norm)),
    Measure("max slope", lambda layer: _figure(layer.slope_max)),
)
"""Columns by importance: a narrow terminal shows the first of them."""


def measures_of(result: FlowResult) -> tuple[Measure, ...]:
    """The columns in which anything stands."""
    return tuple(
        measure
        for measure in _MEASURES
        if any(measure.text(layer) != NOTHING for layer in result.layers)
    )


def flow_status(result: FlowResult) -> Status:
    """The verdict with its symbol, and what was expected where something was."""
    expected = "" if result.expected is None else f", expected {result.expected}"
    if result.verdict == "invalid":
        return Status("✗", "INVALID", "bad")
    if result.expected == result.verdict:
        return Status("✓", f"{result.verdict}, as expected", "good")
    if result.verdict == "healthy" and not expected:
        return Status("✓", "healthy", "good")
    symbol, style = ("?", "doubt") if result.verdict == "undetermined" else ("✗", "bad")
    chosen: Style = "doubt" if style == "doubt" else "bad"
    return Status(symbol, result.verdict + expected, chosen)


def makeup(result: FlowResult) -> str:
    """What the layers are: `50 layers of 256 (dense, relu)`; or `50 steps of 64 (rnn)`."""
    layers = result.layers
    if result.recurrence is not None:
        steps = plural(len(layers) + 1, "step")
        return f"{steps} of {layers[0].width} ({layers[0].op})" if layers else steps
    widths = dict.fromkeys(layer.width for layer in layers)
    kinds = dict.fromkeys(
        layer.op if layer.activation is None else f"{layer.op}, {layer.activation}"
        for layer in layers
    )
    width = str(next(iter(widths))) if len(widths) == 1 else f"{min(widths)} to {max(widths)} units"
    return f"{plural(len(layers), 'layer')} of {width} ({'; '.join(kinds)})"


def folded(layers: Sequence[LayerFlow], *, all_layers: bool) -> list[LayerFlow]:
    """The layers to show of a long network: both ends, the worst, and evenly between."""
    if all_layers or len(layers) <= _ROWS:
        return list(layers)
    last = len(layers) - 1
    worst = max(range(len(layers)), key=lambda i: _strangeness(layers[i]))
    chosen = {round(i * last / (_ROWS - 2)) for i in range(_ROWS - 1)} | {1, last - 1, worst}
    return [layers[i] for i in sorted(chosen)]


def _strangeness(layer: LayerFlow) -> float:
    if not layer.at_cut:
        return 0.0  # inside a branch there is no gain
    return abs(math.log10(layer.gain)) if 0 < layer.gain < math.inf else math.inf


def where_to_bar(result: FlowResult) -> Callable[[float], float]:
    """The share of a full bar for a log10 norm.

    A full bar is the largest norm, an empty one what is the whole range below it; at least twice
    the threshold, so that a healthy network looks level.
    """
    norms = [layer.log10_gradient_norm for layer in result.layers]
    norms = [norm for norm in (*norms, result.log10_input_gradient_norm) if math.isfinite(norm)]
    top = max(norms, default=0.0)
    span = max(top - min(norms, default=0.0), 2 * result.threshold)
    return lambda norm: max(0.0, 1 - (top - norm) / span) if math.isfinite(norm) else 0.0


def summary(result: FlowResult) -> list[tuple[str, str]]:
    """The figures of the whole network, each with its heading."""
    if math.isnan(result.log10_total):
        return [("total", "not a number")]
    total = result.log10_total
    rung, end, _ = ladder_of(result)
    end = f"the {end}" if result.recurrence is None else end
    said = f"{total:+.2f} decades from the last {rung} to {end}"
    if result.depth:
        said += f", {result.rate:.3g} a {rung}"
    if result.halving_depth is not None and result.verdict == "vanishing":
        said += f", halved every {result.halving_depth:.2g} {rung}s"
    lines = [("total", said)]
    limits = f"threshold {result.threshold:g}"
    if result.band is not None:
        low, high = result.band
        seeds = plural(len(result.totals), "seed")
        lines.append(("95 % band", f"{low:+.2f} to {high:+.2f} over {seeds}; {limits}"))
    else:
        lines.append(("band", f"none: one seed; {limits}"))
    if result.mean_field is not None:
        lines.append(("theory", _theory(result.mean_field)))
    if not math.isnan(result.log10_rms_product):
        lines.append(("product", f"{result.log10_rms_product:+.2f} by slopes and weights alone"))
    if math.isfinite(result.log10_bound):
        loose = result.log10_bound - total
        below = result.log10_bound < -result.threshold
        proves = "proves vanishing" if below else "proves nothing"
        said = f"{result.log10_bound:+.2f}, {proves}; loose by {loose:.2f} decades"
        lines.append(("bound", said))
    if result.depth_budget is not None:
        layers = plural(result.depth_budget, rung)
        said = f"{layers} from the loss stay within {result.threshold:g} decades"
        lines.append(("budget", said))
    if result.recurrence is not None:
        lines += _recurrence(result.recurrence)
    plain = (_plain(name, each, rung) for name, each in result.plain.items())
    said = "; ".join(filter(None, plain))
    return [*lines, ("plain", said)] if said else lines


def _theory(expected: MeanField) -> str:
    """What mean-field theory expects in all, and of a layer that is repeated for ever."""
    if expected.log10_total is None:
        return f"none: {expected.missing}"
    said = f"{expected.log10_total:+.2f} expected"
    if expected.z_score is not None:
        said += f", z {expected.z_score:+.1f}"
    if expected.chi is None or expected.q is None or expected.depth_scale is None:
        return said
    q = "q grows" if expected.q == math.inf else f"q rests at {expected.q:.4g}"
    said += f"; repeated for ever, {q} and χ = {expected.chi:.5g}"
    if expected.depth_scale < math.inf:
        said += f", depth scale {expected.depth_scale:.3g}"
    return said


def _recurrence(recurrence: Recurrence) -> list[tuple[str, str]]:
    """The condition of Pascanu et al. (2013), or what the gates let through."""
    if recurrence.slope_max is not None:
        limit = 1 / recurrence.slope_max if recurrence.slope_max else math.inf
        proves = (
            "proves vanishing"
            if recurrence.weight_norm < limit
            else "proves nothing, since large is only necessary for exploding"
        )
        said = f"‖W_hh‖₂ {recurrence.weight_norm:.3g} against 1/γ = {limit:.3g}: {proves}"
        return [("recurrence", said)]
    return [
        (
            "gates" if not at else "",
            f"{gate.name} {gate.mean:.0%} open on average, {_extremes(gate)}",
        )
        for at, gate in enumerate(recurrence.gates)
    ]


def _extremes(gate: Gate) -> str:
    if not gate.shut and not gate.open:
        return "never shut and never wide open"
    return f"shut in {gate.shut:.0%} and wide open in {gate.open:.0%} of units and steps"


def _plain(name: str, reading: Plain, rung: str) -> str:
    """What plain arithmetic would have shown; empty where it shows what is measured here."""
    said = []
    if reading.overflows is not None:
        said.append(f"would overflow at {reading.overflows}")
    for back, what in ((reading.reads_zero, "zero"), (reading.reads_infinity, "infinity")):
        if back is not None:
            said.append(f"would show norms of {what} from {plural(back, rung)} below the loss on")
    return f"{name} {' and '.join(said)}" if said else ""


def exit_line(report: FlowReport) -> str:
    """The exit code with its reason."""
    code = report.exit_code
    return f"exit {int(code)}: {_reason(code, report)}"


def _reason(code: ExitCode, report: FlowReport) -> str:
    those = [result for result in report.results if result.exit_code == code]
    match code:
        case ExitCode.OK:
            asked = any(result.fail_on or result.expected for result in report.results)
            return "nothing that was asked to fail did" if asked else "nothing was asked to fail"
        case ExitCode.WRONG:
            gates = list(dict.fromkeys(gate for result in those for gate in result.gates_hit))
            if gates:
                return f"fail-on {', '.join(gates)}"
            return f"expected {those[0].expected}, found {those[0].verdict}"
        case ExitCode.UNDECIDED:
            return "undetermined, so what was asked to fail or expected could not be decided"
        case ExitCode.INVALID:
            return "a spec is invalid"
        case ExitCode.INTERRUPTED:
            return "interrupted; what was known by then is above"
    return "a bound was exceeded, which is a bug in gradcli; please report it"
