"""What the measured signal amounts to: verdict, band, cause, depth budget."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradcli.analysis.flow.report import Cause, FlowVerdict, Phase

__all__ = ["band_of", "cause_of", "depth_budget", "ranges_of", "student_t", "verdict_of"]


def student_t(degrees: int, probability: float = 0.975) -> float:
    """Quantile of Student's t, from its closed form (Abramowitz and Stegun 26.7.3-4)."""
    low, high = 0.0, math.pi / 2
    for _ in range(80):
        middle = (low + high) / 2
        if (1 + _central(degrees, middle)) / 2 < probability:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan(low)


def _central(degrees: int, angle: float) -> float:
    """P(|T| < √ν·tan θ) for ν degrees of freedom."""
    sine, cosine = math.sin(angle), math.cos(angle)
    term, start = (cosine, 2) if degrees % 2 else (1.0, 1)
    total = term if degrees > 1 else 0.0
    for k in range(start, degrees - 2, 2):
        term *= cosine * cosine * k / (k + 1)
        total += term
    return (angle + sine * total) * 2 / math.pi if degrees % 2 else sine * total


def band_of(totals: Sequence[float]) -> tuple[float, float] | None:
    """The interval in which 95 % of further draws lie, for normal totals; None for fewer than two.

    mean ± t·s·√(1 + 1/n), the prediction interval of one more draw: a verdict is meant to hold for
    whatever seed comes next. Totals of -inf (no gradient arrives at all) open it downwards.
    """
    if len(totals) < 2 or any(math.isnan(total) for total in totals):
        return None
    finite = [total for total in totals if math.isfinite(total)]
    if not finite:
        return (totals[0], totals[0]) if len(set(totals)) == 1 else (-math.inf, math.inf)
    mean = math.fsum(finite) / len(finite)
    half = 0.0
    if len(finite) > 1:
        n = len(finite)
        spread = math.sqrt(math.fsum((total - mean) ** 2 for total in finite) / (n - 1))
        half = student_t(n - 1) * spread * math.sqrt(1 + 1 / n)
    low = -math.inf if -math.inf in totals else mean - half
    return low, (math.inf if math.inf in totals else mean + half)


def ranges_of(draws: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    """Least and largest norm by place, NaN where a draw has none; nothing for a single draw."""
    if len(draws) == 1:
        return ()
    places = zip(*draws, strict=True)
    return tuple(
        (math.nan, math.nan) if any(map(math.isnan, norms)) else (min(norms), max(norms))
        for norms in places
    )


def verdict_of(total: float, band: tuple[float, float] | None, threshold: float) -> FlowVerdict:
    """The side of ±threshold on which the band lies together with this network's own total."""
    if math.isnan(total):
        return "undetermined"
    low, high = (total, total) if band is None else (min(band[0], total), max(band[1], total))
    if high < -threshold:
        return "vanishing"
    if low > threshold:
        return "exploding"
    return "healthy" if -threshold <= low and high <= threshold else "undetermined"


def cause_of(
    verdict: FlowVerdict,
    total: float,
    slope: float,
    weights: float,
    *,
    dead: bool = False,
    phase: Phase | None = None,
    threshold: float = 0.0,
) -> Cause | None:
    """The part of the total that goes furthest in the verdict's direction; None for other verdicts.

    `slope` and `weights` are the decades of the rms product; dead units come before both. The rest
    is to blame where it outweighs the product. Where slopes and weights pull against each other,
    both by more than the threshold, neither is too small or too large by itself: it is the phase,
    if the network was found in one.
    """
    if verdict not in ("vanishing", "exploding"):
        return None
    rest = total - slope - weights
    if dead and verdict == "vanishing":
        return Cause("dead units", slope, weights, rest)
    sign = -1 if verdict == "vanishing" else 1
    if sign * rest > sign * (slope + weights):
        return Cause("rest", slope, weights, rest)
    if phase is not None and slope * weights < 0 and min(abs(slope), abs(weights)) > threshold:
        return Cause(phase, slope, weights, rest)
    return Cause("slope" if sign * slope >= sign * weights else "weights", slope, weights, rest)


def depth_budget(norms: Sequence[float], threshold: float) -> int | None:
    """Layers from the loss over which log10 norms stay within the threshold of the last one's.

    None where all of them do. A norm that is not known (NaN) goes with the next one that is.
    """
    within = 0
    for back in range(1, len(norms)):
        distance = abs(norms[-1 - back] - norms[-1])
        if distance > threshold:
            return within
        if not math.isnan(distance):
            within = back
    return None
