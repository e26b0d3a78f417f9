"""A graph in words and numbers: shared by every rendering of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from gradcli.analysis.graph import (
    GraphNode,
    GraphReport,
    GraphResult,
    Measured,
    Mode,
    Operations,
    in_bytes,
)
from gradcli.errors import ExitCode
from gradcli.report.words import Status, plural

__all__ = [
    "HEADINGS",
    "Branch",
    "branches",
    "cells",
    "count",
    "exit_line",
    "folded",
    "graph_status",
    "makeup",
    "own_name",
    "shape",
    "summary",
    "totals",
]

HEADINGS: Final = ("shape", "parameters", "forward", "backward", "memory", "order", "reads")
"""The columns behind a node's name, the most important ones first."""

_SHOWN: Final = 60
"""Lines beyond which the middle of a graph is left out, unless it is asked for."""

_ENDS: Final = 20
"""Lines of either end that are shown then."""


_UNITS: Final = (("T", 10**12), ("G", 10**9), ("M", 10**6))
_LONG: Final = 10**7


class Branch(NamedTuple):
    """A line of the tree: a node, or a block that is none itself, and what it stands under.

    `order` is the node's place in topological order. `last` says for each level, from the outermost
    on, whether this is the last one on it.
    """

    name: str
    node: GraphNode | None
    order: int
    last: tuple[bool, ...]


def branches(result: GraphResult) -> list[Branch]:
    """The nodes as a tree: a block, above what is in it."""
    root = _Block("")
    for order, node in enumerate(result.nodes):
        at = root
        for part in _path(node):
            at = at.parts.setdefault(part, _Block(part))
        at.node, at.order = node, order
    return list(root.lines(()))


class _Block:
    def __init__(self, name: str) -> None:
        self.name = name
        self.node: GraphNode | None = None
        self.order = 0
        self.parts: dict[str, _Block] = {}

    def lines(self, last: tuple[bool, ...]) -> Iterator[Branch]:
        for position, part in enumerate(self.parts.values()):
            below = (*last, position == len(self.parts) - 1)
            if part.node is None and len(part.parts) == 1:
                (only,) = part.parts.values()
                only.name = f"{part.name}.{only.name}"
                part = only
            yield Branch(part.name, part.node, part.order, below[1:])
            yield from part.lines(below)


def _path(node: GraphNode) -> list[str]:
    """The blocks that a node is in, and its own name; what a loss adds to a network is in none."""
    parts = node.name.split(".")
    ours = parts[0] == "loss" and node.kind in ("layer", "activation")
    return [node.name] if ours else parts


def folded(lines: list[Branch], *, whole: bool) -> tuple[list[Branch], list[Branch]]:
    """The first and the last lines of a tree; all are first ones where there are not too many."""
    if whole or len(lines) <= _SHOWN:
        return lines, []
    return lines[:_ENDS], lines[-_ENDS:]


def own_name(branch: Branch) -> str:
    """The name with the lines that lead to it."""
    if not branch.last:
        return branch.name
    *above, here = branch.last
    rails = "".join("  " if last else "│ " for last in above)
    return f"{rails}{'└' if here else '├'} {branch.name}"


def cells(branch: Branch) -> list[str]:
    """What there is under each heading."""
    node = branch.node
    if node is None:
        return [""] * len(HEADINGS)
    return [
        shape(node) if node.kind not in ("penalty", "sum") else "",
        f"{node.parameters:,}" if node.parameters and node.kind != "penalty" else "",
        _operations(node, node.forward),
        _operations(node, node.backward),
        in_bytes(node.memory) if node.memory else "",
        f"{branch.order:,}",
        ", ".join(node.reads) if node.kind != "penalty" else f"{node.parameters:,} weights",
    ]


def totals(result: GraphResult) -> list[str]:
    """The same of all nodes together."""
    forward, backward = (_operations(None, each) for each in (result.forward, result.backward))
    return ["", f"{result.parameters:,}", forward, backward, in_bytes(result.stored), "", ""]


def _operations(node: GraphNode | None, operations: Operations | None) -> str:
    if operations is None:
        return "?"
    if node is not None and node.kind == "input":
        return ""
    return count(operations.total)


def count(number: int) -> str:
    """A number in full while it is short, and then with four digits and a unit."""
    if number < _LONG:
        return f"{number:,}"
    unit, size = next((unit, size) for unit, size in _UNITS if number >= 10 * size)
    scaled = number / size
    return f"{scaled:,.0f} {unit}" if scaled >= 1000 else f"{scaled:.4g} {unit}"


def shape(node: GraphNode) -> str:
    """The shape as `32×64`; a scalar has none."""
    return "×".join(map(str, node.shape)) or "scalar"


def graph_status(result: GraphResult) -> Status:
    """Whether both ways of backpropagation gave the same gradient, where they were run."""
    if result.verdict == "invalid":
        return Status("✗", "INVALID", "bad")
    if result.verdict == "fail":
        bug = ", a bug in gradcli" if result.only_builtin else ""
        return Status("✗", f"FAIL{bug}", "bad")
    return Status("✓", "pass", "good")


def makeup(result: GraphResult) -> str:
    """The graph, in a line."""
    return (
        f"{plural(len(result.nodes), 'node')} · "
        f"{plural(result.parameters, 'parameter')} · {plural(result.rows, 'row')} · {result.dtype}"
    )


def summary(result: GraphResult) -> list[tuple[str, str]]:
    """What follows from the graph: headings, and what stands under them."""
    parts = [
        ("structure", _structure(result)),
        ("operations", _work(result)),
        ("memory", _memory(result)),
        ("checkpoints", _checkpoints(result)),
        ("measured", "" if result.measured is None else _measured(result, result.measured)),
        *(("modes" if i == 0 else "", _mode(mode)) for i, mode in enumerate(result.modes)),
        ("numeric", _numeric(result)),
    ]
    return [(heading, said) for heading, said in parts if said]


def _structure(result: GraphResult) -> str:
    live = result.live
    in_time = (
        f" ({result.depth_in_time:,} with a node for each time step)"
        if result.depth_in_time > result.depth
        else ""
    )
    return (
        f"depth {result.depth:,}, the longest path{in_time}; width {live.values:,}, the most "
        f"values alive at a time (at {live.at}), and at most {in_bytes(live.bytes)} of them "
        f"(at {live.bytes_at})"
    )


def _work(result: GraphResult) -> str:
    forward, backward = result.forward.total, result.backward.total
    ratio = f", {backward / forward:.2f} times as many" if forward else ""
    said = f"{count(forward)} forward, {count(backward)} backward{ratio}"
    share = result.forward.products + result.backward.products
    if forward + backward:
        said += f"; {share / (forward + backward):.0%} in products of matrices"
    if result.uncounted:
        named = ", ".join(result.uncounted[:3])
        more = f" and {len(result.uncounted) - 3:,} more" if len(result.uncounted) > 3 else ""
        said += f"; not counted: {named}{more}"
    return said


def _memory(result: GraphResult) -> str:
    least = "at least " if result.uncounted else ""
    return (
        f"{least}{in_bytes(result.plain_peak)} at the peak of plain backpropagation, "
        f"{in_bytes(result.stored)} of it stored by the forward pass; beside "
        f"{in_bytes(result.parameter_bytes)} of parameters and "
        f"{in_bytes(result.data_bytes)} of data"
    )


def _checkpoints(result: GraphResult) -> str:
    plan = result.checkpointing
    if plan is None or plan.segments == 1:
        return "none: to run a part of this network again would save no memory"
    share = plan.peak / result.plain_peak if result.plain_peak else 1.0
    kept = len(plan.checkpoints)
    return (
        f"{in_bytes(plan.peak)} at the peak, {share:.0%} of plain, with {plural(kept, 'value')} "
        f"kept between {plan.segments:,} segments; running them again takes "
        f"{count(plan.recomputed.total)} operations, {plan.overhead:.0%} more"
    )


def _measured(result: GraphResult, measured: Measured) -> str:
    said = f"{in_bytes(measured.plain_peak)} plain"
    if result.checkpointing is not None and result.checkpointing.segments > 1:
        said += f", {in_bytes(measured.checkpointed_peak)} with checkpoints"
    if measured.differs:
        return f"{said}; the gradient of {measured.differs} differs"
    return f"{said}; the same gradients to the last bit"


def _mode(mode: Mode) -> str:
    by_row = ", of a row" if mode.by_row else ""
    said = f"{mode.of} by {mode.by}{by_row}: {mode.inputs:,} in, {mode.outputs:,} out: "
    if mode.better == "either":
        return f"{said}as many passes in either mode"
    fewer, more = sorted((mode.inputs, mode.outputs))
    return f"{said}{mode.better} mode, {plural(fewer, 'pass')} instead of {more:,}"


def _numeric(result: GraphResult) -> str:
    numeric = result.numeric
    if numeric is None:
        return ""
    return (
        f"central differences by all parameters take {numeric.evaluations:,} forward passes, "
        f"{numeric.ratio:,.4g} times the operations of backpropagation"
    )


def exit_line(report: GraphReport) -> str:
    """What the exit code means here."""
    code = report.exit_code
    ran = any(result.measured is not None for result in report.results)
    meaning = {
        ExitCode.OK: "both schedules give the same gradients" if ran else "the graph is worked out",
        ExitCode.WRONG: "a part that is run again gives something else (gradcli explain GC005)",
        ExitCode.INVALID: "the spec is invalid",
        ExitCode.BUG: "a bug in gradcli",
    }[code]
    return f"exit {int(code)}: {meaning}"
