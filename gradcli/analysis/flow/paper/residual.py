"""What skips do to a gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, dense, few_units, stacked
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import factor_a_layer, factor_in_all

__all__ = ["RESIDUAL"]


def _branch(size: Size, first: float, second: float) -> list[Any]:
    """W₂ relu(W₁x) with weights of these variances over the width."""
    return [dense(size, first), "relu", dense(size, second)]


def _few_blocks(size: Size) -> float:
    """(1 + 1/L)^L is e·(1 − 1/(2L)) to leading order."""
    return math.e / (2 * size.depth)


def _a_block_more(size: Size) -> float:
    """A finite width adds about 1/n a block to the squared gradient, of which this is the root."""
    return size.depth / (4 * size.width)


def _total(draw: Draw) -> float:
    return math.exp(float(draw.expected.gains.sum()))


def _network(network: str, depth: int, block: Callable[[Size], Any], anchor: Anchor) -> Experiment:
    return Experiment(
        network=network,
        spec=lambda size: stacked(size, {"residual": block(size)}),
        size=Size(depth, 128, 16),
        draws=64,
        anchors=(anchor,),
    )


def _factor(name: str, published: str, note: str) -> Anchor:
    """What one block puts on the squared gradient."""
    return Anchor(
        name=name,
        quantity="squared gradient a block",
        published=published,
        source="derived",
        measured=factor_a_layer(),
        leeway=few_units(4.0),
        theory=lambda draw: math.exp(float(draw.expected.gains.mean())),
        note=note,
    )


RESIDUAL: Final = (
    _network(
        "x + W₂ relu(W₁x), Var W = 1/n and 2/n",
        12,
        lambda size: _branch(size, 1.0, 2.0),
        _factor(
            "residual-doubles",
            "2",
            "a branch that keeps the norm of what it reads: He for W₂, which alone reads "
            "rectified units",
        ),
    ),
    _network(
        "x + W₂ relu(W₁x), Var W = 2/n for both",
        12,
        lambda size: _branch(size, 2.0, 2.0),
        _factor(
            "residual-he",
            "3",
            "He for both: it triples rather than doubles, since the branch doubles by itself",
        ),
    ),
    _network(
        "x + W₂ relu(W₁x)/√L",
        50,
        lambda size: {"layers": _branch(size, 1.0, 2.0), "scale": size.depth**-0.5},
        Anchor(
            name="residual-scaled",
            quantity="squared gradient in all: e",
            published="2.718",
            source="Zhang et al. 2019 (Fixup), derived",
            references=("zhang2019fixup",),
            measured=factor_in_all(),
            leeway=lambda size: _few_blocks(size) + 4 / size.width,
            theory=_total,
            theory_leeway=_few_blocks,
            note="as L grows; (1 + 1/L)^L is what theory says of 50 blocks",
        ),
    ),
    _network(
        "x + W₂ relu(W₁ layer_norm(x)), Var W = 1/n",
        24,
        lambda size: [{"layer_norm": {"eps": 1e-12}}, *_branch(size, 1.0, 1.0)],
        Anchor(
            name="residual-pre-norm",
            quantity="norm in all: √(1 + L/2)",
            published="3.606",
            source="Xiong et al. 2020, derived",
            references=("xiong2020",),
            measured=factor_in_all(power=0.5),
            leeway=_a_block_more,
            theory=lambda draw: _total(draw) ** 0.5,
            theory_leeway=_a_block_more,
            note="L = 24; theory adds what a finite width does, about 1/n a block",
        ),
    ),
)
