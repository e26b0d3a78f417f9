"""From arrays by row to features."""

from __future__ import annotations

from math import prod
from typing import Any

from gradcli.core.arrays import Array, Cotangents
from gradcli.core.cost import per_element
from gradcli.core.op import Shape
from gradcli.core.registry import layer
from gradcli.core.traits import LayerTraits
from gradcli.ops.features import require_features


def _shapes(shape: Shape) -> Shape:
    require_features(shape)
    return (shape[0], prod(shape[1:]))


@layer(
    "flatten",
    shapes=_shapes,
    traits=lambda: LayerTraits(
        homogeneous_with=(), lipschitz=lambda inputs, parameters: (1.0,), sums=(1.0,)
    ),
    cost=per_element(0, 0, is_view=True),
)
def flatten(x: Array, *, rank: int, **_: Any) -> tuple[Array, Any]:
    """All axes but that of the batch as one: a sequence or an image becomes one row of features."""

    def pullback(g: Array) -> tuple[Array, Cotangents]:
        return g.reshape(*g.shape[:-1], *x.shape[x.ndim - rank + 1 :]), {}

    return x.reshape(*x.shape[: x.ndim - rank + 1], prod(x.shape[x.ndim - rank + 1 :])), pullback
