"""Hessian products against differences of the gradient, which share nothing with them but that.

Along a random direction the gradient is taken at points ever nearer; pairs of them extrapolate
each other's error away, and how far neighbouring estimates lie apart says how sure the best is.
Steps on which a branch flips are left out: beyond a kink the gradient is another one.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Crosscheck
from gradcli.analysis.gradcheck.truth import OP_ULPS, nudged
from gradcli.core.arrays import Array, Mask
from gradcli.engine.model import INPUTS
from gradcli.engine.replicas import Point, chunks

__all__ = ["crosscheck"]

_STEPS = 2.0 ** -np.arange(4.0, 28.0, 2.0)  # relative to the size of the parameters
_RATIO = 16  # of the errors of central differences at neighbouring steps
_EPS = float(np.finfo(np.float64).eps)
_SURE = 16  # uncertainties that a right product may be off by
_TRIES = 3
_DIRECTIONS = 4
_CLEAR = 1e-3  # relative uncertainty above which nothing has been compared


def crosscheck(products: Products, seed: int) -> Crosscheck:
    """How far products with a few random directions are from differences, and how unsure these are.

    Both are relative to the size of the product. Directions along which every step crosses a kink,
    or along which the Hessian itself leaps at the point, as that of `elu` does at zero, are not
    compared.
    """
    rng = np.random.default_rng([seed, 2])
    vectors = rng.standard_normal((_DIRECTIONS, products.size))
    jitter = _jitter(products, rng)
    turned = products.times("hessian", vectors)
    error = doubt = 0.0
    compared = 0
    agrees = True
    for vector, product in zip(vectors, turned, strict=True):
        value, uncertainty = _derivative(products, vector, jitter)
        size = max(float(np.linalg.norm(product)), float(np.linalg.norm(value)))
        if not np.isfinite(uncertainty) or uncertainty > _CLEAR * max(size, _floor(products)):
            continue
        compared += 1
        off = float(np.linalg.norm(product - value))
        agrees = agrees and bool(off <= _SURE * uncertainty)
        error = max(error, off / size if size else 0.0)
        doubt = max(doubt, uncertainty / size if size else 0.0)
    asymmetry = _asymmetry(vectors, turned)
    return Crosscheck(_DIRECTIONS, compared, error, doubt, asymmetry, agrees if compared else None)


def _floor(products: Products) -> float:
    """A size below which a turn of the gradient is of no interest beside the gradient itself."""
    return float(np.linalg.norm(products.gradient)) / products.scale


def _asymmetry(vectors: Array, turned: Array) -> float:
    """The largest |uᵀHv - vᵀHu| of all pairs, relative to what rounding is relative to."""
    forms = vectors @ turned.T
    lengths = np.linalg.norm(vectors, axis=1)
    sizes = np.outer(lengths, np.linalg.norm(turned, axis=1))
    largest = float(sizes.max(initial=0.0))
    return float(np.abs(forms - forms.T).max()) / largest if largest else 0.0


def _jitter(products: Products, rng: np.random.Generator) -> float:
    """How far the gradient moves when every value on its way does, by its last digits: most of 3.

    A network may lose digits on the way, so that its gradient is less sure than it is large.
    """
    at = products.point[None]
    base, moves = products.gradients(at), [0.0]
    for _ in range(_TRIES):
        with products.model.network.rounded(lambda each: nudged(each, _EPS, rng, OP_ULPS)):
            moves.append(float(np.linalg.norm(products.gradients(at) - base)))
    return max(moves) if np.isfinite(moves).all() else np.inf


def _derivative(products: Products, vector: Array, jitter: float) -> tuple[Array, float]:
    """The derivative of the gradient along a vector, and its uncertainty in the Euclidean norm."""
    steps = _STEPS * products.scale / float(np.abs(vector).max())
    offsets = np.concatenate([steps, -steps])
    gradients, flipped = _gradients(products, offsets, vector)
    count = len(steps)
    usable = ~(flipped[:count] | flipped[count:])
    central = (gradients[:count] - gradients[count:]) / (2 * steps[:, None])
    best, least, chosen = np.zeros_like(vector), np.inf, count
    rounding = _EPS * np.abs(gradients).max() * np.sqrt(products.size)
    noise = max(rounding, jitter) / steps
    one_sided = gradients[:count] + gradients[count:] - 2 * products.gradient
    if _leaps(np.linalg.norm(one_sided, axis=1) / steps, noise, usable):
        return np.zeros_like(vector), np.inf
    refined: list[tuple[int, Array]] = [
        (i, (_RATIO * central[i] - central[i - 1]) / (_RATIO - 1))
        for i in range(1, count)
        if usable[i] and usable[i - 1]
    ]
    for (i, coarse), (j, fine) in pairwise(refined):
        apart = float(np.linalg.norm(fine - coarse) + noise[j])
        if j == i + 1 and apart < least:
            best, least, chosen = fine, apart, j
    nearer = [float(np.linalg.norm(each - best) - noise[i]) for i, each in refined if i > chosen]
    return best, max(least, *nearer, 0.0)  # what is nearer the point may say otherwise


def _leaps(gaps: Array, noise: Array, usable: Mask) -> bool:
    """Whether the differences of both sides stay apart, however near the point they are taken.

    Where the Hessian is continuous their gap shrinks with the step, here to a quarter each time.
    """
    finest = next(
        (
            i
            for i in range(len(gaps) - 1, 0, -1)
            if usable[i] and usable[i - 1] and gaps[i] > _SURE * noise[i]
        ),
        None,
    )
    return finest is not None and bool(gaps[finest] > gaps[finest - 1] / 2)


def _gradients(products: Products, offsets: Array, vector: Array) -> tuple[Array, Mask]:
    """Gradients at the point moved by offsets along a vector, and where a branch flipped."""
    model = products.model
    base = Point(model.network, model.parameters, model.inputs[INPUTS]).branches
    gradients = np.empty((len(offsets), products.size))
    flipped = np.zeros(len(offsets), bool)
    for part in chunks(len(offsets), products.copy_bytes):
        points = products.point + offsets[part, None] * vector
        with model.network.watch() as taken:
            gradients[part] = products.gradients(points)
        flipped[part] = taken.flipped(base, len(points))
    return gradients, flipped
