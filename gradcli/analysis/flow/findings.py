"""What a measured network gives reason to say, with its rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from gradcli.analysis.flow.measure import Measured
from gradcli.analysis.flow.report import Cause, FlowVerdict, LayerFlow, power_of_ten
from gradcli.analysis.flow.structure import Structure
from gradcli.analysis.flow.units import Shares, unusual
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.spec.plan import Plan

__all__ = ["blame", "other_findings", "unit_findings", "verdict_finding", "why_undetermined"]


def verdict_finding(
    plan: Plan,
    measured: Measured,
    verdict: FlowVerdict,
    band: tuple[float, float] | None,
    cause: Cause | None,
    threshold: float,
) -> Iterator[Finding]:
    """Vanishing, exploding or undetermined; nothing for a healthy network."""
    total, layers = measured.signal.total, measured.layers
    where = layers[0].name if len(layers) == 1 else f"{layers[0].name} to {layers[-1].name}"
    if verdict == "undetermined":
        yield finding("GF108", where, why_undetermined(total, band, threshold), file=plan.file)
    if cause is None:
        return
    if math.isinf(total):
        message = "no gradient reaches the input at all"
    else:
        does = "shrinks" if total < 0 else "grows"
        message = (
            f"the gradient {does} by {abs(total):.1f} decades from the last layer to the input, a "
            f"factor of {power_of_ten(total / len(layers)):.3g} a layer"
        )
    code = "GF101" if verdict == "vanishing" else "GF102"
    data = {"log10_total": total, "cause": cause.to_dict()}
    names = " and ".join(dict.fromkeys(layer.activation for layer in layers if layer.activation))
    said = f"{message}; {blame(cause, len(layers), names)}"
    yield finding(code, where, said, file=plan.file, data=data)


def why_undetermined(total: float, band: tuple[float, float] | None, threshold: float) -> str:
    """What kept a verdict from being given, as a sentence."""
    if band is None or math.isnan(total):
        return "the gradient's total is not a number, so there is nothing to judge by"
    return (
        f"95 % of draws lie between {band[0]:+.2f} and {band[1]:+.2f} decades, across the "
        f"threshold of {threshold:g}: the verdict depends on the seed"
    )


def blame(cause: Cause, depth: int, names: str, rung: str = "layer") -> str:
    """The part to blame, in words: of so many layers with activations of these names."""
    if cause.name == "slope":
        return (
            f"the cause is the slope of {names}, {power_of_ten(cause.slope / depth):.3g} a {rung} "
            f"(rms), {cause.slope:+.1f} decades in all; the weights' share is "
            f"{_decades(cause.weights)}"
        )
    if cause.name == "weights":
        return (
            f"the cause is the weights, {power_of_ten(cause.weights / depth):.3g} a {rung} "
            f"(‖W‖_F/sqrt(fan_out)), {cause.weights:+.1f} decades in all; the slopes' share is "
            f"{_decades(cause.slope)}"
        )
    if cause.name == "dead units":
        return "the cause is dead units"
    if cause.name in ("ordered phase", "chaotic phase"):
        return (
            f"the cause is the {cause.name}: the slope of {names}, "
            f"{power_of_ten(cause.slope / depth):.3g} a {rung} (rms), and the weights, "
            f"{power_of_ten(cause.weights / depth):.3g} a {rung} (‖W‖_F/sqrt(fan_out)), pull "
            f"against each other, by {_decades(cause.slope)} and {_decades(cause.weights)} "
            "decades; `gradcli flow --critical` tells where they are even"
        )
    return (
        "the cause is neither slopes nor weights but what lies between the layers, such as sums of "
        f"residual blocks or normalization, {cause.rest:+.1f} decades in all"
    )


def _decades(value: float) -> str:
    return f"{round(value, 1) + 0.0:+.1f}"


def unit_findings(plan: Plan, measured: Measured, structure: Structure) -> Iterator[Finding]:
    """Dead and saturated units, where there are more than is usual for the activation."""
    kinds: tuple[tuple[str, str, Callable[[Shares | LayerFlow], float], str], ...] = (
        ("GF103", "dead", lambda shares: shares.dead, "have no slope on any row"),
        ("GF104", "saturated", lambda shares: shares.saturated, "are level on every row"),
    )
    for code, key, share_of, what in kinds:
        affected = []
        for place, layer in zip(structure.layers, measured.layers, strict=True):
            normal = measured.normal.get(place.node)
            share = share_of(layer)
            if share and normal is not None:
                expected = share_of(normal.expected)
                if unusual(share, expected, layer.width):
                    affected.append((place, layer, share, expected))
        if not affected:
            continue
        place, worst, share, expected = max(affected, key=lambda item: item[2] - item[3])
        usual = "none" if not expected else f"{expected:.0%}"
        others = len(affected) - 1
        message = (
            f"{share:.0%} of its units ({worst.activation}) {what} of the batch; {usual} is usual"
        )
        if others:
            message += f"; so it is in {others} more layer{'s' if others > 1 else ''}"
        node = plan.nodes[place.node]
        data = {
            "share": share,
            "usual": expected,
            "layers": [layer.name for _, layer, _, _ in affected],
            "units": key,
        }
        yield finding(code, worst.name, message, file=plan.file, line=node.line, data=data)


def other_findings(
    plan: Plan, measured: Measured, verdict: FlowVerdict, threshold: float
) -> Iterator[Finding]:
    """What is not finite, no signal, a violated bound, weight gradients that hide the signal."""
    signal, layers, breakdown = measured.signal, measured.layers, measured.breakdown
    if breakdown is not None:
        what = {"forward": "an activation", "loss": "the loss's gradient", "backward": "a gradient"}
        node = None if breakdown.node is None else plan.nodes[breakdown.node]
        yield finding(
            "GF105",
            "loss" if node is None else node.name,
            f"{what[breakdown.phase]} is no longer finite in {plan.dtype}",
            file=plan.file,
            line=0 if node is None else node.line,
            data={"phase": breakdown.phase},
        )
    elif measured.loss_rescaled:
        yield finding(
            "GF105",
            "loss",
            f"the outputs are too large for {plan.dtype}: the loss's gradient is not finite there; "
            "the signal is measured with the outputs divided by a power of two",
            file=plan.file,
            data={"phase": "loss"},
        )
    if signal.norms[-1] == -math.inf:
        message = "the loss's gradient is zero at its output"
        yield finding("GF109", layers[-1].name, message, file=plan.file)
    for violation in measured.violations:
        yield finding(
            "GF106",
            violation.where,
            f"measured {violation.measured:+.12g} decades, bound {violation.bound:+.12g}",
            file=plan.file,
            data={"measured": violation.measured, "bound": violation.bound},
        )
    first, last = (layers[i].log10_weight_gradient_norm for i in (0, -1))
    if verdict in ("vanishing", "exploding") and abs(first - last) <= threshold / 2:
        yield finding(
            "GF107",
            f"{layers[0].name} to {layers[-1].name}",
            f"the weight gradients of the first and last layer differ by {_decades(first - last)} "
            f"decades only, the signal by {_decades(signal.total)}: the activations hide it",
            file=plan.file,
            data={"weight_gradients": first - last, "signal": signal.total},
        )
