"""The Hessian layer by layer: the blocks of its diagonal, as if all other layers stood still."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.curvature.lanczos import Lanczos, Ritz, outermost
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Block
from gradcli.analysis.curvature.trace import estimate, signs
from gradcli.core.arrays import Array
from gradcli.engine.replicas import chunks

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
    found: list[Block] = []
    named = list(products.where.blocks().items())
    for part in chunks(len(named), 8 * products.size):
        runs = [
            Lanczos(
                signs(np.random.default_rng([seed, 3, position]), 1, place.stop - place.start)[0],
                min(_STEPS, most),
                outermost(tolerance),
            )
            for position, (_, place) in list(enumerate(named))[part]
        ]
        places = [place for _, place in named[part]]
        for (name, place), ritz in zip(named[part], _together(products, runs, places), strict=True):
            trace = estimate((probes * images)[:, place].sum(axis=1))
            found.append(
                Block(
                    name,
                    parameters=place.stop - place.start,
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


def _together(products: Products, runs: list[Lanczos], places: list[slice]) -> list[Ritz]:
    """Lanczos' method in several blocks: a pass through the network costs more than its copies."""
    while going := [i for i, run in enumerate(runs) if run.found is None]:
        whole = np.zeros((len(going), products.size))
        for row, i in enumerate(going):
            whole[row, places[i]] = runs[i].vector
        for i, image in zip(going, products.times("hessian", whole), strict=True):
            runs[i].go_on(image[places[i]])
    return [run.found for run in runs if run.found is not None]
