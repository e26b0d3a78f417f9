"""Reading `kind: layer`: a layer that is a class in Python."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Final

from gradcli.core.op import X
from gradcli.core.param import Param
from gradcli.core.python_layer import PythonLayer
from gradcli.errors import UserCodeError
from gradcli.spec.fields import Context, fields, may_run
from gradcli.spec.nodes import Node
from gradcli.spec.plan import LayerDefinition
from gradcli.spec.problems import did_you_mean
from gradcli.spec.python_source import load_class
from gradcli.spec.read_function import FunctionInput, read_input

__all__ = ["KEYS", "NAME_OPTION", "LayerSource", "read_layer"]

KEYS: Final = ("kind", "python", "class", "params", "inputs")
"""What a definition of kind layer may hold."""

NAME_OPTION: Final = "name"
"""Where a layer is used, this names it; no keyword argument of its class can be called so."""


@dataclass(frozen=True)
class LayerSource:
    """A layer as read; `plan` adds the values of its input, if it has one to be checked on."""

    name: str
    node: Node
    op: PythonLayer
    inputs: dict[str, FunctionInput]

    def plan(self, context: Context) -> LayerDefinition | None:
        """The definition standing alone; None without an input, or with a problem noted."""
        x = self.inputs[X].plan(context) if self.inputs else None
        if x is None:
            return None
        options = self.op.defaults()
        try:
            layer = self.op.placed(self.name, x.shape, options, whole=x.dtype == "int")
        except UserCodeError as error:
            context.problems.add("SP021", str(error), self.node, at_key=True)
            return None
        if not (x.differentiable or layer.own):
            message = f"{self.name} has no parameters and no differentiable input to check"
            context.problems.add("SP008", message, self.node, at_key=True)
            return None
        return LayerDefinition(self.name, layer, x, options, self.node.key_place.line)


def read_layer(name: str, node: Node, context: Context) -> LayerSource | None:
    """A definition of kind layer."""
    known = fields(node, KEYS, context.problems, f"definition {name}")
    if known is None:
        return None
    for key, hint in (("python", "`python: my_ops.py`"), ("class", "`class: MyDense`")):
        if key not in known:
            message = f"{name} has no {key}"
            context.problems.add("SP008", message, node, hint=f"write {hint}", at_key=True)
    params = _read_params(known.get("params"), context)
    inputs = _read_inputs(name, known.get("inputs"), context)
    if not {"python", "class"} <= known.keys() or not may_run(name, known["python"], context):
        return None
    made = load_class(known["python"], known["class"], context)
    if made is None or params is None or inputs is None:
        return None
    if not _takes(made, params, name, node, context):
        return None
    options = tuple(Param(key, child.plain(), kind="any") for key, child in params.items())
    return LayerSource(name, node, PythonLayer(name=name, function=made, params=options), inputs)


def _read_params(node: Node | None, context: Context) -> dict[str, Node] | None:
    """Keyword arguments of the class, whatever their values."""
    problems = context.problems
    if node is None:
        return {}
    if not node.is_mapping:
        problems.add("SP009", f"params cannot be {node}", node, hint="expected values by name")
        return None
    wrong = [key for key in node.value if not key.isidentifier() or key == NAME_OPTION]
    for key in wrong:
        message = f"a parameter cannot be called {key!r}"
        problems.add("SP011", message, node.value[key], at_key=True)
    return None if wrong else node.value


def _read_inputs(name: str, node: Node | None, context: Context) -> dict[str, FunctionInput] | None:
    """The input x, if there is one."""
    if node is None:
        return {}
    known = fields(node, (X,), context.problems, f"the inputs of layer {name}")
    if not known:
        if known is not None and not node.value:
            hint = "write `inputs: {x: {shape: [8, 16]}}`"
            context.problems.add("SP008", f"{name} has no input x", node, hint=hint, at_key=True)
        return None
    read = read_input(X, known[X], context)
    return None if read is None else {X: read}


def _takes(
    made: type[Any], params: dict[str, Node], name: str, node: Node, context: Context
) -> bool:
    """Whether the class takes these keyword arguments, as far as its signature tells."""
    try:
        signature = inspect.signature(made).parameters.values()
    except (TypeError, ValueError):
        return True
    if any(known.kind is inspect.Parameter.VAR_KEYWORD for known in signature):
        return True
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [known.name for known in signature if known.kind in by_name]
    unknown = [key for key in params if key not in names]
    for key in unknown:
        message, hint = f"{made.__name__} has no parameter {key!r}", did_you_mean(key, names)
        context.problems.add("SP006", message, params[key], hint=hint, at_key=True)
    needed = {known.name for known in signature if known.default is inspect.Parameter.empty}
    missing = [key for key in names if key in needed and key not in params]
    for key in [] if unknown else missing:
        hint = f"write `params: {{{key}: ...}}`"
        message = f"{made.__name__} needs {key}"
        context.problems.add("SP008", message, node, hint=hint, at_key=True)
    return not (unknown or missing)
