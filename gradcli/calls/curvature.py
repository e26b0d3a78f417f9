"""`gradcli.curvature`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gradcli.analysis.gradcheck.collect import Progress
from gradcli.engine.model import Model
from gradcli.errors import SpecError, UsageError, UserCodeError
from gradcli.sources import Source, keep_as_loaded, model_of, name_of, plan_of, stated
from gradcli.spec import DEFAULT_MEMORY

if TYPE_CHECKING:
    from gradcli.analysis.curvature import CurvatureReport

__all__ = ["curvature"]


def curvature(
    source: Source | Model | None = None,
    *,
    text: tuple[str, str] | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    method: Literal["exact", "lanczos"] | None = None,
    probes: int | None = None,
    iterations: int | None = None,
    tolerance: float | None = None,
    history: int | None = None,
    damping: float | None = None,
    steps: bool = True,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> CurvatureReport:
    """How the loss of a spec, or of a loaded model, curves at its parameters.

    Hessian, generalised Gauss-Newton matrix, true and empirical Fisher matrix: all eigenvalues
    where the matrices are assembled (`method` exact), else the outermost by Lanczos within
    `tolerance` of the largest in at most `iterations` products, and the trace over random `probes`.
    With `steps`, those of gradient, Newton, Gauss-Newton, natural gradient and L-BFGS (of so many
    steps as its `history`) are tried; `damping` is added to the matrices, by default what it takes
    for a step to descend.
    An invalid spec gives a report with the verdict `invalid`; UsageError is raised for options that
    make no sense or have no effect, and where the matrices asked for would take more than
    `max_memory`.
    """
    from gradcli.analysis.curvature import (
        CurvatureOptions,
        analyse_curvature,
        invalid_curvature,
    )

    written = stated(
        method=method,
        probes=probes,
        iterations=iterations,
        tolerance=tolerance,
        history=history,
        damping=damping,
    )
    options = CurvatureOptions(max_memory=max_memory, steps=steps, **written)
    meant = text or source
    if meant is None:
        raise UsageError("there is no spec to analyse")
    if isinstance(meant, Model):
        keep_as_loaded(seed, dtype)
        return analyse_curvature(meant, options, progress)
    try:
        plan = plan_of(meant, stated(seed=seed, dtype=dtype), allow_python, max_memory)
        model = model_of(plan)
    except SpecError as error:
        return invalid_curvature(name_of(meant), error.errors, seed)
    try:
        return analyse_curvature(model, options, progress)
    except UserCodeError as error:
        return invalid_curvature(name_of(meant), (plan.python_problem(error),), seed)
