"""A user's layer in Python alone, at some point: a function of its input and its parameters."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gradcli.analysis.gradcheck.callables import Arrays, Callables, WrongStructure, differs
from gradcli.analysis.gradcheck.functions import scalarised
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.arrays import Array, Parameters
from gradcli.core.op import X
from gradcli.core.python_layer import LayerRun, PlacedLayer
from gradcli.engine.model import Model, draw_array, generator
from gradcli.errors import UserCodeError
from gradcli.spec.plan import LayerDefinition, Plan

__all__ = ["definition_callables", "kept_in_precision", "layer_callables"]

_KEPT: Final = (
    "differs when backward is called twice after one forward, so something is kept from call to "
    "call"
)
_ULPS = 64
_SAME = 1e-3  # relative difference up to which two precisions give the same


def definition_callables(
    definition: LayerDefinition, seed: int, dtype: str, options: CheckOptions
) -> Callables:
    """The definition as callables, on its own input and with parameters drawn for it."""
    name, layer = definition.name, definition.layer
    x = draw_array(definition.x, seed, f"{name}.{X}", dtype)
    drawn = layer.drawn(generator(seed, name))
    parameters = {key: value.astype(dtype) for key, value in drawn.items()}
    result = layer_callables(layer, x, parameters, name, options)
    result.kind = "definition"
    result.line = definition.line
    numbers = {key: value for key, value in definition.options.items() if _is_number(value)}
    result.factors = (*((key, float(value)) for key, value in numbers.items()), *result.factors)
    if not definition.x.differentiable:
        result.wrt = tuple(key for key in result.wrt if key != X)
    return result


def layer_callables(
    layer: PlacedLayer, x: Array, parameters: Parameters, where: str, options: CheckOptions
) -> Callables:
    """⟨cotangent, forward(x, parameters)⟩, and what the layer's backward makes of a cotangent.

    The input goes by `x` among the parameters. Raises UsageError where forward cannot be evaluated.
    """
    alone = _Alone(layer)
    point = {X: x, **parameters}
    wrt = tuple(key for key, value in point.items() if value.dtype.kind == "f")
    result = scalarised(alone.forward, alone.backward, point, wrt, options, where)
    sizes = {f"the width {size}": float(size) for value in point.values() for size in value.shape}
    result.factors = (*sizes.items(), ("2", 2.0))
    result.draws = layer.draws
    result.further = lambda: [
        result.finding("GC005", f"the gradient of {name} {_KEPT}", name)
        for name in alone.changed_by_a_second_backward(result)
    ]
    return result


def kept_in_precision(model: Model) -> Plan:
    """The model's plan for an oracle in float64.

    A layer that gives something else there than in the model's own precision is kept in that.
    """
    slots = model.forward().slots
    nodes = list(model.plan.nodes)
    for index, node in enumerate(nodes):
        if isinstance(node.op, PlacedLayer):
            own = model.network.own(index, model.parameters)
            x, y = slots[node.inputs[0]], slots[index + 1]
            if not _is_faithful(node.op, x, own, y):
                nodes[index] = node.replace(op=node.op.replace(is_single=True))
    return model.plan.replace(nodes=tuple(nodes))


def _is_faithful(layer: PlacedLayer, x: Array, parameters: Parameters, y: Array) -> bool:
    """Whether a layer computes the same y in float64, and as precisely as that."""
    wide = {name: value.astype(np.float64) for name, value in parameters.items()}
    try:
        made = layer.run(x.astype(np.float64), wide).output
    except UserCodeError:
        return False
    slack = _SAME * float(np.abs(y).max(initial=0.0))
    return made.dtype == np.float64 and not differs(y.astype(float), made, slack)


class _Alone:
    """A layer as a forward and a backward of named arrays.

    The backward is that of the latest forward, which went before it.
    """

    def __init__(self, layer: PlacedLayer) -> None:
        self._layer = layer
        self._run: LayerRun | None = None

    def forward(self, arrays: Arrays) -> tuple[Array, Any]:
        own = {key: value for key, value in arrays.items() if key != X}
        self._run = self._layer.run(arrays[X], own)
        return self._run.output, self._run.saved

    def changed_by_a_second_backward(self, callables: Callables) -> list[str]:
        """Operands whose cotangents differ when backward is called twice after one forward."""
        assert callables.pull is not None
        output, saved = self.forward(callables.copies())
        first, second = (
            self.backward(callables.copies(), output.copy(), callables.pull.cotangent.copy(), saved)
            for _ in range(2)
        )
        return [
            name
            for name in callables.wrt
            if differs(np.asarray(first[name], float), second[name], _rounding(first[name]))
        ]

    def backward(
        self, arrays: Arrays, output: Array, cotangent: Array, saved: Any
    ) -> dict[str, Any]:
        assert self._run is not None
        own = {key: value for key, value in arrays.items() if key != X}
        made = self._run.backward(arrays[X], own, output, cotangent)
        try:
            dx, cotangents = self._layer.parted(made)
        except UserCodeError as error:
            raise WrongStructure(str(error)) from error
        return {X: dx, **cotangents}


def _rounding(made: Any) -> float:
    """What a sum in another order changes in a cotangent."""
    array = np.asarray(made, float)
    return _ULPS * float(np.finfo(np.float32).eps) * float(np.abs(array).max(initial=0.0))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
