"""What normalization does to a gradient in a network without skips.

χ is the factor on the squared gradient of a layer, and f' and f are averaged over N(0, 1).
"""

from __future__ import annotations

import math
from typing import Final

from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, dense, few_units, stacked
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import factor_a_layer
from gradcli.analysis.flow.theory.curve import curve_of
from gradcli.analysis.flow.theory.normal import Averages, averages
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE

__all__ = ["NORMALIZED"]

_NO_EPS: Final = 1e-12
_BATCH_NORM: Final = {"batch_norm": {"eps": _NO_EPS}}
_LAYER_NORM: Final = {"layer_norm": {"eps": _NO_EPS}}

_FAR: Final = factor_a_layer(0.5, 0.8)
"""Away from the input, where the rows are not yet as far apart as everywhere else, and from the
loss, whose gradient begins in a direction of its own."""


def _few(size: Size) -> float:
    """Of a batch norm, whose statistics are of few rows, as simulations show: 2/B more, or less."""
    return 2.5 / size.batch + 4 / size.width


def _over_rows(activation: str) -> float:
    """E f'²/Var f at N(0, 1), for endless batches."""
    own = _averages(activation)
    return own.slope_rms**2 / (own.rms**2 - own.mean**2)


def _over_features(activation: str) -> float:
    """E f'²/E f² at N(0, 1)."""
    own = _averages(activation)
    return (own.slope_rms / own.rms) ** 2


def _averages(activation: str) -> Averages:
    op = CATALOGUE.find(activation, Activation)
    assert op is not None
    return averages(curve_of(op), 0.0, 1.0)


def _last_factor(draw: Draw) -> float:
    return math.exp(float(draw.expected.gains[-1]))


def _batch_norm(activation: str, size: Size, draws: int, anchor: Anchor) -> Experiment:
    return Experiment(
        network=f"batch norm, {activation}",
        spec=lambda size: stacked(size, dense(size, 1.0), _BATCH_NORM, activation),
        size=size,
        draws=draws,
        anchors=(anchor,),
    )


def _layer_norm(name: str, activation: str, square: str) -> Experiment:
    return Experiment(
        network=f"layer norm, {activation}",
        spec=lambda size: stacked(size, dense(size, 1.0), _LAYER_NORM, activation),
        size=Size(40, 128, 16),
        draws=64,
        anchors=(
            Anchor(
                name=name,
                quantity="χ = E f'²/E f²",
                published=square,
                source="derived",
                measured=_FAR,
                leeway=few_units(4 * float(square)),
                theory=lambda draw: _over_features(activation),
            ),
        ),
    )


NORMALIZED: Final = (
    _batch_norm(
        "relu",
        Size(100, 128, 64),
        24,
        Anchor(
            name="batch-norm-relu",
            quantity="χ = π/(π − 1)",
            published="1.46694",
            source="Yang et al. 2019",
            references=("yang2019",),
            measured=_FAR,
            leeway=_few,
            theory=lambda draw: _over_rows("relu"),
            note="as the batch grows; a finite one makes it more",
        ),
    ),
    _batch_norm(
        "identity",
        Size(50, 128, 8),
        64,
        Anchor(
            name="batch-norm-linear",
            quantity="χ = (B − 2)/(B − 3)",
            published="1.20000",
            source="Yang et al. 2019",
            references=("yang2019",),
            measured=_FAR,
            leeway=few_units(4.0),
            theory=_last_factor,
        ),
    ),
    _batch_norm(
        "tanh",
        Size(40, 128, 64),
        48,
        Anchor(
            name="batch-norm-any",
            quantity="χ = E f'²/Var f",
            published="1.17781",
            source="derived",
            measured=_FAR,
            leeway=_few,
            theory=lambda draw: _over_rows("tanh"),
            note="for any f, as the batch grows",
        ),
    ),
    _layer_norm("layer-norm-relu", "relu", "1"),
    _layer_norm("layer-norm-sigmoid", "sigmoid", "0.15283"),
)
