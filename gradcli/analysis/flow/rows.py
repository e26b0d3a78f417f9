"""How far the examples of a batch are apart: whether a layer still tells its inputs apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from gradcli.analysis.facts import Facts
from gradcli.core.arrays import Array

__all__ = ["NO_ROWS", "Rows", "rows_of"]

_MOST = 256
"""Examples that are compared: the squares of more would cost more than the network itself."""


@dataclass(frozen=True)
class Rows(Facts):
    """The examples of a batch compared at one place; NaN where fewer than two are not zero.

    `cosine` is the mean cosine of two different ones. `spread` is the size of their deviations
    from their mean as a part of their own size: 1 for inputs of mean zero, 0 where all are the
    same. `effective_rank` is tr(G)²/‖G‖_F² of their Gram matrix G, between 1 and the number of
    examples or features: how many directions they fill (Daneshmand et al. 2020,
    doi:10.48550/arXiv.2003.01652, bound the rank by it from below).
    """

    cosine: float
    spread: float
    effective_rank: float


NO_ROWS: Final = Rows(math.nan, math.nan, math.nan)


def rows_of(array: Array) -> Rows:
    """Compare the examples along the first axis, of which 256 are enough; their scale is none."""
    rows = np.asarray(array[:_MOST], np.float64).reshape(min(len(array), _MOST), -1)
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows, norms = rows[norms > 0], norms[norms > 0]
    count = len(rows)
    if count < 2 or not np.isfinite(norms).all():
        return NO_ROWS
    directions = (rows / norms[:, None]).sum(axis=0)
    cosine = (float(directions @ directions) - count) / (count * (count - 1))
    rows = rows / math.sqrt(float(norms @ norms))
    deviations = rows - rows.mean(axis=0)
    gram = rows @ rows.T if count <= rows.shape[1] else rows.T @ rows
    return Rows(cosine, float(np.linalg.norm(deviations)), max(1.0, 1 / float(np.vdot(gram, gram))))
