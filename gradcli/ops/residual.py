"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradcli.core.arrays import Array, Cotangents
from gradcli.core.cost import per_element
from gradcli.core.op import Shape
from gradcli.core.param import Param
from gradcli.core.registry import layer, macro
from gradcli.core.traits import LayerTraits


def _shapes(shape: Shape, branch: Shape, **_: Any) -> Shape:
    if shape != branch:
        raise ValueError(
            f"its branch turns {shape[-1]} features into {branch[-1]}, so the two cannot be added"
        )
    return shape


@layer(
    "residual",
    known_as=["residual block"],
    params=[Param("layers", kind="layers"), Param("scale", 1.0, sweep=(1.0, 0.5))],
    cost=per_element(2, 1, scratch=(1, 0)),
    references=["he2016"],
    shapes=_shapes,
    traits=lambda scale, **_: LayerTraits(
        keeps_features=True,
        homogeneous_with=(),
        lipschitz=lambda inputs, parameters: (1.0, abs(scale)),
        sums=(1.0, scale),
    ),
)
def residual(x: Array, branch: Array, *, scale: float, **_: Any) -> tuple[Array, Any]:
    """A block with a shortcut: y = x + scale·branch(x)."""

    def pullback(g: Array) -> tuple[tuple[Array, Array], Cotangents]:
        return (g, scale * g), {}

    return x + scale * branch, pullback


@macro(
    "repeat",
    params=[
        Param("times", kind="integer", at_least=1, sweep=(1, 3)),
        Param("layers", kind="layers"),
    ],
)
def repeat(*, times: int, layers: list[Any]) -> Iterator[Any]:
    """The same layers several times, each time with weights of their own."""
    return (layer for _ in range(times) for layer in layers)
