"""The trace of a matrix, and of its blocks, from products with random signs.

For z of independent signs, E zᵀAz = tr A, and z⊙Az has the diagonal as its mean (Hutchinson, "A
stochastic estimator of the trace", 1990); E ‖Az‖² = ‖A‖²_F.
"""

from __future__ import annotations

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["Estimate", "estimate", "signs"]


class Estimate(Record):
    """A mean over probes, and its standard error."""

    value: float
    error: float


def signs(rng: np.random.Generator, count: int, size: int) -> Array:
    """Probes (count, size) of independent random signs."""
    return rng.choice((-1.0, 1.0), (count, size))


def estimate(samples: Array) -> Estimate:
    """The mean of samples with its standard error, infinite for a single one."""
    count = len(samples)
    error = float(samples.std(ddof=1)) / np.sqrt(count) if count > 1 else np.inf
    return Estimate(float(samples.mean()), float(error))
