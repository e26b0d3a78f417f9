"""Reading `define`: activations, losses and functions of the spec's own, and what they claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.cost import Cost, per_element
from gradcli.core.formula import Formula
from gradcli.core.op import Activation, Layer, Loss, Macro, Op, Term, Weighting
from gradcli.core.param import Param
from gradcli.core.registry import Catalogue
from gradcli.spec.fields import INVALID, NAME, NAME_HINT, Context, fields, read_value
from gradcli.spec.nodes import Node
from gradcli.spec.options import Alternative, Option
from gradcli.spec.plan import Definition, ElementwiseDefinition
from gradcli.spec.problems import did_you_mean
from gradcli.spec.read_formula import read_formula
from gradcli.spec.read_function import FunctionSource, read_function
from gradcli.spec.read_loss import SUM
from gradcli.spec.read_network import RESERVED
from gradcli.spec.read_params import read_params

if TYPE_CHECKING:
    from gradcli.spec.read_arrays import ArraySource
    from gradcli.spec.read_layer import LayerSource

__all__ = [
    "BOUND",
    "ELEMENTWISE",
    "KIND",
    "Definitions",
    "elementwise_keys",
    "names_taken",
    "read_definitions",
]

ELEMENTWISE: Final[Mapping[str, tuple[tuple[str, ...], str]]] = MappingProxyType(
    {"activation": (("x",), "derivative"), "loss": (("p", "y"), "gradient")}
)
"""Variables of the elementwise kinds of definition, and the key of what they claim."""

KIND: Final = Param("kind", kind="choice", choices=(*ELEMENTWISE, "function", "layer"))

_NAMESPACES: Final = (Activation, Layer, Macro, Loss, Term, Weighting)
_RESERVED: Final = (*RESERVED, SUM)
_BOUND_WORDS: Final = {"inf": math.inf, "-inf": -math.inf}


def _bound(value: Any) -> float:
    value = _BOUND_WORDS.get(value, value) if isinstance(value, str) else value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
        return float(value)
    raise ValueError


BOUND: Final = Option(
    "a bound",
    (
        Alternative(
            "a number, inf or -inf",
            _bound,
            {"anyOf": [{"type": "number"}, {"enum": list(_BOUND_WORDS)}]},
        ),
    ),
)


def elementwise_keys(kind: str) -> tuple[str, ...]:
    """What a definition of an elementwise kind may hold."""
    return ("kind", "params", "forward", ELEMENTWISE[kind][1], "domain", "at")


def names_taken(catalogue: Catalogue) -> list[str]:
    """Names that a definition cannot have."""
    return sorted({*_RESERVED, *catalogue.names(*_NAMESPACES)})


@dataclass
class Definitions:
    """What a spec defines, by name; `order` also has those that could not be read."""

    order: list[str] = field(default_factory=list)
    elementwise: dict[str, ElementwiseDefinition] = field(default_factory=dict)
    functions: dict[str, FunctionSource] = field(default_factory=dict)
    layers: dict[str, LayerSource] = field(default_factory=dict)

    @property
    def ops(self) -> list[Op]:
        """The ops that can be used in the network and the loss."""
        elementwise = [definition.op for definition in self.elementwise.values()]
        return [*elementwise, *(layer.op for layer in self.layers.values())]

    @property
    def broken(self) -> set[str]:
        return set(self.order) - {*self.elementwise, *self.functions, *self.layers}

    @property
    def inputs(self) -> list[tuple[str, ArraySource]]:
        """The arrays on which functions and layers are checked, by name."""
        functions = [function.inputs for function in self.functions.values()]
        inputs = [*functions, *(layer.inputs for layer in self.layers.values())]
        return [(name, own.source) for given in inputs for name, own in given.items()]

    def plan(self, context: Context) -> tuple[Definition, ...]:
        """All that can be checked standing alone, with the values of inputs loaded."""
        sources: dict[str, FunctionSource | LayerSource] = {**self.functions, **self.layers}
        planned: list[Definition | None] = [
            sources[name].plan(context) if name in sources else self.elementwise.get(name)
            for name in self.order
        ]
        return tuple(definition for definition in planned if definition is not None)


def read_definitions(node: Node, context: Context) -> Definitions:
    """All definitions that could be read; arrays of functions are still to be loaded."""
    found = Definitions()
    if not node.is_mapping or not node.value:
        hint = "expected a mapping of definitions by name"
        context.problems.add("SP009", f"define cannot be {node}", node, hint=hint)
        return found
    for name, child in node.value.items():
        found.order.append(name)
        kind = _kind(child, context)
        if not _check_name(name, child, context) or kind is None:
            continue
        if kind == "function":
            function = read_function(name, child, context)
            if function is not None:
                found.functions[name] = function
        elif kind == "layer":
            # hardly any spec has one
            from gradcli.spec.read_layer import read_layer

            layer = read_layer(name, child, context)
            if layer is not None:
                found.layers[name] = layer
        else:
            definition = _elementwise(name, kind, child, context)
            if definition is not None:
                found.elementwise[name] = definition
    return found


def _kind(node: Node, context: Context) -> str | None:
    if not node.is_mapping or "kind" not in node.value:
        hint = "write `kind: ` with one of " + ", ".join(KIND.choices)
        context.problems.add("SP008", "a definition needs a kind", node, hint=hint, at_key=True)
        return None
    kind: str | None = read_value(node.value["kind"], KIND, context.problems, fallback=None)
    return kind


def _check_name(name: str, node: Node, context: Context) -> bool:
    taken = context.catalogue.find(name, *_NAMESPACES) is not None
    message, hint = "", "a definition needs a name of its own"
    if not NAME.fullmatch(name):
        message, hint = f"a definition cannot be called {name!r}", NAME_HINT
    elif name in _RESERVED:
        message = f"the name {name} is reserved"
    elif taken:
        message = f"{name} is in the catalogue already"
    if message:
        context.problems.add("SP011", message, node, hint=hint, at_key=True)
    return not message


def _elementwise(
    name: str, kind: str, node: Node, context: Context
) -> ElementwiseDefinition | None:
    """An activation in x, or a loss in p and y."""
    problems = context.problems
    variables, claimed = ELEMENTWISE[kind]
    known = fields(node, elementwise_keys(kind), problems, f"definition {name}")
    if known is None:
        return None
    params = read_params(known.get("params"), variables, context)
    domain = _domain(known.get("domain"), variables, context)
    at = _points(known.get("at"), variables, context)
    if "forward" not in known:
        hint = f"a formula in {' and '.join(variables)}"
        problems.add("SP008", f"{name} has no forward", node, hint=hint, at_key=True)
        return None
    names = (*variables, *(params or ()))
    forward = read_formula(known["forward"], "forward", names, context, elementwise=True)
    claim = None
    if claimed in known:
        claim = read_formula(known[claimed], claimed, names, context, elementwise=True)
    unreadable = claim is None and claimed in known
    if forward is None or unreadable or params is None or domain is None or at is None:
        return None
    build = _activation if kind == "activation" else _loss
    op = build(name, params, forward, claim)
    return ElementwiseDefinition(
        name, op, variables, params, forward, claim, domain, at, node.key_place.line
    )


def _by_variable(
    node: Node, what: str, variables: tuple[str, ...], context: Context
) -> dict[str, Node]:
    if not node.is_mapping:
        hint = f"write `{what}: {{{variables[0]}: [0, 1]}}`"
        context.problems.add("SP009", f"{what} cannot be {node}", node, hint=hint)
        return {}
    for name, child in node.value.items():
        if name not in variables:
            hint = did_you_mean(name, list(variables))
            message = f"{what} has no variable {name!r}"
            context.problems.add("SP006", message, child, hint=hint, at_key=True)
    return {name: child for name, child in node.value.items() if name in variables}


def _domain(
    node: Node | None, variables: tuple[str, ...], context: Context
) -> dict[str, tuple[float, float]] | None:
    domain: dict[str, tuple[float, float]] = {}
    good = True
    for name, child in (
        {} if node is None else _by_variable(node, "domain", variables, context)
    ).items():
        ends = child.value if child.is_list else []
        values = [read_value(end, BOUND, context.problems) for end in ends]
        if INVALID in values:
            good = False
        elif len(values) != 2 or not values[0] < values[1]:
            hint = "expected two ends, the lower one first"
            context.problems.add(
                "SP009", f"the domain of {name} cannot be {child}", child, hint=hint
            )
            good = False
        else:
            domain[name] = (values[0], values[1])
    return domain if good else None


def _points(
    node: Node | None, variables: tuple[str, ...], context: Context
) -> dict[str, tuple[float, ...]] | None:
    points: dict[str, tuple[float, ...]] = {}
    good = True
    option = Param("a point")
    for name, child in (
        {} if node is None else _by_variable(node, "at", variables, context)
    ).items():
        items = child.value if child.is_list else [child]
        values = [read_value(item, option, context.problems) for item in items]
        good = good and INVALID not in values
        points[name] = tuple(values)
    return points if good else None


def _shaped(value: Array, like: Array) -> Array:
    """A formula that does not read its variable gives one number: the same for every entry."""
    if value.shape == like.shape:
        return value
    dtype = np.result_type(value, like) if np.iscomplexobj(value) else like.dtype
    return np.broadcast_to(value, like.shape).astype(dtype)


def _pulled(forward: Formula, env: Mapping[str, Any], variable: str, g: Array) -> Array:
    """The formula's own pullback; zero in a variable that it does not read."""
    if variable not in forward.names:
        return np.zeros_like(g)
    return forward.value_and_pullback(env, (variable,))[1](g)[variable]


def _texts(forward: Formula, claim: Formula | None) -> tuple[str, str]:
    return forward.text, "" if claim is None else claim.text


def _cost(forward: Formula, claim: Formula | None) -> Callable[..., Cost]:
    """As the formulas are written; a formula without a claim is differentiated step by step.

    What is held on the way depends on the functions in it, and is about so much.
    """
    steps = forward.operations
    if claim is not None:
        return per_element(steps, claim.operations + 1, scratch=(3, 4))
    return per_element(steps, 3 * steps, scratch=(3, 2 + 2 * steps))


def _op_params(params: dict[str, float]) -> tuple[Param, ...]:
    return tuple(Param(name, value) for name, value in params.items())


def _activation(
    name: str, params: dict[str, float], forward: Formula, claim: Formula | None
) -> Activation:
    def function(x: Array, **options: float) -> Any:
        env: dict[str, Array | float] = {"x": x, **options}
        y = _shaped(forward.evaluate(env), x)

        # the slope is worked out only when it is asked for: most evaluations never do
        def pullback(g: Array) -> Array:
            if claim is not None:
                return g * _shaped(claim.evaluate(env), x)
            return _pulled(forward, env, "x", g)

        return y, pullback

    formula, derivative = _texts(forward, claim)
    function.__doc__ = f"Defined by the spec: {formula}."
    return Activation(
        name=name,
        function=function,
        params=_op_params(params),
        formula=formula,
        derivative=derivative,
        cost=_cost(forward, claim),
    )


def _loss(name: str, params: dict[str, float], forward: Formula, claim: Formula | None) -> Loss:
    def function(p: Array, y: Array, **options: float) -> Any:
        env: dict[str, Array | float] = {"p": p, "y": y, **options}
        values = _shaped(forward.evaluate(env), p)

        def pullback(g: Array) -> Array:
            if claim is not None:
                return g * _shaped(claim.evaluate(env), p)
            return _pulled(forward, env, "p", g)

        return values, pullback

    formula, gradient = _texts(forward, claim)
    function.__doc__ = f"Defined by the spec: {formula}."
    return Loss(
        name=name,
        function=function,
        params=_op_params(params),
        formula=formula,
        gradient=gradient,
        cost=_cost(forward, claim),
    )
