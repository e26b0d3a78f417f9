"""The report on a computational graph: frozen data, drawn elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from gradcli.analysis.facts import Facts
from gradcli.analysis.in_json import Shape, invalid_result
from gradcli.analysis.verdict import Judged, ReportOfResults, exit_code_of
from gradcli.core.cost import NOTHING, Operations
from gradcli.errors import ExitCode, SpecProblem

__all__ = [
    "Checkpointing",
    "GraphNode",
    "GraphReport",
    "GraphResult",
    "GraphVerdict",
    "Live",
    "Measured",
    "Mode",
    "NodeKind",
    "Numeric",
    "invalid_graph",
]

NodeKind = Literal["input", "layer", "activation", "loss", "penalty", "sum"]
GraphVerdict = Literal["pass", "fail", "invalid"]


@dataclass(frozen=True)
class GraphNode(Facts):
    """A node, which reads others by name; nodes stand in topological order.

    `shape` is that of its output, rows included. `parameters` are the numbers that it learns, of a
    penalty those that it reads. `forward` and `backward` are operations, None where they are not
    known: of users' Python, and where they depend on the data. `memory` is in bytes, what the
    backward pass finds of the node: its output and what its pullback keeps. `level` is the longest
    path that leads here, in nodes.
    """

    name: str
    kind: NodeKind
    op: str
    reads: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int
    forward: Operations | None
    backward: Operations | None
    memory: int
    level: int
    line: int = 0


@dataclass(frozen=True)
class Live(Facts):
    """The most values that are alive at a time in a forward pass, and the most bytes of them.

    A value is alive from the node that computes it to the last one that reads it. `at` and
    `bytes_at` name the nodes while which they are so many.
    """

    values: int
    at: str
    bytes: int
    bytes_at: str


@dataclass(frozen=True)
class Checkpointing(Facts):
    """Backpropagation that keeps the values between `segments` of the network and no others.

    Each segment but the last is run again before its backward pass. `starts` names their first
    nodes, `checkpoints` the values that are kept. `recomputed` are the operations of running again,
    and `overhead` these as a share of those of a forward and a backward pass. `peak` is in bytes,
    beside parameters and data.
    """

    segments: int
    starts: tuple[str, ...]
    checkpoints: tuple[str, ...]
    peak: int
    recomputed: Operations
    overhead: float


@dataclass(frozen=True)
class Mode(Facts):
    """What a Jacobian takes in forward mode, a pass for each number in, and in reverse mode.

    The latter takes a pass for each number out (Griewank and Walther 2008). Where rows are
    independent of each other, one pass serves all of them, and the numbers are those of a row.
    """

    in_json: ClassVar = Shape(added={"better": None})

    of: str
    by: str
    inputs: int
    outputs: int
    by_row: bool = False

    @property
    def better(self) -> Literal["forward", "reverse", "either"]:
        if self.inputs == self.outputs:
            return "either"
        return "forward" if self.inputs < self.outputs else "reverse"

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "better": self.better}


@dataclass(frozen=True)
class Numeric(Facts):
    """What the gradient by all parameters costs, in operations.

    `evaluations` are those of central differences, each a forward pass; `ratio` is what they cost
    to what one forward and one backward pass do.
    """

    parameters: int
    evaluations: int
    central: int
    analytic: int
    ratio: float


@dataclass(frozen=True)
class Measured(Facts):
    """Both ways to run backpropagation, as they were run: the most bytes held, and the gradients.

    `differs` names the first tensor whose gradients differ, "" where all are the same to the bit.
    """

    in_json: ClassVar = Shape(added={"identical": bool})

    plain_peak: int
    checkpointed_peak: int
    differs: str

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "identical": not self.differs}


@dataclass(frozen=True)
class GraphResult(Facts, Judged):
    """The graph of one spec. Bytes are in the precision of its `dtype`.

    `depth` is the longest path from the inputs to a loss, in nodes, and `depth_in_time` the same
    with a node for every time step of a recurrent layer. `uncounted` are nodes whose operations are
    not known and are in no sum. `parameter_bytes` and `data_bytes` (inputs, targets and buffers)
    are there all the time; `plain_peak` comes on top, with gradients. `stored` is the sum of all
    `memory`.
    """

    in_json: ClassVar = Shape(without=("only_builtin",))

    spec: str
    name: str
    verdict: GraphVerdict
    dtype: str = ""
    rows: int = 0
    nodes: tuple[GraphNode, ...] = ()
    parameters: int = 0
    depth: int = 0
    depth_in_time: int = 0
    live: Live = Live(0, "", 0, "")
    forward: Operations = NOTHING
    backward: Operations = NOTHING
    uncounted: tuple[str, ...] = ()
    parameter_bytes: int = 0
    data_bytes: int = 0
    stored: int = 0
    plain_peak: int = 0
    checkpointing: Checkpointing | None = None
    modes: tuple[Mode, ...] = ()
    numeric: Numeric | None = None
    measured: Measured | None = None
    only_builtin: bool = True
    errors: tuple[SpecProblem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        return exit_code_of(self.verdict, builtin=self.only_builtin)

    def to_dict(self) -> dict[str, Any]:
        if self.verdict == "invalid":
            return invalid_result(self.spec, self.errors)
        everything = super().to_dict()
        del everything["errors"], everything["only_builtin"]
        return everything

    def __str__(self) -> str:
        if self.verdict == "invalid":
            return "\n".join([f"{self.name or self.spec}: invalid", *map(str, self.errors)])
        return (
            f"{self.name}: {len(self.nodes)} nodes, depth {self.depth}, width {self.live.values}, "
            f"{self.forward.total:,} operations forward and {self.backward.total:,} backward"
        )


@dataclass(frozen=True)
class GraphReport(ReportOfResults):
    """The graph of a spec, as the one result of its report."""

    results: tuple[GraphResult, ...]
    seed: int | None = None

    command = "graph"

    @property
    def verdict(self) -> GraphVerdict:
        return self.results[0].verdict


def invalid_graph(spec: str, errors: tuple[SpecProblem, ...], seed: int | None) -> GraphReport:
    """What there is to say of a spec that cannot be used."""
    return GraphReport((GraphResult(spec, spec, "invalid", errors=errors),), seed)
