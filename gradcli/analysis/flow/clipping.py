"""What clipping would do to a gradient that explodes: to its size, and to its direction."""

from __future__ import annotations

import math

import numpy as np

from gradcli.analysis.flow.report import Clipping
from gradcli.engine.model import Model
from gradcli.spec.plan import Plan

__all__ = ["clipping_of"]

LIMIT = 1.0
"""The norm, or the size of an entry, beyond which the gradient is clipped here."""


def clipping_of(plan: Plan) -> Clipping | None:
    """The gradient of all parameters clipped by norm and by value; None where it is not finite.

    By norm g·min(1, c/‖g‖), which keeps the direction whatever the size, and by value each entry
    held between -c and c, which does not (Pascanu, Mikolov, Bengio 2013).
    """
    model = Model(plan)
    _, gradients = model.value_and_grad()
    whole = np.concatenate([gradients[name].ravel().astype(float) for name in plan.parameters])
    largest = float(np.abs(whole).max(initial=0.0))
    if not 0 < largest < math.inf:
        return None
    norm = largest * float(np.linalg.norm(whole / largest))
    clipped = np.clip(whole, -LIMIT, LIMIT)
    size = float(np.linalg.norm(clipped))
    return Clipping(
        limit=LIMIT,
        log10_norm=math.log10(norm),
        norm_factor=min(1.0, LIMIT / norm),
        clipped=float(np.mean(np.abs(whole) > LIMIT)),
        log10_clipped_norm=math.log10(size),
        cosine=float((clipped / size) @ (whole / norm)),
    )
