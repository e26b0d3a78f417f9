"""Steps of training runs written by hand, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from gradcli.analysis.training.report import LayerStep, Step

__all__ = ["layer", "steps"]


def layer(**known: Any) -> LayerStep:
    usual = {"gradient_norm": 1.0, "weight_norm": 1.0, "update_ratio": 0.01}
    return LayerStep(**{"name": "dense_1", **usual, "dead": None, "saturated": None, **known})


def steps(losses: Sequence[float], **known: Sequence[Any]) -> list[Step]:
    """A step for each loss; what else is known of them is given step by step."""
    rest = [dict(zip(known, values, strict=True)) for values in zip(*known.values(), strict=True)]
    usual = {"learning_rate": 0.1, "gradient_norm": 1.0, "layers": (layer(),)}
    return [
        Step(**{"number": number, "loss": loss, **usual, **more})
        for number, loss, more in zip(count(1), losses, rest or [{}] * len(losses), strict=False)
    ]
