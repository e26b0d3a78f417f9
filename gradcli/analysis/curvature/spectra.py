"""What is known of a matrix's eigenvalues: all of them, or the outermost and a few sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.analysis.curvature.exact import Dense
from gradcli.analysis.curvature.lanczos import lanczos, outermost
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Matrix, Spectrum
from gradcli.analysis.curvature.trace import estimate
from gradcli.core.arrays import Array

__all__ = ["exact_spectrum", "sampled_spectrum"]


def exact_spectrum(matrix: Matrix, dense: Dense) -> Spectrum:
    """All eigenvalues of an assembled matrix."""
    values, rounding = dense.eigenvalues, dense.rounding
    sizes = np.abs(values[np.abs(values) > rounding])
    return Spectrum(
        matrix,
        smallest=float(values[0]),
        smallest_error=rounding,
        largest=float(values[-1]),
        largest_error=rounding,
        trace=float(np.trace(dense.matrix)),
        trace_error=rounding,
        frobenius=float(np.linalg.norm(dense.matrix)),
        frobenius_error=rounding,
        negative=int((values < -rounding).sum()),
        zero=int((np.abs(values) <= rounding).sum()),
        positive=int((values > rounding).sum()),
        condition=float(sizes.max() / sizes.min()) if len(sizes) else None,
        asymmetry=dense.asymmetry,
        eigenvalues=tuple(values.tolist()),
    )


def sampled_spectrum(
    products: Products,
    matrix: Matrix,
    probes: Array,
    images: Array,
    most: int,
    tolerance: float,
    on_step: Callable[[int], None] | None = None,
) -> Spectrum:
    """The outermost eigenvalues by Lanczos, and sums of all over probes and their images (k, p)."""
    trace = estimate((probes * images).sum(axis=1))
    square = estimate(np.square(images).sum(axis=1))
    norm = float(np.sqrt(square.value))

    def times(vector: Array) -> Array:
        return products.times(matrix, vector[None]).reshape(-1)

    ritz = lanczos(times, probes[0], most, outermost(tolerance), on_step)
    smallest, largest = float(ritz.values[0]), float(ritz.values[-1])
    error = float(ritz.errors[0])
    return Spectrum(
        matrix,
        smallest=smallest,
        smallest_error=error,
        largest=largest,
        largest_error=float(ritz.errors[-1]),
        condition=largest / smallest if smallest > 2 * error else None,
        trace=trace.value,
        trace_error=trace.error,
        frobenius=norm,
        frobenius_error=square.error / (2 * norm) if norm else 0.0,
        density=tuple(zip(ritz.values.tolist(), ritz.weights.tolist(), strict=True)),
    )
