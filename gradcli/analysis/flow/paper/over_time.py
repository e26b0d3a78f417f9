"""When a gradient cannot help vanishing over time, and when it need not (Pascanu et al. 2013).

A step multiplies it by W_hhᵀ·diag(f'), so by at most σ_max(W_hh)·γ for f' ≤ γ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, Spec, stacked
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import largest

__all__ = ["OVER_TIME"]


def _rnn(size: Size, spectral_norm: float, std: float) -> Spec:
    """A tanh network over time, all singular values of whose W_hh are the same."""
    depth, width, batch = size
    layer = {"units": width, "init": {"orthogonal": {"gain": spectral_norm}}, "output": "last"}
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [batch, depth, width], "std": std}, "targets": "auto"},
        "network": [{"rnn": layer}, {"dense": {"units": 1, "name": "head"}}],
        "loss": "mse",
    }


def _sigmoid(size: Size, spectral_norm: float, std: float) -> Spec:
    """Layers of sigmoids, the first of them at its steepest."""
    layer = {"units": size.width, "init": {"orthogonal": {"gain": spectral_norm}}}
    spec = stacked(size, {"dense": layer}, "sigmoid")
    spec["data"]["inputs"]["std"] = std
    return spec


def _largest_step(draw: Draw) -> float:
    return max(layer.gain for layer in draw.over_time.layers)


def _largest_layer(draw: Draw) -> float:
    return max(layer.gain for layer in draw.measured.layers)


def _rate(draw: Draw) -> float:
    return draw.over_time.rate


def _network(
    network: str,
    spec: Callable[[Size], Spec],
    name: str,
    quantity: str,
    bound: str,
    of: Callable[[Draw], float],
    note: str,
) -> Experiment:
    """A network, and what its largest of these numbers may be."""
    anchor = Anchor(
        name=name,
        quantity=quantity,
        published=bound,
        source="Pascanu et al. 2013",
        references=("pascanu2013",),
        measured=largest(of),
        note=note,
    )
    return Experiment(
        network=network, spec=spec, size=Size(50, 64, 16), draws=16, anchors=(anchor,)
    )


OVER_TIME: Final = (
    _network(
        "tanh over time, σ_max(W) = 0.95, γ = 1",
        lambda size: _rnn(size, 0.95, std=0.01),
        "recurrent-tanh",
        "largest factor: σ_max·γ",
        "0.95",
        _largest_step,
        "below 1 it has to vanish",
    ),
    _network(
        "sigmoid layers, σ_max(W) = 3.8, γ = 1/4",
        lambda size: _sigmoid(size, 3.8, std=0.01),
        "recurrent-sigmoid",
        "largest factor: σ_max·γ",
        "0.95",
        _largest_layer,
        "layers in place of steps, which do the same: there is no recurrent layer of sigmoids",
    ),
    _network(
        "tanh over time, σ_max(W) = 1.3, γ = 1",
        lambda size: _rnn(size, 1.3, std=1.0),
        "recurrent-necessary",
        "mean factor of a step",
        "1",
        _rate,
        "σ_max > 1/γ is necessary for exploding, but not enough: this one vanishes",
    ),
)
