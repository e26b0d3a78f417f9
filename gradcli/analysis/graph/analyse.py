"""A plan as a graph: its nodes, what they cost together, and ways to run it backward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isqrt, prod
from typing import Final

from gradcli.analysis.gradcheck.collect import Progress
from gradcli.analysis.graph.memory import peak_of
from gradcli.analysis.graph.nodes import Skeleton, nodes_of
from gradcli.analysis.graph.report import (
    Checkpointing,
    GraphNode,
    GraphReport,
    GraphResult,
    Mode,
    Numeric,
)
from gradcli.analysis.graph.schedule import checkpoints_of, steps_of
from gradcli.core.cost import Operations
from gradcli.engine.model import Model
from gradcli.engine.segments import even_segments
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec.plan import Plan

__all__ = ["analyse_graph"]

_LOSS: Final = "the loss"
_OUTPUTS: Final = "the outputs"
_PARAMETERS: Final = "all parameters"
_INPUTS: Final = "the inputs"


def analyse_graph(
    plan: Plan, *, run: bool = False, progress: Progress | None = None
) -> GraphReport:
    """The graph of a plan; with `run`, both ways of backpropagation are tried as well.

    Time and memory grow linearly with the number of nodes, and nothing is allocated that the plan
    describes, unless it is run. Raises SpecError for a plan that has definitions only.
    """
    if plan.inputs is None or not plan.losses:
        hint = "a graph needs data with a network or a loss"
        message = f"{plan.name} has definitions only: they have no graph"
        raise SpecError([SpecProblem("SP008", message, plan.file, hint=hint)])
    skeleton = Skeleton(plan)
    nodes = nodes_of(skeleton)
    forward = _sum(node.forward for node in nodes)
    backward = _sum(node.backward for node in nodes)
    parameters = sum(prod(parameter.shape) for parameter in plan.parameters.values())
    data = [array.shape for array in (plan.inputs, *plan.targets.values())]
    data += [buffer.shape for buffer in plan.buffers.values()]
    segments, checkpointing = _checkpointing(skeleton, nodes, (forward + backward).total)
    result = GraphResult(
        spec=plan.file,
        name=plan.name,
        verdict="pass",
        dtype=plan.dtype,
        rows=plan.inputs.shape[0],
        nodes=nodes,
        parameters=parameters,
        depth=_depth(skeleton, skeleton.levels()),
        depth_in_time=_depth(skeleton, skeleton.levels_in_time()),
        live=skeleton.live(),
        forward=forward,
        backward=backward,
        uncounted=tuple(node.name for node in nodes if node.forward is None),
        parameter_bytes=parameters * skeleton.itemsize,
        data_bytes=sum(map(prod, data)) * skeleton.itemsize,
        stored=sum(node.memory for node in nodes),
        plain_peak=peak_of(skeleton, steps_of(skeleton, _whole(skeleton))),
        checkpointing=checkpointing,
        modes=_modes(skeleton, parameters),
        numeric=_numeric(parameters, forward.total, backward.total),
        only_builtin=not (plan.definitions or any(node.op.opaque for node in plan.nodes)),
    )
    if run:
        from gradcli.analysis.graph.execute import measure

        measured = measure(Model(plan), skeleton, _whole(skeleton), segments, progress)
        verdict = result.verdict if not measured.differs else "fail"
        result = replace(result, measured=measured, verdict=verdict)
    return GraphReport((result,), plan.seed)


def _sum(operations: Iterable[Operations | None]) -> Operations:
    """Of what is known."""
    products = elements = 0
    for each in operations:
        if each is not None:
            products += each.products
            elements += each.elements
    return Operations(products, elements)


def _depth(skeleton: Skeleton, levels: Sequence[int]) -> int:
    """To the last loss, which is a node itself."""
    return 1 + max(levels[slot] for slot in skeleton.ends)


def _whole(skeleton: Skeleton) -> tuple[range, ...]:
    return (range(skeleton.count),)


def _checkpointing(
    skeleton: Skeleton, nodes: Sequence[GraphNode], both_passes: int
) -> tuple[tuple[range, ...], Checkpointing]:
    """Segments of about equal memory: √n of them, or as many as the sizes ask for if that is less.

    One alone where running a part again would save nothing.
    With c checkpoints of b bytes each and S bytes in all, about c·b + S/c are held, least at
    c = √(S/b) (Chen et al. 2016), which is √n where all nodes are alike.
    """
    own = nodes[1 : skeleton.count + 1]
    sizes = [node.memory for node in own]
    outputs = sum(skeleton.bytes[1:])
    counts = {isqrt(skeleton.count)}
    if outputs:
        counts.add(isqrt(sum(sizes) * skeleton.count // outputs))
    ways = [_whole(skeleton), *(even_segments(sizes, count) for count in sorted(counts) if count)]
    peaks = [peak_of(skeleton, steps_of(skeleton, segments)) for segments in ways]
    peak, segments = min(zip(peaks, ways, strict=True), key=lambda way: way[0])
    kept = checkpoints_of(skeleton, segments)
    again = _sum(node.forward for node in own[: segments[-1].start])
    return segments, Checkpointing(
        segments=len(segments),
        starts=tuple(own[part.start].name for part in segments if part),
        checkpoints=tuple(
            skeleton.name(slot) for slot in range(1, segments[-1].start + 1) if kept[slot]
        ),
        peak=peak,
        recomputed=again,
        overhead=again.total / both_passes if both_passes else 0.0,
    )


def _modes(skeleton: Skeleton, parameters: int) -> tuple[Mode, ...]:
    """The loss by the parameters, the outputs by the inputs, and the outputs by the parameters."""
    plan = skeleton.plan
    assert plan.inputs is not None
    rows, shape = plan.inputs.shape[0], plan.inputs.shape
    out = sum(prod(skeleton.shapes[slot]) for slot in plan.outputs.values())
    coupled = any(traits.couples_rows for traits in skeleton.traits)
    by_row = not coupled and rows > 1 and out % rows == 0
    share = rows if by_row else 1
    modes = [Mode(_OUTPUTS, _INPUTS, prod(shape) // share, out // share, by_row)]
    if parameters:
        modes = [
            Mode(_LOSS, _PARAMETERS, parameters, 1),
            *modes,
            Mode(_OUTPUTS, _PARAMETERS, parameters, out),
        ]
    else:
        modes = [Mode(_LOSS, _INPUTS, prod(shape), 1), *modes]
    return tuple(modes) if plan.nodes else tuple(modes[:1])


def _numeric(parameters: int, forward: int, backward: int) -> Numeric | None:
    """None where there is nothing to differentiate by, or no count of what that takes."""
    if not parameters or not forward:
        return None
    central, analytic = 2 * parameters * forward, forward + backward
    return Numeric(parameters, 2 * parameters, central, analytic, central / analytic)
