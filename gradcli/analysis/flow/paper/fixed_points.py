"""Where a wide network brings its signal to rest, and what that makes of a gradient.

q' = σ_w²·E f(√q z)² + σ_b² and χ = σ_w²·E f'(√q z)² (Poole et al. 2016, Schoenholz et al. 2017).
"""

from __future__ import annotations

import math
from typing import Any, Final

from gradcli.analysis.flow.builder import build_spec
from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, Spec, dense, few_units, stacked
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import exponent, factor_a_layer, mean
from gradcli.analysis.flow.theory.critical import critical_point
from gradcli.analysis.flow.theory.curve import curve_of
from gradcli.core.op import Activation
from gradcli.core.registry import CATALOGUE
from gradcli.core.traits import Traits

__all__ = ["FIXED_POINTS"]

_SIZE: Final = Size(40, 128, 16)
_DRAWS: Final = 64
_BIAS: Final = 0.05
"""The σ_b² at which Schoenholz et al. 2017 draw their phase diagram."""

_CRITICAL: Final = 1.76095


_OFF: Final = 2.0
"""Part of χ and q, times 1/n, that simulations have them off at the most."""


def _rest(draw: Draw) -> Any:
    rest = draw.expected.rest
    assert rest is not None
    return rest


def _chi(draw: Draw) -> float:
    return float(_rest(draw).chi)


def _q(draw: Draw) -> float:
    return float(_rest(draw).q)


def _activation(name: str) -> Activation:
    found = CATALOGUE.find(name, Activation)
    assert found is not None
    return found


def _critical(activation: str, bias_variance: float = 0.0, **options: Any) -> float:
    """The critical σ_w²."""
    point = critical_point(curve_of(_activation(activation), options), bias_variance**0.5)
    assert point is not None
    return point.weight_std**2


def _sigmoid(size: Size) -> Spec:
    return stacked(size, dense(size, 1.0), "sigmoid")


def _steepest(draw: Draw) -> float:
    return max(layer.slope_max for layer in draw.measured.layers)


def _lipschitz(activation: str) -> float:
    op = _activation(activation)
    traits = op.traits_at(op.defaults())
    assert isinstance(traits, Traits)
    return traits.lipschitz


def _power(draw: Draw, begin: float, end: float) -> float:
    """The power of the depth that theory expects of a gradient's norm between these places."""
    first, last = draw.size.between(begin, end)
    return float(draw.expected.gains[first:last].sum()) / (2 * math.log(end / begin))


def _tanh(name: str, variance: float, chi: str, *anchors: Anchor) -> Experiment:
    """A tanh network with biases, of which the squared gradient changes by χ a layer.

    Where anchors come before, they are of the paper that χ is of, too.
    """
    paper = anchors[0] if anchors else None
    return Experiment(
        network=f"tanh, σ_w² = {variance:g}, σ_b² = {_BIAS}",
        spec=lambda size: stacked(size, dense(size, variance, _BIAS), "tanh"),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            *anchors,
            Anchor(
                name=f"{name}-chi",
                quantity="χ",
                published=chi,
                source="derived" if paper is None else paper.source,
                references=() if paper is None else paper.references,
                measured=factor_a_layer(0.5, 1.0),
                leeway=few_units(_OFF),
                theory=_chi,
            ),
        ),
    )


FIXED_POINTS: Final = (
    Experiment(
        network="ReLU, σ_w² = 2",
        spec=lambda size: stacked(size, dense(size, 2.0), "relu"),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="relu-he-chi",
                quantity="χ",
                published="1",
                source="He et al. 2015",
                references=("he2015",),
                measured=factor_a_layer(),
                leeway=few_units(_OFF),
                theory=_chi,
            ),
        ),
    ),
    Experiment(
        network="leaky ReLU of slope 0.2, He",
        spec=lambda size: stacked(size, dense(size, 2 / 1.04), {"leaky_relu": 0.2}),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="leaky-critical",
                quantity="critical σ_w² = 2/(1 + a²)",
                published="1.92308",
                source="He et al. 2015",
                references=("he2015",),
                theory=lambda draw: _critical("leaky_relu", alpha=0.2),
            ),
            Anchor(
                name="leaky-chi",
                quantity="χ",
                published="1",
                source="He et al. 2015",
                references=("he2015",),
                measured=factor_a_layer(),
                leeway=few_units(_OFF),
                theory=_chi,
            ),
        ),
    ),
    Experiment(
        network="ReLU, PyTorch's default",
        spec=lambda size: build_spec(
            size.depth, size.width, "relu", "pytorch_default", batch=size.batch
        ),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="relu-pytorch-chi",
                quantity="χ = 1/6",
                published="0.16667",
                source="derived",
                measured=factor_a_layer(),
                leeway=few_units(_OFF * 0.17),
                theory=_chi,
            ),
            Anchor(
                name="relu-pytorch-gain",
                quantity="gain of a layer",
                published="0.408",
                source="derived",
                measured=factor_a_layer(power=0.5),
                leeway=few_units(_OFF * 0.41),
                theory=lambda draw: _chi(draw) ** 0.5,
            ),
        ),
    ),
    Experiment(
        network="sigmoid",
        spec=_sigmoid,
        size=_SIZE,
        draws=4,
        anchors=(
            Anchor(
                name="sigmoid-slope",
                quantity="largest f'",
                published="0.25",
                source="derived",
                measured=mean(_steepest),
                leeway=lambda size: 1e-4,  # the steepest unit met is not quite at 0
                theory=lambda draw: _lipschitz("sigmoid"),
            ),
        ),
    ),
    Experiment(
        network="sigmoid, Xavier",
        spec=_sigmoid,
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="sigmoid-q",
                quantity="q*",
                published="0.26469",
                source="derived",
                measured=mean(Draw.square_before),
                leeway=few_units(_OFF * 0.26),
                theory=_q,
            ),
            Anchor(
                name="sigmoid-chi",
                quantity="χ",
                published="0.05572",
                source="derived",
                measured=factor_a_layer(0.5, 1.0),
                leeway=few_units(_OFF * 0.056),
                theory=_chi,
            ),
        ),
    ),
    Experiment(
        network="tanh, no biases, σ_w² = 1",
        spec=lambda size: stacked(size, dense(size, 1.0), "tanh"),
        size=_SIZE,
        draws=2 * _DRAWS,
        anchors=(
            Anchor(
                name="tanh-critical-unbiased",
                quantity="critical σ_w",
                published="1",
                source="Glorot and Bengio 2010",
                references=("glorot2010",),
                theory=lambda draw: _critical("tanh") ** 0.5,
            ),
            Anchor(
                name="tanh-power",
                quantity="power of L in the norm",
                published="-0.50",
                source="derived",
                measured=exponent(0.25, 1.0),
                leeway=few_units(8.0),
                theory=lambda draw: _power(draw, 0.25, 1.0),
                note="marginal: χ = 1 at rest, which q reaches as 1/L only",
            ),
        ),
    ),
    _tanh(
        "tanh-critical",
        _CRITICAL,
        "1.00000",
        Anchor(
            name="tanh-critical",
            quantity="critical σ_w²",
            published="1.76095",
            source="Schoenholz et al. 2017",
            references=("schoenholz2017",),
            theory=lambda draw: _critical("tanh", _BIAS),
            note="the code of that paper prints 1.7604, from a coarse grid",
        ),
        Anchor(
            name="tanh-critical-q",
            quantity="q*",
            published="0.57005",
            source="Schoenholz et al. 2017",
            references=("schoenholz2017",),
            measured=mean(Draw.square_before),
            leeway=few_units(_OFF * 0.57),
            theory=_q,
        ),
    ),
    _tanh("tanh-ordered", 1.5, "0.93864"),
    _tanh("tanh-chaotic", 2.5, "1.13352"),
    Experiment(
        network="SELU, σ_w² = 1",
        spec=lambda size: stacked(size, dense(size, 1.0), "selu"),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="selu-mean",
                quantity="mean at rest",
                published="0",
                source="Klambauer et al. 2017",
                references=("klambauer2017",),
                measured=mean(Draw.mean_behind),
                leeway=few_units(1.0),
            ),
            Anchor(
                name="selu-q",
                quantity="variance at rest",
                published="1",
                source="Klambauer et al. 2017",
                references=("klambauer2017",),
                measured=mean(Draw.square_behind),
                leeway=few_units(_OFF),
                theory=_q,
            ),
            Anchor(
                name="selu-chi",
                quantity="χ = λ²(½ + α²e²Φ(−2))",
                published="1.07157",
                source="derived",
                measured=factor_a_layer(),
                leeway=few_units(_OFF * 1.1),
                theory=_chi,
                note="1.0715750 to more digits, a little below the half: 1.07158 is a digit off",
            ),
        ),
    ),
)
