"""A spec with every name resolved and every shape worked out, before anything is allocated.

Slot 0 holds the network's input; node i writes slot i + 1. Nodes stand in topological order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from gradcli.core.arrays import Array
from gradcli.core.cost import Cost
from gradcli.core.op import (
    Activation,
    Buffer,
    InitializerChoice,
    Loss,
    NodeOp,
    Options,
    Shape,
    Term,
    Weighting,
)
from gradcli.core.record import Record
from gradcli.errors import SpecProblem, UserCodeError

if TYPE_CHECKING:
    from gradcli.core.formula import Formula
    from gradcli.core.python_layer import PlacedLayer

__all__ = [
    "ArrayPlan",
    "Definition",
    "ElementwiseDefinition",
    "Expectation",
    "FunctionDefinition",
    "LayerDefinition",
    "LossPlan",
    "NodePlan",
    "ParameterPlan",
    "Plan",
    "TermPlan",
    "WeightingPlan",
]

DType = Literal["float32", "float64"]

_FLAGS: Final = 8
"""Truth values in the memory of a number."""


class ArrayPlan(Record):
    """An array that a spec states or has drawn: exactly one of `values` and `distribution`.

    `distribution` is `normal` or `uniform` (on ±std·√3) of standard deviation `std`. `dtype` is
    `int` for whole numbers, which are drawn from 0 to `high` - 1, and otherwise `float64`: what is
    not an integer takes the plan's own dtype where it is used.
    """

    shape: Shape
    values: Array | None = None
    distribution: str | None = None
    std: float = 1.0
    dtype: str = "float64"
    high: int = 2
    differentiable: bool = True


class ParameterPlan(Record):
    """A parameter of the network or the loss. `line` is where the spec names its op.

    It is drawn from the generator of `drawn_as`, where that is not empty, in place of its own.
    """

    name: str
    shape: Shape
    init: InitializerChoice
    fan_in: int = 1
    fan_out: int = 1
    line: int = 0
    drawn_as: str = ""


class NodePlan(Record):
    """One op of the network with its options, the slots it reads, its parameters and buffers.

    `parameters` and `buffers` map the op's own names to those of the network. `shape` is the
    output's, rows included; `rank` the number of axes of the first input; `cost` that of one
    evaluation, where it is known.
    """

    name: str
    op: NodeOp
    options: Options
    inputs: tuple[int, ...]
    parameters: Mapping[str, str]
    shape: Shape
    rank: int
    line: int = 0
    buffers: Mapping[str, str] = MappingProxyType({})
    cost: Cost | None = None

    @property
    def kept(self) -> int:
        """How many numbers the op keeps for its pullback beside inputs and output."""
        return 0 if self.cost is None else self.cost.kept + self.cost.flags // _FLAGS


class WeightingPlan(Record):
    """How a task's loss is weighted. `options` are those that its op's function takes.

    `parameters` maps the op's own names to those of the loss.
    """

    op: Weighting
    options: Options
    parameters: Mapping[str, str]


class LossPlan(Record):
    """One summand of the loss: weight · mean(values), or weight · f(mean(values)) of a weighting f.

    `target` names an array of the targets, `buffers` map the op's own names to those of the model.
    """

    name: str
    op: Loss
    options: Options
    slot: int
    target: str | None
    weight: float = 1.0
    parameters: Mapping[str, str] = MappingProxyType({})
    line: int = 0
    weighting: WeightingPlan | None = None
    buffers: Mapping[str, str] = MappingProxyType({})

    @property
    def learned(self) -> tuple[str, ...]:
        """The names of all parameters that it learns, those of its weighting last."""
        weighting = {} if self.weighting is None else self.weighting.parameters
        return (*self.parameters.values(), *weighting.values())


class TermPlan(Record):
    """A penalty: weight · the sum over the named parameters."""

    name: str
    op: Term
    options: Options
    weight: float
    parameters: tuple[str, ...]
    line: int = 0


class ElementwiseDefinition(Record):
    """A user's activation (in x) or loss (in p and y) and the derivative it claims."""

    name: str
    op: Activation | Loss
    variables: tuple[str, ...]
    params: Mapping[str, float]
    forward: Formula
    claim: Formula | None
    domain: Mapping[str, tuple[float, float]]
    at: Mapping[str, tuple[float, ...]]
    line: int = 0


class FunctionDefinition(Record):
    """A user's function of whole arrays with the input cotangents it claims.

    `forward(inputs) -> (output, saved)`; `backward(inputs, output, cotangent, saved) -> cotangents
    by input name`, None without a claim. One by `formula`, with `claims` by input, takes complex
    and replicated inputs; Python takes neither.
    """

    name: str
    inputs: Mapping[str, ArrayPlan]
    params: Mapping[str, float]
    forward: Callable[[Mapping[str, Array]], tuple[Array, Any]]
    backward: Callable[[Mapping[str, Array], Array, Array, Any], Mapping[str, Any]] | None
    formula: Formula | None = None
    claims: Mapping[str, Formula] = MappingProxyType({})
    line: int = 0


class LayerDefinition(Record):
    """A user's layer in Python with the input x on which it is checked standing alone."""

    name: str
    layer: PlacedLayer
    x: ArrayPlan
    options: Options
    line: int = 0


Definition = ElementwiseDefinition | FunctionDefinition | LayerDefinition


class Expectation(Record):
    """What a spec expects of a command: `check` is pass, fail or a rule code; `flow` a verdict."""

    check: str | None = None
    flow: str | None = None
    line: int = 0


class Plan(Record):
    """All that a spec says, resolved. `nodes` is empty and `losses` may be for definitions alone.

    `outputs` are the slots of the heads by name; a network without heads has the one output
    "outputs". `targets` and `inputs` are absent (None, empty) for a spec of definitions alone.
    `sections` are the option sections `check`, `flow`, `train` as written, names checked, with
    underscores for hyphens. `weights` are the parameters and buffers that are stated. `memory` is
    the estimate in bytes, `lines` the text of the spec. `batch` is how many rows it means at a
    time, as far as it says so.
    """

    file: str
    name: str
    seed: int
    dtype: DType
    inputs: ArrayPlan | None
    targets: Mapping[str, ArrayPlan]
    nodes: tuple[NodePlan, ...]
    outputs: Mapping[str, int]
    losses: tuple[LossPlan, ...]
    terms: tuple[TermPlan, ...]
    parameters: Mapping[str, ParameterPlan]
    weights: Mapping[str, Array]
    definitions: tuple[Definition, ...]
    expect: Expectation
    sections: Mapping[str, Mapping[str, Any]]
    memory: int = 0
    lines: tuple[str, ...] = ()
    buffers: Mapping[str, Buffer] = MappingProxyType({})
    batch: int | None = None

    def python_problem(self, error: UserCodeError) -> SpecProblem:
        """The problem that a user's Python raised when it was run."""
        line = next((node.line for node in self.nodes if node.name == error.where), 0)
        return self.problem("SP021", str(error), line)

    def problem(self, code: str, message: str, line: int, hint: str = "") -> SpecProblem:
        """A problem that shows only when the plan is run, at what the spec writes on a line."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        written = text.lstrip(" -")
        return SpecProblem(
            code,
            message,
            self.file,
            line,
            len(text) - len(written) + 1 if written else 0,
            hint=hint,
            source_line=text,
            length=max(1, len(written.rstrip())),
        )
