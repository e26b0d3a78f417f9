"""Which of the matrices are one and the same here, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from gradcli.analysis.curvature.report import SAME, Matrix, Relation
from gradcli.core.arrays import Array
from gradcli.spec.plan import Plan

__all__ = ["coincide", "relations_of"]

_PAIRS: Final[tuple[tuple[Matrix, Matrix], ...]] = (
    ("gauss_newton", "hessian"),
    ("fisher", "gauss_newton"),
    ("empirical_fisher", "fisher"),
)


def relations_of(plan: Plan, images: Mapping[Matrix, Array]) -> tuple[Relation, ...]:
    """Distances between matrices, given the images of one and the same vectors under each.

    The images of all unit vectors are the matrices themselves. Of two that are zero there is
    nothing to say.
    """
    found = []
    for matrix, other in _PAIRS:
        if matrix in images and other in images:
            norm = float(np.linalg.norm(images[other]))
            apart = float(np.linalg.norm(images[matrix] - images[other]))
            if not (norm or apart):
                continue
            distance = apart / norm if norm else float(np.inf)
            found.append(Relation(matrix, other, distance, _WHY[matrix](plan, distance <= SAME)))
    return tuple(found)


def coincide(images: Array, others: Array) -> bool:
    """Whether two matrices that make these of the same vectors are one but for rounding."""
    return float(np.linalg.norm(images - others)) <= SAME * float(np.linalg.norm(others))


def _of_hessian(plan: Plan, same: bool) -> str:
    if same:
        return (
            "the outputs are linear in the parameters, or the loss has no slope in them"
            if plan.losses
            else "there is nothing but penalties"
        )
    return "the rest of the Hessian is the network's own curvature, weighted by the loss's slopes"


def _of_gauss_newton(plan: Plan, same: bool) -> str:
    names = " and ".join(dict.fromkeys(loss.op.name for loss in plan.losses))
    traits = (loss.op.traits_at(loss.options) for loss in plan.losses)
    noise = " and ".join(
        dict.fromkeys(each.noise.name for each in traits if each and each.noise is not None)
    )
    if same:
        return (
            f"{names} is the likelihood of noise that is {noise}, and its curvature in the outputs "
            "is the same for every target"
        )
    return (
        f"the curvature of {names} in the outputs depends on the targets, and the Fisher matrix "
        f"has what noise that is {noise} would make of it"
    )


def _of_fisher(plan: Plan, same: bool) -> str:
    if same:
        return "the gradients at the data's targets spread as those at targets of the model would"
    return (
        "it has the gradients at the data's own targets, not at targets drawn from the model: only "
        "where the model fits do the two agree, and only for many examples"
    )


_WHY: Final[Mapping[Matrix, Callable[[Plan, bool], str]]] = {
    "gauss_newton": _of_hessian,
    "fisher": _of_gauss_newton,
    "empirical_fisher": _of_fisher,
}
