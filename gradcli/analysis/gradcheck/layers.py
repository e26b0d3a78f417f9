"""A user's layer in Python alone, at some point: a function of its input and its parameters."""

from __future__ import annotations

from typing import Any

from gradcli.analysis.gradcheck.callables import Callables
from gradcli.analysis.gradcheck.functions import scalarised
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.core.arrays import Array, Parameters
from gradcli.core.python_layer import PlacedLayer
from gradcli.engine.model import draw_array, generator
from gradcli.spec.plan import LayerDefinition

__all__ = ["definition_callables", "layer_callables"]

INPUT = "x"


def definition_callables(
    definition: LayerDefinition, seed: int, dtype: str, options: CheckOptions
) -> Callables:
    """The definition as callables, on its own input and with parameters drawn for it."""
    name, layer = definition.name, definition.layer
    x = draw_array(definition.x, seed, f"{name}.{INPUT}", dtype)
    drawn = layer.drawn(generator(seed, name))
    parameters = {key: value.astype(dtype) for key, value in drawn.items()}
    result = layer_callables(layer, x, parameters, name, options)
    result.kind = "definition"
    result.line = definition.line
    numbers = {key: value for key, value in definition.options.items() if _is_number(value)}
    result.factors = (*((key, float(value)) for key, value in numbers.items()), *result.factors)
    if not definition.x.differentiable:
        result.wrt = tuple(key for key in result.wrt if key != INPUT)
    return result


def layer_callables(
    layer: PlacedLayer, x: Array, parameters: Parameters, where: str, options: CheckOptions
) -> Callables:
    """⟨cotangent, forward(x, parameters)⟩, and what the layer's backward makes of a cotangent.

    The input goes by `x` among the parameters. Raises UsageError where forward cannot be evaluated.
    """

    def forward(arrays: dict[str, Array]) -> tuple[Array, Any]:
        own = {key: value for key, value in arrays.items() if key != INPUT}
        run = layer.run(arrays[INPUT], own)
        return run.output, (run.backward, *run.saved)

    def backward(
        arrays: dict[str, Array], output: Array, cotangent: Array, saved: Any
    ) -> dict[str, Any]:
        own = {key: value for key, value in arrays.items() if key != INPUT}
        dx, cotangents = layer.parted(saved[0](arrays[INPUT], own, output, cotangent))
        return {INPUT: dx, **cotangents}

    point = {INPUT: x, **parameters}
    wrt = tuple(key for key, value in point.items() if value.dtype.kind == "f")
    result = scalarised(forward, backward, point, wrt, options, where)
    sizes = {f"the width {size}": float(size) for value in point.values() for size in value.shape}
    result.factors = (*sizes.items(), ("2", 2.0))
    return result


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
