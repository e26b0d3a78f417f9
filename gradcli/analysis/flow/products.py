"""What each node can do to a gradient, and the products of that along the network.

The bound is the course notes' Π ‖W‖₂·max f', with triangle inequalities where paths join; the rms
product is Π (‖W‖_F/√fan_out)·rms f', the same for a cotangent that points nowhere in particular,
with squares added where paths join.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradcli.analysis.flow.propagate import Visit
from gradcli.analysis.flow.scaled import log2_norm, spectral_norm
from gradcli.core.arrays import Array
from gradcli.core.op import Activation
from gradcli.core.traits import LayerTraits
from gradcli.spec.plan import NodePlan, Plan

__all__ = ["Factors", "Products", "factors_of", "log2", "mixing_matrix", "products_along"]


@dataclass(frozen=True)
class Factors:
    """log2 of ‖cotangent of an input‖/‖cotangent of the output‖, for each input.

    `bound` is never exceeded, `rms` what is typical; `measured` is what this pass had.
    """

    bound: tuple[float, ...]
    rms: tuple[float, ...]
    measured: tuple[float, ...]


@dataclass(frozen=True)
class Products:
    """log2 of the running products from the input, by slot."""

    bound: dict[int, float]
    rms: dict[int, float]


def log2(value: float) -> float:
    """log2, -inf at zero."""
    return math.log2(value) if value > 0 else -math.inf if value == 0 else math.nan


def mixing_matrix(visit: Visit, traits: LayerTraits) -> Array | None:
    """The W of a layer that is y = x Wᵀ + …, so that its norm bounds the layer; None for others."""
    if traits.mixing is None or traits.affine.get("x", ())[1:] != (traits.mixing,):
        return None
    weight = visit.step.parameters[traits.mixing]
    return weight if weight.ndim == 2 and len(visit.step.inputs) == 1 else None


def factors_of(visit: Visit, node: NodePlan, traits: LayerTraits, stated: float | None) -> Factors:
    """The factors of one node at this point. `stated` is ‖W‖₂ where it is known already.

    A node of which nothing is known is bounded by infinity.
    """
    measured = tuple(reached.log2 - visit.cotangent.log2 for reached in visit.to_inputs)
    if visit.slopes is not None:
        largest = float(np.max(np.abs(visit.slopes), initial=0.0))
        rms = log2_norm(visit.slopes) - math.log2(visit.slopes.size) / 2
        return Factors((log2(largest),), (rms,), measured)
    matrix = mixing_matrix(visit, traits)
    if matrix is not None:
        norm = spectral_norm(matrix) if stated is None else stated
        rms = log2_norm(matrix) - math.log2(matrix.shape[0]) / 2
        return Factors((log2(norm),), (rms,), measured)
    bound = tuple(math.inf for _ in measured)
    if traits.lipschitz is not None:
        constants = traits.lipschitz(visit.step.arrays, visit.step.parameters)
        bound = tuple(map(log2, constants))
    elif isinstance(node.op, Activation) and node.op.traits is not None:
        claims = node.op.traits(**node.options)
        growth = claims.feature_growth * math.log2(node.shape[-1])
        bound = (log2(claims.lipschitz) + growth,)
    return Factors(bound, measured, measured)


def products_along(plan: Plan, factors: dict[int, Factors], last: int) -> Products:
    """Sums over all paths from the input to each slot up to `last`, of the products along them."""
    bound, rms = {0: 0.0}, {0: 0.0}
    for index in sorted(factors):
        if index >= last:
            break
        node, own = plan.nodes[index], factors[index]
        through = [(k, slot) for k, slot in enumerate(node.inputs) if slot in bound]
        if not through:
            continue
        bound[index + 1] = _sum([_times(own.bound[k], bound[slot]) for k, slot in through])
        rms[index + 1] = _sum([2 * _times(own.rms[k], rms[slot]) for k, slot in through]) / 2
    return Products(bound, rms)


def _times(a: float, b: float) -> float:
    """log2 of a product; nothing times anything, unknown included, is nothing."""
    return -math.inf if -math.inf in (a, b) else a + b


def _sum(terms: list[float]) -> float:
    """log2 of a sum."""
    largest = max(terms)
    if len(terms) == 1 or math.isinf(largest) or any(map(math.isnan, terms)):
        return math.nan if any(map(math.isnan, terms)) else largest
    return largest + math.log2(math.fsum(2.0 ** (term - largest) for term in terms))
