"""Where a wide network brings its signal to rest, and what that makes of a gradient.

q' = σ_w²·E f(√q z)² + σ_b² and χ = σ_w²·E f'(√q z)² (Poole et al. 2016, Schoenholz et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
_LATE: Final = 0.5
"""The part of the depth from which on q is at rest."""

_BIAS: Final = 0.05
"""The σ_b² at which Schoenholz et al. 2017 draw their phase diagram."""

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


def _network(
    network: str, spec: Callable[[Size], Spec], *anchors: Anchor, draws: int = _DRAWS
) -> Experiment:
    return Experiment(network=network, spec=spec, size=_SIZE, draws=draws, anchors=anchors)


def _layers(activation: str, variance: float, bias_variance: float = 0.0) -> Callable[[Size], Spec]:
    return lambda size: stacked(size, dense(size, variance, bias_variance), activation)


def _factor(
    name: str,
    published: str,
    source: str,
    *references: str,
    quantity: str = "χ",
    begin: float = 0.0,
    note: str = "",
) -> Anchor:
    """χ: at rest by theory, and as measured from a part of the depth on."""
    return Anchor(
        name=name,
        quantity=quantity,
        published=published,
        source=source,
        references=references,
        measured=factor_a_layer(begin),
        leeway=few_units(_OFF * float(published)),
        theory=_chi,
        note=note,
    )


def _variance(name: str, published: str, source: str, *references: str) -> Anchor:
    """q*, the variance at rest of what activations read."""
    return Anchor(
        name=name,
        quantity="q*",
        published=published,
        source=source,
        references=references,
        measured=mean(Draw.square_before),
        leeway=few_units(_OFF * float(published)),
        theory=_q,
    )


_HE: Final = ("He et al. 2015", "he2015")
_SCHOENHOLZ: Final = ("Schoenholz et al. 2017", "schoenholz2017")
_KLAMBAUER: Final = ("Klambauer et al. 2017", "klambauer2017")

FIXED_POINTS: Final = (
    _network("ReLU, σ_w² = 2", _layers("relu", 2.0), _factor("relu-he-chi", "1", *_HE)),
    _network(
        "leaky ReLU of slope 0.2, He",
        lambda size: stacked(size, dense(size, 2 / 1.04), {"leaky_relu": 0.2}),
        Anchor(
            name="leaky-critical",
            quantity="critical σ_w² = 2/(1 + a²)",
            published="1.92308",
            source=_HE[0],
            references=_HE[1:],
            theory=lambda draw: _critical("leaky_relu", alpha=0.2),
        ),
        _factor("leaky-chi", "1", *_HE),
    ),
    _network(
        "ReLU, PyTorch's default",
        lambda size: build_spec(
            size.depth, size.width, "relu", "pytorch_default", batch=size.batch
        ),
        _factor("relu-pytorch-chi", "0.16667", "derived", quantity="χ = 1/6"),
        Anchor(
            name="relu-pytorch-gain",
            quantity="gain of a layer",
            published="0.408",
            source="derived",
            measured=factor_a_layer(power=0.5),
            leeway=few_units(_OFF * 0.408),
            theory=lambda draw: _chi(draw) ** 0.5,
        ),
    ),
    _network(
        "sigmoid",
        _layers("sigmoid", 1.0),
        Anchor(
            name="sigmoid-slope",
            quantity="largest f'",
            published="0.25",
            source="derived",
            measured=mean(_steepest),
            leeway=lambda size: 1e-4,  # the steepest unit met is not quite at 0
            theory=lambda draw: _lipschitz("sigmoid"),
        ),
        draws=4,
    ),
    _network(
        "sigmoid, Xavier",
        _layers("sigmoid", 1.0),
        _variance("sigmoid-q", "0.26469", "derived"),
        _factor("sigmoid-chi", "0.05572", "derived", begin=_LATE),
    ),
    _network(
        "tanh, no biases, σ_w² = 1",
        _layers("tanh", 1.0),
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
        draws=2 * _DRAWS,
    ),
    _network(
        f"tanh, σ_w² = 1.76095, σ_b² = {_BIAS}",
        _layers("tanh", 1.76095, _BIAS),
        Anchor(
            name="tanh-critical",
            quantity="critical σ_w²",
            published="1.76095",
            source=_SCHOENHOLZ[0],
            references=_SCHOENHOLZ[1:],
            theory=lambda draw: _critical("tanh", _BIAS),
            note="the code of that paper prints 1.7604, from a coarse grid",
        ),
        _variance("tanh-critical-q", "0.57005", *_SCHOENHOLZ),
        _factor("tanh-critical-chi", "1.00000", *_SCHOENHOLZ, begin=_LATE),
    ),
    *(
        _network(
            f"tanh, σ_w² = {variance}, σ_b² = {_BIAS}",
            _layers("tanh", variance, _BIAS),
            _factor(f"tanh-{phase}-chi", chi, "derived", begin=_LATE),
        )
        for phase, variance, chi in (("ordered", 1.5, "0.93864"), ("chaotic", 2.5, "1.13352"))
    ),
    _network(
        "SELU, σ_w² = 1",
        _layers("selu", 1.0),
        Anchor(
            name="selu-mean",
            quantity="mean at rest",
            published="0",
            source=_KLAMBAUER[0],
            references=_KLAMBAUER[1:],
            measured=mean(Draw.mean_behind),
            leeway=few_units(1.0),
        ),
        Anchor(
            name="selu-q",
            quantity="variance at rest",
            published="1",
            source=_KLAMBAUER[0],
            references=_KLAMBAUER[1:],
            measured=mean(Draw.square_behind),
            leeway=few_units(_OFF),
            theory=_q,
        ),
        _factor(
            "selu-chi",
            "1.07157",
            "derived",
            quantity="χ = λ²(½ + α²e²Φ(−2))",
            note="1.0715750 to more digits, a little below the half: 1.07158 is a digit off",
        ),
    ),
)
