"""Critical points of the literature, to be held against what is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gradcli.core.op import Activation, Options
from gradcli.core.record import Record

__all__ = ["Published", "published_points"]


class Published(Record):
    """σ_w² at a σ_b², and q at rest where it is stated.

    `onset` marks the least σ_b with which there is a point to rest at. The numbers are right to
    `decimals`, `reference` is a key of the literature, `remark` what has to be known of them.
    """

    bias_variance: float
    weight_variance: float
    reference: str
    q: float | None = None
    onset: bool = False
    decimals: int = 8
    remark: str = ""


_RECTIFIERS: Final[Mapping[str, Callable[..., float]]] = {
    "relu": lambda: 0.0,
    "leaky_relu": lambda alpha: alpha,
    "prelu": lambda alpha: alpha,
}
"""The slope below zero, a, with which σ_w² = 2/(1 + a²)."""

_POINTS: Final[Mapping[str, tuple[Published, ...]]] = {
    "tanh": (
        Published(0.0, 1.0, "glorot2010", 0.0),
        Published(0.05, 1.7604, "schoenholz2017", decimals=2, remark="from a coarse grid"),
    ),
    "gelu": (Published(0.17292239, 1.98305826, "roberts2022", 3.56155281, onset=True),),
    "swish": (Published(0.55514317, 1.98800468, "roberts2022", 14.32017362, onset=True),),
}


def published_points(op: Activation, options: Options) -> Iterator[Published]:
    """Those of an activation at these options, its defaults but for rectifiers."""
    if op.name in _RECTIFIERS:
        slope = _RECTIFIERS[op.name](**options)
        yield Published(0.0, 2 / (1 + slope**2), "he2015")
    elif options == op.defaults():
        yield from _POINTS.get(op.name, ())
