"""When a gradient cannot help vanishing over time, and when it need not (Pascanu et al. 2013).

A step multiplies it by W_hhᵀ·diag(f'), so by at most σ_max(W_hh)·γ for f' ≤ γ.
"""

from __future__ import annotations

from typing import Any, Final

from gradcli.analysis.flow.paper.anchor import Anchor, Experiment, stacked
from gradcli.analysis.flow.paper.draw import Draw, Size
from gradcli.analysis.flow.paper.reading import largest

__all__ = ["OVER_TIME"]

_REFERENCES: Final = ("pascanu2013",)
_SOURCE: Final = "Pascanu et al. 2013"
_SIZE: Final = Size(50, 64, 16)
_DRAWS: Final = 16


def _rnn(size: Size, spectral_norm: float, std: float) -> dict[str, Any]:
    """A tanh network over time, all singular values of whose W_hh are the same."""
    depth, width, batch = size
    layer = {"units": width, "init": {"orthogonal": {"gain": spectral_norm}}, "output": "last"}
    return {
        "gradcli": 1,
        "data": {"inputs": {"shape": [batch, depth, width], "std": std}, "targets": "auto"},
        "network": [{"rnn": layer}, {"dense": {"units": 1, "name": "head"}}],
        "loss": "mse",
    }


def _sigmoid(size: Size, spectral_norm: float, std: float) -> dict[str, Any]:
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


OVER_TIME: Final = (
    Experiment(
        network="tanh over time, σ_max(W) = 0.95, γ = 1",
        spec=lambda size: _rnn(size, 0.95, std=0.01),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="recurrent-tanh",
                quantity="largest factor: σ_max·γ",
                published="0.95",
                source=_SOURCE,
                references=_REFERENCES,
                measured=largest(_largest_step),
                note="below 1 it has to vanish",
            ),
        ),
    ),
    Experiment(
        network="sigmoid layers, σ_max(W) = 3.8, γ = 1/4",
        spec=lambda size: _sigmoid(size, 3.8, std=0.01),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="recurrent-sigmoid",
                quantity="largest factor: σ_max·γ",
                published="0.95",
                source=_SOURCE,
                references=_REFERENCES,
                measured=largest(_largest_layer),
                note="layers in place of steps, which do the same: there is no recurrent layer "
                "of sigmoids",
            ),
        ),
    ),
    Experiment(
        network="tanh over time, σ_max(W) = 1.3, γ = 1",
        spec=lambda size: _rnn(size, 1.3, std=1.0),
        size=_SIZE,
        draws=_DRAWS,
        anchors=(
            Anchor(
                name="recurrent-necessary",
                quantity="mean factor of a step",
                published="1",
                source=_SOURCE,
                references=_REFERENCES,
                measured=largest(_rate),
                note="σ_max > 1/γ is necessary for exploding, but not enough: this one vanishes",
            ),
        ),
    ),
)
