"""Why a product of norms is no verdict: networks of which single draws are on record.

Fifty layers of a hundred, of which the measured gradient, the bound and the rms product lie decades
apart; and one of which the gradients of the weights hide what becomes of the signal.
"""

from __future__ import annotations

from typing import Any, Final

from gradcli.analysis.flow.builder import build_spec
from gradcli.analysis.flow.paper.anchor import Anchor, Experiment
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import as_drawn

__all__ = ["FOUR_NETWORKS"]

_SIZE: Final = Size(50, 100, 128)
_DRAWS: Final = 24
_SOURCE: Final = "simulated, one draw"


def _built(size: Size, activation: str, init: str) -> dict[str, Any]:
    return build_spec(size.depth, size.width, activation, init, batch=size.batch)


def _total(draw: Draw) -> float:
    return draw.signal.total


def _bound(draw: Draw) -> float:
    return draw.measured.layers[-1].log10_bound


def _rms_product(draw: Draw) -> float:
    return draw.measured.layers[-1].log10_rms_product


def _weight_gradients(draw: Draw) -> float:
    first, *_, last = draw.measured.layers
    return first.log10_weight_gradient_norm - last.log10_weight_gradient_norm


def _expected(draw: Draw) -> float:
    return draw.expected.log10_total


def _signal(name: str, total: str) -> Anchor:
    return Anchor(
        name=f"{name}-total",
        quantity="log10 ‖∂L/∂a⁰‖/‖∂L/∂a^L‖",
        published=total,
        source=_SOURCE,
        measured=as_drawn(_total),
        theory=_expected,
        drawn=True,
    )


def _network(
    name: str, network: str, activation: str, init: str, total: str, bound: str, product: str
) -> Experiment:
    return Experiment(
        network=network,
        spec=lambda size: _built(size, activation, init),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            _signal(name, total),
            Anchor(
                name=f"{name}-bound",
                quantity="log10 Π ‖W‖₂·max f'",
                published=bound,
                source=_SOURCE,
                measured=as_drawn(_bound),
                drawn=True,
            ),
            Anchor(
                name=f"{name}-product",
                quantity="log10 Π (‖W‖_F/√n)·rms f'",
                published=product,
                source=_SOURCE,
                measured=as_drawn(_rms_product),
                drawn=True,
            ),
        ),
    )


_FLAT: Final = Experiment(
    network="ReLU, Xavier",
    spec=lambda size: _built(size, "relu", "xavier_normal"),
    size=_SIZE,
    draws=_DRAWS,
    anchors=(
        _signal("relu-xavier", "-7.2"),
        Anchor(
            name="relu-xavier-weights",
            quantity="log10 ‖∂L/∂W_1‖/‖∂L/∂W_L‖",
            published="0.10",
            source=_SOURCE,
            measured=as_drawn(_weight_gradients),
            drawn=True,
            note="a ratio of 1.25: the gradients of the weights look flat while the signal dies",
        ),
    ),
)

FOUR_NETWORKS: Final = (
    _network("tanh-xavier", "tanh, Xavier", "tanh", "xavier_normal", "-0.99", "14.6", "-0.90"),
    _network("relu-he", "ReLU, He", "relu", "he_normal", "-0.08", "22.1", "-0.03"),
    _network(
        "relu-pytorch",
        "ReLU, PyTorch's default",
        "relu",
        "pytorch_default",
        "-19.5",
        "2.65",
        "-19.5",
    ),
    _network(
        "sigmoid-xavier", "sigmoid, Xavier", "sigmoid", "xavier_normal", "-31.5", "-15.5", "-31.4"
    ),
    _FLAT,
)
