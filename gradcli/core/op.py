"""What an op is: one definition from which loading, checking, flow, cards and tests follow."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from gradcli.core.arrays import Array, Cotangents, Parameters, Pullback, like
from gradcli.core.cost import Cost
from gradcli.core.param import Param
from gradcli.core.record import Record
from gradcli.core.traits import LayerTraits, LossTraits, Traits

__all__ = [
    "Activation",
    "Buffer",
    "Gradient",
    "Initializer",
    "InitializerChoice",
    "Layer",
    "Learned",
    "Loss",
    "Macro",
    "NodeOp",
    "Op",
    "Options",
    "OutputTerm",
    "Shape",
    "Term",
    "Weighting",
    "X",
    "at_options",
]

Options = Mapping[str, Any]
Shape = tuple[int, ...]

X: Final = "x"
"""What the first input of a node goes by among its parameters."""

Gradient = str | Mapping[str, str]


def at_options(text: str | Callable[..., str], options: Options) -> str:
    """A formula of an op, which may depend on its options."""
    return text if isinstance(text, str) else text(**options)


class Op(Record, kw_only=True):
    """Name, options and documentation of anything a spec can name.

    `summary` and `description` are the function's docstring: first line and all of it.
    `known_as` are names that people look for and a spec does not know. `often_wrong` is what is
    often written of it instead, and why that is wrong. An op equals itself
    alone. `validate(**options)` raises ValueError, saying why, for options that are each within
    their bounds and do not go together. `cost(shape, **options)` is what one evaluation costs at a
    first input of this shape; it is None for what is not run in a network, and returns None where
    the cost depends on the data.
    """

    kind: ClassVar[str]
    name: str
    function: Callable[..., Any]
    params: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()
    often_wrong: str = ""
    validate: Callable[..., None] | None = None
    cost: Callable[..., Cost | None] | None = None

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    @property
    def description(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def summary(self) -> str:
        return self.description.partition("\n")[0]

    def param(self, name: str) -> Param | None:
        return next((param for param in self.params if param.name == name), None)

    def defaults(self) -> dict[str, Any]:
        """Options as they are when a spec writes none of them."""
        return {param.name: param.default for param in self.params}

    def cost_at(self, shape: Shape, options: Options) -> Cost | None:
        """The cost for a first input of this shape; None where it is not known."""
        return None if self.cost is None else self.cost(shape, **options)


class Initializer(Op, kw_only=True):
    """Draws a parameter: `function(rng, shape, fan_in, fan_out, **options) -> array`.

    `variance(fan_in, fan_out, **options)` is the variance of one entry it claims. `bias` names
    the initializer of the bias beside a weight drawn so, where a spec writes none. One with
    `pytorch_fan` goes by that of what it draws (see `Learned`). One that
    `resolves` is only a name: it stands for the `init` of the next activation, and its function
    raises.
    """

    kind: ClassVar[str] = "initializer"
    variance: Callable[..., float] | None = None
    bias: str | None = None
    pytorch_fan: bool = False
    resolves: bool = False


class InitializerChoice(Record):
    """An initializer with its options."""

    op: Initializer
    options: Options

    def draw(self, rng: Any, shape: Shape, fan_in: int, fan_out: int) -> Array:
        drawn: Array = self.op.function(rng, shape, fan_in, fan_out, **self.options)
        return drawn


class Learned(Record):
    """A parameter that an op learns: its own shape and how it is drawn.

    `init` is the name of an option of the op that holds an initializer, or one itself, or a number
    that fills it. `drawn_as` names what it is drawn together with, where it is not drawn alone.
    `pytorch_fan` is the fan-in by which PyTorch's default goes, where that is another.
    """

    shape: Shape
    init: str | float | InitializerChoice
    fan_in: int = 1
    fan_out: int = 1
    drawn_as: str = ""
    pytorch_fan: int | None = None


class Buffer(Record):
    """What an op is given beside its parameters and never learns (PyTorch's word): its own shape.

    `fill` is the number that it holds where nothing else is stated, or draws it:
    `fill(rng, shape) -> array`. No entry may be below `at_least`.
    """

    shape: Shape
    fill: float | Callable[[Any, Shape], Array]
    at_least: float = -math.inf


class NodeOp(Op, kw_only=True):
    """An op that is a node of a network: the interface that the engine knows.

    An `opaque` one takes no complex numbers, so no complex step passes it.
    """

    opaque: ClassVar[bool] = False

    def placed(self, name: str, shape: Shape, options: Options) -> NodeOp:
        """The op as the node of this name, for a first input of this shape: most are the same."""
        return self

    def output_shape(self, shapes: tuple[Shape, ...], options: Options) -> Shape:
        """Shape of the output, rows included; ValueError, saying why, where inputs do not fit."""
        return shapes[0]

    def learned(self, shape: Shape, options: Options) -> dict[str, Learned]:
        """Parameters by name for a first input of this shape."""
        return {}

    def buffered(self, shape: Shape, options: Options) -> dict[str, Buffer]:
        """Buffers by name for a first input of this shape."""
        return {}

    def evaluate(
        self, inputs: tuple[Array, ...], parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        """Value and pullback; axes before the last `rank` of the inputs are replicas.

        `parameters` holds the buffers too, which have no replica axes and get no cotangent.
        """
        raise TypeError(f"{self.name} cannot be evaluated")  # pragma: no cover

    def layer_traits(self, options: Options) -> LayerTraits:
        return LayerTraits()


class Activation(NodeOp, kw_only=True):
    """`function(x, *learned, **options) -> (y, pullback)`, with `pullback(g) -> dx`.

    With learned parameters of shape (1,), the pullback returns (dx, d_learned...), each shaped
    like x. `formula` and `derivative` are in x, the options and the learned names (a function of
    the options where they depend on a choice); where it is not elementwise they are of one row,
    and the derivative is the pullback of a cotangent g. `init` is the initializer that `auto`
    draws before it.
    """

    kind: ClassVar[str] = "activation"
    formula: str | Callable[..., str] = ""
    derivative: str | Callable[..., str] = ""
    traits: Callable[..., Traits] | None = None
    elementwise: bool = True
    init: str = "xavier_normal"
    weights: Callable[..., dict[str, float]] | None = None

    def traits_at(self, options: Options) -> Traits | None:
        return None if self.traits is None else self.traits(**options)

    def learned(self, shape: Shape, options: Options) -> dict[str, Learned]:
        values = {} if self.weights is None else self.weights(**options)
        return {name: Learned((1,), value) for name, value in values.items()}

    def layer_traits(self, options: Options) -> LayerTraits:
        traits = self.traits_at(options)
        homogeneous = traits is not None and traits.homogeneous
        return LayerTraits(homogeneous_with=() if homogeneous else None)

    def evaluate(
        self, inputs: tuple[Array, ...], parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        (x,) = inputs
        own = [like(weight, 1, rank) for weight in parameters.values()]
        y, pull = self.function(x, *own, **options)
        axes = tuple(range(-rank, 0))

        def pullback(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
            if not parameters:
                return (pull(g),), {}
            dx, *dweights = pull(g)
            sums = [d.sum(axis=axes)[..., None] for d in dweights]
            return (dx,), dict(zip(parameters, sums, strict=True))

        return y, pullback


class Layer(NodeOp, kw_only=True):
    """`function(*inputs, parameters, rank, **options) -> (y, pullback)`.

    `pullback(g) -> (dx, {name: cotangent})`, with a tuple of cotangents for several inputs. The
    first input is the layer's own; each option of kind `layers` is a branch on it, whose output
    follows as a further input. What `NodeOp` asks of a shape is answered by `shapes`, `weights`
    and `buffers`, each a function of it and the options.
    """

    kind: ClassVar[str] = "layer"
    shapes: Callable[..., Shape] | None = None
    weights: Callable[..., dict[str, Learned]] | None = None
    buffers: Callable[..., dict[str, Buffer]] | None = None
    traits: Callable[..., LayerTraits] = LayerTraits

    def output_shape(self, shapes: tuple[Shape, ...], options: Options) -> Shape:
        return shapes[0] if self.shapes is None else self.shapes(*shapes, **options)

    def learned(self, shape: Shape, options: Options) -> dict[str, Learned]:
        return {} if self.weights is None else self.weights(shape, **options)

    def buffered(self, shape: Shape, options: Options) -> dict[str, Buffer]:
        return {} if self.buffers is None else self.buffers(shape, **options)

    def layer_traits(self, options: Options) -> LayerTraits:
        return self.traits(**options)

    def evaluate(
        self, inputs: tuple[Array, ...], parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        y, pull = self.function(*inputs, parameters=parameters, rank=rank, **options)

        def pullback(g: Array) -> tuple[tuple[Array, ...], Cotangents]:
            dx, dparameters = pull(g)
            return (dx if isinstance(dx, tuple) else (dx,)), dparameters

        return y, pullback


class Macro(Op, kw_only=True):
    """Writes entries out in its own place: `function(**options) -> iterator over entries`.

    It goes entry by entry, so that a network of too many is refused before it is written out.
    """

    kind: ClassVar[str] = "layer"


class Loss(Op, kw_only=True):
    """`function(p, y, **options) -> (values, pullback)`, with `pullback(g) -> dp`.

    `values` has the shape of p where the loss is `elementwise`, else one axis less (a value a
    row); the engine takes their mean. With learned parameters, `function(p, y, *learned,
    **options)` and the pullback returns (dp, d_learned...), each d_learned shaped like the
    values. `formula` and `gradient` are in p and y, of one element or one row.

    `reads`, which may depend on the options, says what targets are. Shaped like the values:
    numbers; binary (0 to 1); events (0 or 1); signs (-1 or 1). For losses on rows: labels (rows,);
    probabilities (rows, features); classes, which are labels or probabilities; identities (rows,),
    whole numbers that tell which rows are of one class. None: the loss has no target and y is
    absent.

    A loss that `couples_rows` gets all of a batch's rows in one axis, p (..., rows, features). So
    many of them as `rows` has names (a function of the options, perhaps), one behind the other,
    make one value; `formula` is then in these names, and `gradient` a mapping by them.

    `buffers` are given to the function by name; they are a function of the shape of the predictions
    and the options. `details(p, y, ..., **options)`, with the arguments of the function, says in
    plain data what a report should show of the loss at this point; {} is nothing.
    """

    kind: ClassVar[str] = "loss"
    formula: str | Callable[..., str] = ""
    gradient: Gradient | Callable[..., Gradient] = ""
    traits: Callable[..., LossTraits] | None = None
    elementwise: bool = True
    reads: str | Callable[..., str] = "numbers"
    couples_rows: bool = False
    rows: tuple[str, ...] | Callable[..., tuple[str, ...]] = ("p",)
    buffers: Callable[..., dict[str, Buffer]] | None = None
    details: Callable[..., dict[str, Any]] | None = None
    weights: Callable[..., dict[str, float]] | None = None

    def traits_at(self, options: Options) -> LossTraits | None:
        return None if self.traits is None else self.traits(**options)

    def reads_at(self, options: Options) -> str:
        return self.reads if isinstance(self.reads, str) else self.reads(**options)

    def buffered(self, shape: Shape, options: Options) -> dict[str, Buffer]:
        """Buffers by name for predictions of this shape."""
        return {} if self.buffers is None else self.buffers(shape, **options)

    def rows_at(self, options: Options) -> tuple[str, ...]:
        return self.rows if isinstance(self.rows, tuple) else self.rows(**options)


class Term(Op, kw_only=True):
    """A penalty on parameters: `function(w, **options) -> (values, pullback)`, elementwise.

    Summed, not averaged, over every parameter with two or more axes.
    """

    kind: ClassVar[str] = "term"
    formula: str = ""
    derivative: str = ""


class OutputTerm(Loss, kw_only=True):
    """A summand on the outputs that is no loss alone: in a `sum`, with a weight of either sign.

    It states no traits. With `noise`, the name of an option, it is a function of what noise of that
    standard deviation on the inputs changes in the outputs, row by row.
    """

    kind: ClassVar[str] = "term"
    noise: str = ""


class Weighting(Op, kw_only=True):
    """The losses of several heads as one: Σ weight·f(L) over the tasks, L being each task's loss.

    `function(L, *learned, **options) -> (f, pullback)`, elementwise and affine in L, so that f of
    a mean is the mean of f; `pullback(g) -> dL`, or (dL, d_learned...) shaped like L. `weights`
    are what it learns of each task, of shape (1,). The option of kind `losses` holds the tasks;
    the function does without it. `formula` and `derivative` are in L and the learned names.
    """

    kind: ClassVar[str] = "loss"
    formula: Callable[..., str]
    derivative: Callable[..., str]
    weights: Callable[..., dict[str, float]]

    @property
    def holds_tasks(self) -> str:
        """The name of the option that holds the tasks."""
        return next(param.name for param in self.params if param.kind == "losses")
