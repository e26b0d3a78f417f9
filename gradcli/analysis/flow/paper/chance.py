"""What chance does to a network of finite width, and how straight its Jacobian is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from gradcli.analysis.flow.builder import build_spec
from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, dense, stacked
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import mean, variance

__all__ = ["CHANCE"]

_ROUNDING: Final = 1e-12


def _given_by_the_batch(activation: str, init: str) -> Callable[[Size], dict[str, Any]]:
    """Networks of which every example has a gradient of its own to send back.

    That takes a head of many units, and targets so large that what the network says hardly counts.
    """

    def spec(size: Size) -> dict[str, Any]:
        built = build_spec(size.depth, size.width, activation, init, batch=size.batch)
        built["data"]["targets"] = {"shape": [size.batch, size.width], "std": 1e6}
        built["network"][-1]["dense"]["units"] = size.width
        return built

    return spec


def _linear_spread(size: Size) -> float:
    """Var ln ‖δ‖² of a linear network, over a batch of gradients with normal entries.

    Of M = δᵀδ at any layer, a = E (tr M)² and b = E tr M² go to a + 2b/n and (a + b)/n + b at the
    layer before, if W has entries of variance 1/n: moments of a Wishart matrix.
    """
    n = size.width
    a, b = 1.0, (n + size.batch + 1) / (n * size.batch)
    for _ in range(size.depth):
        a, b = a + 2 * b / n, (a + b) / n + b
    return math.log(a)


def _batch(name: str, network: str, activation: str, init: str, spread: str) -> Experiment:
    linear = activation == "identity"
    return Experiment(
        network=f"{network}, a batch",
        spec=_given_by_the_batch(activation, init),
        size=Size(50, 100, 128),
        draws=48,
        anchors=(
            Anchor(
                name=f"spread-{name}",
                quantity="Var ln ‖∂L/∂a⁰‖²",
                published=spread,
                source="derived" if linear else "simulated",
                measured=variance(Draw.log_gain),
                theory=(lambda draw: _linear_spread(draw.size)) if linear else None,
            ),
        ),
    )


def _one_example(draw: Draw) -> float:
    """b = Σ (3·E f'⁴/(E f'²)² − 1)/n, without the last share, which is of the loss."""
    return float(draw.expected.variances.sum())


def _singular_value(index: int) -> Callable[[Draw], float]:
    return lambda draw: float(draw.singular_values[index])


def _either_way(spread: float) -> float:
    """The factor within which 95 % of norms lie around the middle one."""
    return math.exp(1.96 * math.sqrt(spread) / 2)


CHANCE: Final = (
    Experiment(
        network="ReLU, He, one example",
        spec=lambda size: build_spec(size.depth, size.width, "relu", "he_normal", batch=size.batch),
        size=Size(50, 100, 1),
        draws=256,
        anchors=(
            Anchor(
                name="spread-one",
                quantity="Var ln ‖∂L/∂a⁰‖², 5·Σ 1/n",
                published="2.5",
                source="Hanin and Nica 2020",
                references=("hanin2020",),
                measured=variance(Draw.log_gain),
                theory=_one_example,
            ),
            Anchor(
                name="mean-one",
                quantity="mean of ln ‖∂L/∂a⁰‖²",
                published="-1.25",
                source="Hanin and Nica 2020",
                references=("hanin2020",),
                measured=mean(Draw.log_gain),
                theory=lambda draw: -_one_example(draw) / 2,
            ),
            Anchor(
                name="factor-one",
                quantity="factor either way, 95 %",
                published="4.7",
                source="derived",
                measured=variance(Draw.log_gain, _either_way),
                theory=lambda draw: _either_way(_one_example(draw)),
            ),
        ),
    ),
    _batch("relu", "ReLU, He", "relu", "he_normal", "0.87"),
    _batch("linear", "linear, Xavier", "identity", "xavier_normal", "0.28"),
    _batch("tanh", "tanh, Xavier", "tanh", "xavier_normal", "0.14"),
    _batch("sigmoid", "sigmoid, Xavier", "sigmoid", "xavier_normal", "0.29"),
    Experiment(
        network="Jacobian of a linear network, orthogonal",
        spec=lambda size: stacked(
            size, {"dense": {"units": size.width, "init": "orthogonal"}}, "identity"
        ),
        size=Size(50, 64, 1),
        draws=4,
        anchors=tuple(
            Anchor(
                name=f"orthogonal-{which}",
                quantity=f"{which} singular value",
                published="1",
                source="Saxe et al. 2014",
                references=("saxe2014",),
                measured=mean(_singular_value(index)),
                leeway=lambda size: _ROUNDING,
            )
            for which, index in (("largest", 0), ("least", -1))
        ),
    ),
    Experiment(
        network="Jacobian of a linear network, Gaussian",
        spec=lambda size: stacked(size, dense(size, 1.0), "identity"),
        size=Size(3, 256, 1),
        draws=64,
        anchors=(
            Anchor(
                name="gaussian-largest",
                quantity="largest² = (L+1)^(L+1)/L^L",
                published="9.481",
                source="derived",
                measured=mean(lambda draw: float(draw.singular_values[0]) ** 2),
                leeway=lambda size: 2 * 9.481 * size.width ** (-2 / 3),
                note="L = 3; eigenvalues at an edge come up to it as n^(−2/3)",
            ),
        ),
    ),
)
