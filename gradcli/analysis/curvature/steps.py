"""The steps that methods of first and second order take from the point, tried.

Each minimises a quadratic model m(s) = gᵀs + ½ sᵀA s of the change of the loss, whose matrix A is
the Hessian (gradient with its exact length along -g, and Newton), the Gauss-Newton matrix, the
Fisher matrix (natural gradient) or what gradients tell of the Hessian (L-BFGS).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradcli.analysis.curvature.lbfgs import minimise
from gradcli.analysis.curvature.products import Products
from gradcli.analysis.curvature.report import Matrix, Step, StepMethod
from gradcli.analysis.curvature.solve import Solver
from gradcli.core.arrays import Array

__all__ = ["steps_from"]

_DAMPING = range(-6, 9)  # powers of ten of the largest eigenvalue
_ENOUGH = 0.25  # of the predicted decrease

_BY_MATRIX: dict[StepMethod, Matrix] = {
    "newton": "hessian",
    "gauss_newton": "gauss_newton",
    "natural_gradient": "fisher",
}


def steps_from(
    products: Products,
    solvers: Mapping[Matrix, Solver],
    damping: float | None,
    history: int,
) -> tuple[Step, ...]:
    """Every method's step; none where the gradient is zero.

    `solvers` are those of the matrices that there are. `damping` is added to each of their
    diagonals. Where it is None, an indefinite matrix gets what it takes (see `solve`), and one
    whose step raises the loss the least power of ten, relative to its largest eigenvalue, with
    which the step comes to a quarter of what the model promises (Levenberg and Marquardt). L-BFGS
    takes as many steps as its `history`.
    """
    if not products.gradient.any():
        return ()
    hessian = solvers["hessian"]
    found = [_gradient_step(products, hessian)]
    for method, matrix in _BY_MATRIX.items():
        if matrix in solvers:
            found.append(_damped_step(products, method, solvers[matrix], hessian, damping))
        else:
            found.append(Step(method, products.undefined(matrix)))
    return (*found, _lbfgs_steps(products, hessian, history))


def _gradient_step(products: Products, hessian: Solver) -> Step:
    g = products.gradient
    along = hessian.times(g)
    square, curvature = float(g @ g), float(g @ along)
    if not curvature:
        return Step("gradient", "the loss does not curve along its gradient: no length is best")
    length = square / abs(curvature)
    tried = _tried(products, "gradient", -length * g, g, along * -length)
    upward = "" if curvature > 0 else "the loss curves downward along its gradient"
    return tried.replace(products=1, numbers=2 * len(g), note=upward)


def _damped_step(
    products: Products, method: StepMethod, solver: Solver, hessian: Solver, damping: float | None
) -> Step:
    first = _model_step(products, method, solver, hessian, damping)
    if damping is not None or first.undefined or first.actual > 0:
        return first
    best = first
    for power in _DAMPING:
        more = first.damping + 10.0**power * solver.largest
        tried = _model_step(products, method, solver, hessian, more)
        best = tried.replace(undamped=first.actual)
        if tried.actual >= _ENOUGH * tried.predicted:
            break
    return best


def _model_step(
    products: Products, method: StepMethod, solver: Solver, hessian: Solver, damping: float | None
) -> Step:
    g = products.gradient
    try:
        solved = solver.solve(g, damping)
    except ValueError as error:
        return Step(method, str(error))
    s = solved.step
    image = solver.times(s)
    turned = image if solver is hessian else hessian.times(s)
    tried = _tried(products, method, s, g, turned)
    return tried.replace(
        damping=solved.damping,
        predicted=-float(g @ s) - 0.5 * float(s @ image),
        products=solved.products,
        numbers=solved.numbers,
        flat=solved.flat,
        residual=solved.residual,
    )


def _lbfgs_steps(products: Products, hessian: Solver, history: int) -> Step:
    run = minimise(products.value_and_gradient, products.point, history, history)
    s = run.points[-1] - products.point
    g = products.gradient
    taken = len(run.points) - 1
    if not taken:
        return Step("lbfgs", "no step along the gradient descends as far as its slope says")
    tried = _tried(products, "lbfgs", s, g, hessian.times(s))
    return tried.replace(
        predicted=run.predicted,
        gradients=run.evaluations,
        products=0,
        numbers=2 * history * len(g),
        taken=taken,
    )


def _tried(products: Products, method: StepMethod, s: Array, g: Array, turned: Array) -> Step:
    """What a step does, given the Hessian times it."""
    with np.errstate(all="ignore"):
        value, after = products.value_and_gradient(products.point + s)
        by_hessian = -float(g @ s) - 0.5 * float(s @ turned)
        size = float(np.linalg.norm(s))
        cosine = -float(g @ s) / (size * float(np.linalg.norm(g))) if size else 0.0
        return Step(
            method,
            length=size,
            cosine=cosine,
            predicted=by_hessian,
            by_hessian=by_hessian,
            actual=products.value - value,
            gradient_norm=float(np.linalg.norm(after)),
        )
