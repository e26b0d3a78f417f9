"""What a network does to the differences between its inputs: it loses them, or blows them up.

Below the edge of chaos all inputs end at one point, above it near ones end far apart (Poole et al.
2016, doi:10.48550/arXiv.1606.05340); the gradient vanishes with the former and explodes with the
latter, at the same rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from gradcli.analysis.flow.measure import Measured
from gradcli.analysis.flow.propagate import Propagation
from gradcli.analysis.flow.report import FlowVerdict, LayerFlow, Phase
from gradcli.analysis.flow.rows import Rows
from gradcli.analysis.flow.scaled import LOG10_2, Scaled, added
from gradcli.analysis.flow.structure import Structure
from gradcli.diagnostics.finding import Finding
from gradcli.diagnostics.rules import finding
from gradcli.spec.plan import Plan

__all__ = ["phase_findings", "phase_of", "separations"]

_APART: Final = 0.1
"""Inputs that differ by this share of their size are not near any more."""

_RANK_NOISE: Final = 1e-15
"""What rounding leaves of the effective rank's excess over 1."""


def phase_findings(
    plan: Plan, structure: Structure, measured: Measured, verdict: FlowVerdict, threshold: float
) -> Iterator[Finding]:
    """Ordered, or else collapsed to one direction; chaotic, of networks that explode."""
    least = 10.0**-threshold
    whole = [layer for layer in measured.layers if layer.at_cut]
    collapse = _first(whole, lambda rows: _ratio(rows.spread, measured.inputs.spread), least)
    if collapse is not None:
        spread = collapse.rows.spread
        yield finding(
            "GF110",
            collapse.name,
            f"the examples of the batch differ by {spread:.1e} of their size here, by "
            f"{measured.inputs.spread:.2g} at the input: whatever goes in, the same comes out "
            f"(mean cosine {collapse.rows.cosine:.6f})",
            file=plan.file,
            data={"spread": spread, "at_input": measured.inputs.spread},
        )
    else:
        besides = _first(
            whole, lambda rows: _ratio(_besides(rows), _besides(measured.inputs)), least
        )
        if besides is not None:
            yield finding(
                "GF112",
                besides.name,
                f"the examples of the batch fill one direction here (effective rank "
                f"{besides.rows.effective_rank:.6f}), {measured.inputs.effective_rank:.3g} at the "
                f"input: only their sizes tell them apart",
                file=plan.file,
                data={
                    "effective_rank": besides.rows.effective_rank,
                    "at_input": measured.inputs.effective_rank,
                },
            )
    if verdict == "exploding":
        yield from _chaos(plan, structure, threshold)


def phase_of(verdict: FlowVerdict, findings: Iterable[Finding]) -> Phase | None:
    """The phase that goes with a verdict, if the network was found in it."""
    codes = {found.code for found in findings}
    if verdict == "vanishing" and "GF110" in codes:
        return "ordered phase"
    return "chaotic phase" if verdict == "exploding" and "GF111" in codes else None


def _first(
    layers: list[LayerFlow], part: Callable[[Rows], float], least: float
) -> LayerFlow | None:
    """The first layer of which less than so much of what is at the input is left."""
    return next((layer for layer in layers if part(layer.rows) < least), None)


def _ratio(now: float, before: float) -> float:
    return now / before if before > 0 else math.nan


def _besides(rows: Rows) -> float:
    """What lies outside the main direction, as a part of the size.

    With a share d of the squares outside, tr(G)²/‖G‖_F² is 1 + 2d as long as d is small.
    """
    return math.sqrt(min(1.0, max(rows.effective_rank - 1, _RANK_NOISE) / 2))


def _chaos(plan: Plan, structure: Structure, threshold: float) -> Iterator[Finding]:
    apart = separations(plan, structure)
    if 0 not in apart:  # inputs of zeros have no size to differ by
        return
    start = apart[0]
    enough = min(start + threshold, max(start, math.log10(_APART)))
    ends = {place.slot: plan.nodes[place.node].name for place in structure.layers}
    for slot, distance in apart.items():
        if slot in ends and distance >= enough:
            far = max(apart.values())
            yield finding(
                "GF111",
                ends[slot],
                f"inputs that differ by {10**start:.1e} of their size differ by {10**distance:.1e} "
                f"here and by {10**far:.1e} at most: near inputs do not stay near",
                file=plan.file,
                data={"log10_at_input": start, "log10_here": distance, "log10_most": far},
            )
            return


def separations(plan: Plan, structure: Structure) -> dict[int, float]:
    """log10 of ‖a - a'‖/‖a‖ at the places that everything passes, for inputs x and x'.

    x' is x with noise of √eps of its size, so that neither rounding nor curvature counts.
    """
    run = Propagation(plan, structure)
    x = run.inputs()
    eps = float(np.finfo(x.dtype).eps)
    noise = np.random.default_rng(plan.seed).standard_normal(x.shape)
    size = math.sqrt(eps) * float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
    found = {}
    near = run.values((x + size * noise).astype(x.dtype))
    for (slot, value), (_, other) in zip(run.values(x), near, strict=True):
        if slot in structure.cuts:
            gap = added([value, Scaled(-other.array, other.exponent, other.norm)])
            if not (value.norm and value.finite and gap.finite):
                break
            found[slot] = LOG10_2 * (gap.log2 - value.log2)
    return found
