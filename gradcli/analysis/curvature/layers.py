"""The Hessian layer by layer: the blocks of its diagonal, as if all other layers stood still."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.curvature.lanczos import lanczos, outermost
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Block
from gradcli.analysis.curvature.trace import estimate, signs
from gradcli.core.arrays import Array

__all__ = ["blocks_of", "sampled_blocks"]

_EPS = float(np.finfo(np.float64).eps)
_STEPS = 60  # of Lanczos' method in a block, where the whole takes hundreds


def blocks_of(products: Products, hessian: Array) -> tuple[Block, ...]:
    """Each layer's block of the assembled matrix."""
    found = []
    total = float(np.sum(np.square(hessian)))
    for name, place in products.where.blocks().items():
        own = hessian[place, place]
        values = np.linalg.eigvalsh(own)
        rounding = len(own) * _EPS * float(np.abs(values).max())
        found.append(
            Block(
                name,
                parameters=len(own),
                smallest=float(values[0]),
                smallest_error=rounding,
                largest=float(values[-1]),
                largest_error=rounding,
                trace=float(np.trace(own)),
                trace_error=rounding,
                share=float(np.sum(np.square(own))) / total if total else None,
                gradient_norm=float(np.linalg.norm(products.gradient[place])),
            )
        )
    return tuple(found)


def sampled_blocks(
    products: Products, probes: Array, images: Array, most: int, tolerance: float, seed: int
) -> tuple[Block, ...]:
    """Each layer's block: the outermost eigenvalues by Lanczos, the trace over probes of the whole.

    `images` are the Hessian times the probes (k, p) of random signs.
    """
    found = []
    for position, (name, place) in enumerate(products.where.blocks().items()):
        width = place.stop - place.start

        def times(vector: Array, place: slice = place) -> Array:
            whole = np.zeros((1, products.size))
            whole[0, place] = vector
            return products.times("hessian", whole)[0, place]

        start = signs(np.random.default_rng([seed, 3, position]), 1, width)[0]
        ritz = lanczos(times, start, min(_STEPS, most), outermost(tolerance))
        trace = estimate((probes * images)[:, place].sum(axis=1))
        found.append(
            Block(
                name,
                parameters=width,
                smallest=float(ritz.values[0]),
                smallest_error=float(ritz.errors[0]),
                largest=float(ritz.values[-1]),
                largest_error=float(ritz.errors[-1]),
                trace=trace.value,
                trace_error=trace.error,
                share=None,
                gradient_norm=float(np.linalg.norm(products.gradient[place])),
            )
        )
    return tuple(found)
