"""The analysis: every matrix at the point of a spec, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gradcli.analysis.curvature.crosscheck import crosscheck
from gradcli.analysis.curvature.exact import assemble
from gradcli.analysis.curvature.layers import blocks_of, sampled_blocks
from gradcli.analysis.curvature.options import CurvatureOptions, method_for, steps_for
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.relations import coincide, relations_of
from gradcli.analysis.curvature.report import (
    MATRICES,
    Block,
    Crosscheck,
    CurvatureReport,
    CurvatureResult,
    Matrix,
    Spectrum,
    Step,
)
from gradcli.analysis.curvature.solve import ByEigenvectors, ByProducts, Solver
from gradcli.analysis.curvature.spectra import exact_spectrum, sampled_spectrum
from gradcli.analysis.curvature.steps import steps_from
from gradcli.analysis.curvature.trace import signs
from gradcli.analysis.verdict import Verdict
from gradcli.core.arrays import Array
from gradcli.core.record import Record
from gradcli.engine.model import Model
from gradcli.errors import SpecProblem, UsageError

__all__ = ["analyse_curvature", "invalid_curvature"]

_SYMMETRIC = 1e-10  # relative: far above the rounding of products that are exact
_SYMMETRIC_BY_DIFFERENCES = 1e-6

Progress = Callable[[str, int, int], None]


@np.errstate(all="ignore")  # what overflows shows in the values, which are looked at
def analyse_curvature(
    model: Model, options: CurvatureOptions, progress: Progress | None
) -> CurvatureReport:
    """The curvature of a model's loss by all its parameters.

    Raises UsageError where there are no parameters, where the loss, its gradient or its curvature
    is not finite, and where what was asked for would take more memory than is allowed.
    """
    if not model.parameters:
        raise UsageError(f"{model.plan.name} has no parameters: its loss has no curvature by them")
    products = Products(model)
    if not (np.isfinite(products.value) and np.isfinite(products.gradient).all()):
        raise UsageError(f"{model.plan.name}: the loss or its gradient is not finite here")
    method = method_for(products.network, products.size, options)
    checked = crosscheck(products, model.plan.seed)
    if method == "exact":
        found = _exact(products, progress)
    else:
        most = steps_for(products.network, products.size, options)
        found = _sampled(products, options, most, model.plan.seed, progress)
    plan, spectra = model.plan, found.spectra
    steps: tuple[Step, ...] = ()
    if options.steps:
        steps = steps_from(products, found.solvers, options.damping, options.pairs)
    result = CurvatureResult(
        name=plan.name,
        verdict=_verdict(checked, spectra["hessian"], by_differences=products.by_differences),
        spec=plan.file,
        loss=products.value,
        parameters=products.size,
        gradient_norm=float(np.linalg.norm(products.gradient)),
        method=method,
        by_differences=products.by_differences,
        crosscheck=checked,
        spectra=spectra,
        relations=relations_of(plan, found.images),
        blocks=found.blocks,
        steps=steps,
        passes=dict(products.passes),
        builtin=not plan.definitions,
    )
    return CurvatureReport((result,), plan.seed)


class _Matrices(Record):
    """What is known of each matrix, how it is solved, and the images of the same vectors."""

    spectra: dict[Matrix, Spectrum]
    solvers: dict[Matrix, Solver]
    images: dict[Matrix, Array]
    blocks: tuple[Block, ...] = ()


def _exact(products: Products, progress: Progress | None) -> _Matrices:
    found = _Matrices({}, {}, {})
    for done, matrix in enumerate(MATRICES):
        undefined = products.undefined(matrix)
        if undefined:
            found.spectra[matrix] = Spectrum(matrix, undefined)
            continue
        dense = assemble(products, matrix)
        found.spectra[matrix] = exact_spectrum(matrix, dense)
        found.solvers[matrix] = ByEigenvectors(dense)
        found.images[matrix] = dense.matrix
        if progress is not None:
            progress("matrices", done + 1, len(MATRICES))
    return found.replace(blocks=blocks_of(products, found.images["hessian"]))


def _sampled(
    products: Products, options: CurvatureOptions, most: int, seed: int, progress: Progress | None
) -> _Matrices:
    found = _Matrices({}, {}, {})
    probes = signs(np.random.default_rng([seed, 1]), options.of_trace, products.size)
    for done, matrix in enumerate(MATRICES):
        undefined = products.undefined(matrix)
        if undefined:
            found.spectra[matrix] = Spectrum(matrix, undefined)
            continue

        def on_step(step: int, done: int = done) -> None:
            if progress is not None:
                progress("products", done * most + step, len(MATRICES) * most)

        images = found.images[matrix] = products.times(matrix, probes)
        if matrix == "fisher" and coincide(images, found.images["gauss_newton"]):
            found.spectra[matrix] = replace(found.spectra["gauss_newton"], matrix=matrix)
            found.solvers[matrix] = found.solvers["gauss_newton"]
            continue
        spectrum = sampled_spectrum(
            products, matrix, probes, images, most, options.ends_at, on_step
        )
        found.spectra[matrix] = spectrum
        found.solvers[matrix] = ByProducts(products, spectrum, most)
    images = found.images["hessian"]
    blocks = sampled_blocks(products, probes, images, most, options.ends_at, seed)
    return found.replace(blocks=blocks)


def _verdict(checked: Crosscheck, hessian: Spectrum, *, by_differences: bool) -> Verdict:
    """Whether the Hessian is symmetric, and the derivative of the gradient.

    At a kink there is none, and the products need not be those of one matrix.
    """
    allowed = _SYMMETRIC_BY_DIFFERENCES if by_differences else _SYMMETRIC
    asymmetry = max(checked.asymmetry, hessian.asymmetry or 0.0)
    if checked.agrees is False:
        return "fail"
    if not asymmetry <= allowed:
        return "fail" if checked.compared == checked.directions else "inconclusive"
    return "pass" if checked.agrees else "inconclusive"


def invalid_curvature(
    spec: str, errors: tuple[SpecProblem, ...], seed: int | None
) -> CurvatureReport:
    """The report of a spec that cannot be used, with its problems."""
    return CurvatureReport((CurvatureResult(spec, "invalid", spec, errors=errors),), seed)
