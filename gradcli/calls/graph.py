"""`gradcli.graph`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcli.analysis.gradcheck.collect import Progress
from gradcli.engine.model import Model
from gradcli.errors import SpecError, SpecProblem, UsageError, UserCodeError
from gradcli.sources import Source, keep_as_loaded, name_of, plan_of, stated
from gradcli.spec import DEFAULT_MEMORY

if TYPE_CHECKING:
    from gradcli.analysis.graph import GraphReport

__all__ = ["graph"]


def graph(
    source: Source | Model | None = None,
    *,
    text: tuple[str, str] | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    run: bool = False,
    allow_python: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> GraphReport:
    """The computational graph of a spec, or of a loaded model, and what backpropagation costs.

    Nodes in topological order, operations forward and backward, memory; width and depth; the peak
    memory of backpropagation, plain and with √n checkpoints; forward against reverse mode, and
    numeric against analytic gradients. Everything is worked out from shapes; with `run` both ways
    of backpropagation are run and measured, which has to fit into `max_memory`. An invalid spec
    gives a report with the verdict `invalid`; UsageError is raised for options that make no sense.
    """
    from gradcli.analysis.graph import analyse_graph, invalid_graph

    meant = text or source
    if meant is None:
        raise UsageError("there is no spec to analyse")
    if isinstance(meant, Model):
        keep_as_loaded(seed, dtype)
        return analyse_graph(meant.plan, run=run, progress=progress)
    try:
        overrides = stated(seed=seed, dtype=dtype)
        plan = plan_of(meant, overrides, allow_python, max_memory, keeps_network=run)
        try:
            return analyse_graph(plan, run=run, progress=progress)
        except UserCodeError as error:
            raise SpecError([plan.python_problem(error)]) from None
    except SpecError as error:
        problems = tuple(_with_way_out(problem, run) for problem in error.errors)
        return invalid_graph(name_of(meant), problems, seed)


def _with_way_out(problem: SpecProblem, run: bool) -> SpecProblem:
    """A refusal for want of memory with the option that helps."""
    if problem.code != "SP016":
        return problem
    way_out = "--max-memory raises the limit"
    if run:
        way_out = f"without --run the graph is worked out from shapes alone; {way_out}"
    return problem._replace(hint="; ".join(filter(None, (problem.hint, way_out))))
