"""Where numbers stop being finite, or are lost to a number format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np

from gradcli.analysis.training.layers import Layers
from gradcli.analysis.training.passes import Pass
from gradcli.core.arrays import Array
from gradcli.core.record import Record

__all__ = ["Breakdown", "Underflow", "breakdown_of"]

_SMALLEST = 2.0**-24


class Breakdown(Record):
    """The step at which something is no longer finite, and the first place where it is not."""

    number: int
    where: str
    phase: Literal["forward", "loss", "backward"]


class Underflow(Record):
    """Entries of the gradient that float16 has as zero and float32 does not, at one step.

    `lost` is their share of the entries that float32 has, `worst` the layer of the largest share.
    `needed` is the power of two that brings all but a twentieth of the entries lost into float16.
    """

    number: int
    lost: float
    worst: str
    needed: float

    @classmethod
    def between(cls, layers: Layers, done: Pass, whole: Mapping[str, Array], number: int) -> Self:
        """Of a pass in mixed precision against the gradients of the same batch in float32."""
        shares: dict[str, tuple[int, int]] = {}
        sizes = []
        for name, own in layers.parameters.items():
            gone = there = 0
            for full in own:
                alive = whole[full] != 0
                lost = alive & (done.gradients[full] == 0)
                gone, there = gone + int(lost.sum()), there + int(alive.sum())
                sizes.append(np.abs(whole[full][lost]))
            shares[name] = gone, there
        gone, there = (sum(each) for each in zip(*shares.values(), strict=True))
        worst = max(shares, key=lambda name: shares[name][0] / max(shares[name][1], 1))
        sizes_lost = np.concatenate(sizes)
        least = float(np.quantile(sizes_lost, 0.05)) if len(sizes_lost) else 1.0
        needed = 2.0 ** max(0, math.ceil(math.log2(_SMALLEST / least)))
        return cls(number, gone / max(there, 1), worst, needed)


def breakdown_of(
    number: int, passes: Sequence[Pass], gradients: Mapping[str, Array], layers: Layers
) -> Breakdown:
    """The first node whose value is not finite; else the loss; else the last layer hit backward."""
    for done in passes:
        for node, value in zip(done.network.plan.nodes, done.trace.slots[1:], strict=True):
            if not np.isfinite(value).all():
                return Breakdown(number, node.name, "forward")
        if not math.isfinite(done.loss):
            return Breakdown(number, "loss", "loss")
    hit = [
        name
        for name, own in layers.parameters.items()
        if not all(np.isfinite(gradients[full]).all() for full in own)
    ]
    return Breakdown(number, hit[-1] if hit else "loss", "backward")
