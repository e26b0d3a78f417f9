"""What skips do to a gradient."""

from __future__ import annotations

import math
from typing import Any, Final

from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, dense, few_units, stacked
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import factor_a_layer, factor_in_all

__all__ = ["RESIDUAL"]

_BLOCKS: Final = Size(12, 128, 16)
_DRAWS: Final = 64


def _branch(size: Size, first: float, second: float) -> list[Any]:
    """W₂ relu(W₁x) with weights of these variances over the width."""
    return [dense(size, first), "relu", dense(size, second)]


def _few_blocks(size: Size) -> float:
    """(1 + 1/L)^L is e·(1 − 1/(2L)) to leading order."""
    return math.e / (2 * size.depth)


def _a_block_more(size: Size) -> float:
    """A finite width adds about 1/n a block to the squared gradient, of which this is the root."""
    return size.depth / (4 * size.width)


def _factor(draw: Draw) -> float:
    return math.exp(float(draw.expected.gains.mean()))


def _total(draw: Draw) -> float:
    return math.exp(float(draw.expected.gains.sum()))


RESIDUAL: Final = (
    Experiment(
        network="x + W₂ relu(W₁x), Var W = 1/n and 2/n",
        spec=lambda size: stacked(size, {"residual": _branch(size, 1.0, 2.0)}),
        size=_BLOCKS,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="residual-doubles",
                quantity="squared gradient a block",
                published="2",
                source="derived",
                measured=factor_a_layer(),
                leeway=few_units(4.0),
                theory=_factor,
                note="a branch that keeps the norm of what it reads: He for W₂, which alone reads "
                "rectified units",
            ),
        ),
    ),
    Experiment(
        network="x + W₂ relu(W₁x), Var W = 2/n for both",
        spec=lambda size: stacked(size, {"residual": _branch(size, 2.0, 2.0)}),
        size=_BLOCKS,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="residual-he",
                quantity="squared gradient a block",
                published="3",
                source="derived",
                measured=factor_a_layer(),
                leeway=few_units(4.0),
                theory=_factor,
                note="He for both: it triples rather than doubles, since the branch doubles by "
                "itself",
            ),
        ),
    ),
    Experiment(
        network="x + W₂ relu(W₁x)/√L",
        spec=lambda size: stacked(
            size,
            {"residual": {"layers": _branch(size, 1.0, 2.0), "scale": size.depth**-0.5}},
        ),
        size=Size(50, 128, 16),
        draws=_DRAWS,
        anchors=(
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
            ),
        ),
    ),
    Experiment(
        network="x + W₂ relu(W₁ layer_norm(x)), Var W = 1/n",
        spec=lambda size: stacked(
            size, {"residual": [{"layer_norm": {"eps": 1e-12}}, *_branch(size, 1.0, 1.0)]}
        ),
        size=Size(24, 128, 16),
        draws=_DRAWS,
        anchors=(
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
                note="L = 24",
            ),
        ),
    ),
)
