"""Reading `kind: function`: functions of whole arrays, by formula or in Python."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.formula import Formula, FormulaError
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.spec.fields import INVALID, Context, fields, may_run, read_value
from gradcli.spec.memory import in_bytes
from gradcli.spec.nodes import Node
from gradcli.spec.plan import ArrayPlan, FunctionDefinition
from gradcli.spec.problems import did_you_mean
from gradcli.spec.read_arrays import ArraySource, read_array
from gradcli.spec.read_formula import read_formula
from gradcli.spec.read_params import COTANGENT, is_free, read_params

__all__ = [
    "INPUT_OPTIONS",
    "KEYS",
    "FunctionInput",
    "FunctionSource",
    "read_function",
    "read_input",
]

Forward = Callable[[Mapping[str, Array]], tuple[Array, Any]]
Backward = Callable[[Mapping[str, Array], Array, Array, Any], Mapping[str, Any]]

_DTYPE: Final = Param("dtype", "float", kind="choice", choices=("float", "int"))
_HIGH: Final = Param("high", 2, kind="integer", at_least=1)
_DIFFERENTIABLE: Final = Param("differentiable", True, kind="boolean")
INPUT_OPTIONS: Final = (_DTYPE, _HIGH, _DIFFERENTIABLE)
"""What an input may say beside its values."""

KEYS: Final = ("kind", "inputs", "params", "forward", "gradient", "python", "backward")
"""What a definition of kind function may hold."""


@dataclass(frozen=True)
class FunctionInput:
    """An input whose values are not in memory yet."""

    source: ArraySource
    is_integer: bool
    high: int
    differentiable: bool

    def plan(self, context: Context) -> ArrayPlan | None:
        """The input with its values; None with the problem noted."""
        source = self.source
        dtype = "int" if self.is_integer else "float64"
        if source.drawn is not None:
            return source.drawn.replace(
                dtype=dtype, high=self.high, differentiable=self.differentiable
            )
        values = source.load()
        if values is None:
            return None
        if self.is_integer and not np.all((values == np.floor(values)) & (abs(values) < 2**53)):
            hint = "expected whole numbers below 2**53"
            context.problems.add("SP009", "values are not whole numbers", source.node, hint=hint)
            return None
        values = values.astype(np.int64 if self.is_integer else np.float64)
        return ArrayPlan(
            source.shape, values=values, dtype=dtype, differentiable=self.differentiable
        )


@dataclass(frozen=True)
class FunctionSource:
    """A function as read; `plan` adds the values of its inputs."""

    name: str
    node: Node
    inputs: dict[str, FunctionInput]
    params: dict[str, float]
    forward: Forward
    backward: Backward | None
    formula: Formula | None = None
    claims: Mapping[str, Formula] = field(default_factory=dict)

    def plan(self, context: Context) -> FunctionDefinition | None:
        """The definition with its inputs' values; None with the problem noted."""
        planned = {name: given.plan(context) for name, given in self.inputs.items()}
        inputs = {name: plan for name, plan in planned.items() if plan is not None}
        if len(inputs) < len(planned):
            return None
        return FunctionDefinition(
            self.name,
            inputs,
            self.params,
            self.forward,
            self.backward,
            self.formula,
            self.claims,
            self.node.key_place.line,
        )


def read_function(name: str, node: Node, context: Context) -> FunctionSource | None:
    """A definition of kind function."""
    known = fields(node, KEYS, context.problems, f"definition {name}")
    if known is None:
        return None
    inputs = _read_inputs(name, node, known.get("inputs"), context)
    params = read_params(known.get("params"), inputs or (), context)
    if "forward" not in known:
        context.problems.add("SP008", f"{name} has no forward", node, at_key=True)
    unfit, of = ("gradient", "Python") if "python" in known else ("backward", "a formula")
    if unfit in known:
        hint = "backward names the Python function" if of == "Python" else "write gradient by input"
        message = f"{unfit} does not belong to a definition by {of}"
        context.problems.add("SP006", message, known[unfit], hint=hint, at_key=True)
        return None
    if "python" in known:
        return _python(name, node, known, inputs, params, context)
    if inputs is None or params is None or "forward" not in known:
        return None
    return _formula(name, node, known, inputs, params, context)


def _read_inputs(
    name: str, node: Node, written: Node | None, context: Context
) -> dict[str, FunctionInput] | None:
    problems = context.problems
    if written is None or not written.is_mapping or not written.value:
        hint = "write `inputs: {x: {shape: [8]}}`"
        problems.add("SP008", f"{name} has no inputs", written or node, hint=hint, at_key=True)
        return None
    inputs: dict[str, FunctionInput] = {}
    for key, child in written.value.items():
        if not is_free(key):
            problems.add("SP011", f"an input cannot be called {key!r}", child, at_key=True)
        read = read_input(key, child, context)
        if read is not None:
            inputs[key] = read
    if len(inputs) < len(written.value):
        return None
    if not any(given.differentiable for given in inputs.values()):
        message = f"{name} has no differentiable input, so there is nothing to check"
        problems.add("SP008", message, written, at_key=True)
        return None
    return inputs


def read_input(name: str, node: Node, context: Context) -> FunctionInput | None:
    """One input: an array with a dtype, and whether it is differentiable."""
    keys = tuple(option.name for option in INPUT_OPTIONS)
    found = read_array(node, f"input {name}", context, keys=keys, scalar=True)
    if found is None:
        return None
    source, extra = found
    dtype, high, differentiable = (
        read_value(extra[option.name], option, context.problems)
        if option.name in extra
        else option.default
        for option in INPUT_OPTIONS
    )
    if INVALID in (dtype, high, differentiable):
        return None
    is_integer = dtype == "int"
    if is_integer and "differentiable" in extra and differentiable:
        message = "whole numbers are not differentiable"
        context.problems.add("SP009", message, extra["differentiable"])
        return None
    return FunctionInput(source, is_integer, high, differentiable and not is_integer)


def _formula(
    name: str,
    node: Node,
    known: dict[str, Node],
    inputs: dict[str, FunctionInput],
    params: dict[str, float],
    context: Context,
) -> FunctionSource | None:
    forward = read_formula(known["forward"], "forward", (*inputs, *params), context)
    claims = _claims(name, known.get("gradient"), inputs, params, context)
    if forward is None or claims is None:
        return None
    shapes: dict[str, Shape] = {key: given.source.shape for key, given in inputs.items()}
    if not _fits(forward, known["forward"], shapes, params, context):
        return None
    ranks = {key: len(shape) for key, shape in shapes.items()}

    def run(values: Mapping[str, Array]) -> tuple[Array, None]:
        return forward.evaluate({**params, **values}, ranks), None

    def backward(
        values: Mapping[str, Array], output: Array, cotangent: Array, saved: Any
    ) -> dict[str, Array]:
        replicas = max(np.ndim(values[key]) - rank for key, rank in ranks.items())
        own = np.ndim(cotangent) - replicas
        env: dict[str, Array | float] = {**params, **values, COTANGENT: cotangent}
        found = {
            key: claim.evaluate(env, {**ranks, COTANGENT: own}) for key, claim in claims.items()
        }
        spread = {
            key: _spread(value, np.shape(values[key]), ranks[key]) for key, value in found.items()
        }
        if prod(np.shape(cotangent)[replicas:]) != 1:
            return spread
        return {
            key: value
            if COTANGENT in claims[key].names
            else _times(np.reshape(cotangent, np.shape(cotangent)[:replicas]), value, ranks[key])
            for key, value in spread.items()
        }

    claimed = backward if claims else None
    return FunctionSource(name, node, inputs, params, run, claimed, forward, claims)


def _spread(value: Array, shape: Shape, rank: int) -> Array:
    """A claim of one number (for each replica) is the same for every entry of its input."""
    replicas = shape[: len(shape) - rank]
    if value.shape == () or (value.shape == replicas and rank):
        spread = value.reshape((*value.shape, *(1,) * rank))
        return np.broadcast_to(spread, shape).copy()
    return value


def _times(cotangent: Array, gradient: Array, rank: int) -> Array:
    """The claim for a function of one number where it is stated as the gradient, without g."""
    if gradient.ndim != cotangent.ndim + rank:
        return gradient  # which is wrong, and shown as it was stated
    return np.asarray(cotangent.reshape((*cotangent.shape, *(1,) * rank)) * gradient)


def _claims(
    name: str,
    node: Node | None,
    inputs: dict[str, FunctionInput],
    params: Collection[str],
    context: Context,
) -> dict[str, Formula] | None:
    """Claimed gradients by input: of every differentiable one, or of none."""
    if node is None:
        return {}
    problems = context.problems
    wanted = [key for key, given in inputs.items() if given.differentiable]
    if not node.is_mapping:
        hint = f"write `gradient: {{{wanted[0]}: ...}}`"
        problems.add("SP009", f"gradient cannot be {node}", node, hint=hint)
        return None
    claims: dict[str, Formula] = {}
    for key, child in node.value.items():
        if key not in wanted:
            kind = "differentiable input" if key not in inputs else "gradient to claim: input"
            message = f"{name} has no {kind} {key!r}"
            hint = did_you_mean(key, wanted)
            problems.add("SP006", message, child, hint=hint, at_key=True)
            continue
        claim = read_formula(child, f"gradient of {key}", (*inputs, *params, COTANGENT), context)
        if claim is not None:
            claims[key] = claim
    for key in wanted:
        if key not in node.value:
            message = f"no gradient is claimed for {key}"
            hint = f"write it, or `differentiable: false` at the input {key}"
            problems.add("SP008", message, node, hint=hint, at_key=True)
    return claims if set(claims) == set(wanted) else None


def _fits(
    formula: Formula,
    node: Node,
    shapes: dict[str, Shape],
    params: Mapping[str, float],
    context: Context,
) -> bool:
    """Whether the shapes fit, and the intermediate values the memory."""
    try:
        extent = formula.extent({**shapes, **dict.fromkeys(params, ())})
    except FormulaError as error:
        words = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        context.problems.add("SP012", f"forward: {error.message}", node, hint=f"shapes: {words}")
        return False
    needed = 8 * extent.entries
    if needed > context.max_memory:
        message = f"forward needs about {in_bytes(needed)} of memory"
        hint = f"{in_bytes(context.max_memory)} are allowed"
        context.problems.add("SP016", message, node, hint=hint)
        return False
    return True


def _python(
    name: str,
    node: Node,
    known: dict[str, Node],
    inputs: dict[str, FunctionInput] | None,
    params: dict[str, float] | None,
    context: Context,
) -> FunctionSource | None:
    if not may_run(name, known["python"], context):
        return None
    if inputs is None or params is None or "forward" not in known:
        return None
    from gradcli.spec.python_source import load_functions

    functions = load_functions(known["python"], known["forward"], known.get("backward"), context)
    if functions is None:
        return None
    forward, backward = functions
    return FunctionSource(
        name,
        node,
        inputs,
        params,
        _python_forward(forward, params),
        None if backward is None else _python_backward(backward),
    )


class NothingSaved:
    """Stands for what `forward` saved where it returned an array alone."""


def _python_forward(forward: Callable[..., Any], params: Mapping[str, float]) -> Forward:
    def run(values: Mapping[str, Array]) -> tuple[Array, Any]:
        result = forward(**values, **params)
        if isinstance(result, tuple) and len(result) == 2:
            return np.asarray(result[0]), result[1]
        return np.asarray(result), NothingSaved

    return run


def _python_backward(backward: Callable[..., Any]) -> Backward:
    def run(values: Mapping[str, Array], output: Array, cotangent: Array, saved: Any) -> Any:
        if saved is NothingSaved:
            return backward(values, output, cotangent)
        return backward(values, output, cotangent, saved)

    return run
