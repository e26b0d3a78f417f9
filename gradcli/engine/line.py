"""The slope at zero of a function of one number, by real differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array
from gradcli.engine.ladder import climb, rungs
from gradcli.engine.noise import SPACING, Noise, measure_noise

__all__ = ["slope_at_zero"]

_SURE = 3  # uncertainties that a real difference may be off by


def slope_at_zero(along: Callable[[Array], Array], value: float, eps: float) -> tuple[float, float]:
    """The slope at zero, and how far off it may be.

    `along(offsets (n, 1))` gives the function, which is `value` at zero, varies at the scale of one
    and is evaluated in the precision `eps`. At a kink the slope lies between those of both sides.
    """
    values, start = np.array([value]), np.zeros(1)
    spacing = np.array([max(SPACING, 4 * eps)])
    noise = Noise.even(measure_noise(along, values, spacing, eps))
    steps = rungs(start, np.ones(1), eps)
    ladder = climb(lambda _, t: along(t), np.zeros(1, int), start, values, steps, noise, eps)
    if ladder.kink[0]:
        left, right = ladder.left, ladder.right
        middle = float(left.value[0] + right.value[0]) / 2
        gap = float(abs(left.value[0] - right.value[0])) / 2
        return middle, gap + _SURE * float(max(left.uncertainty[0], right.uncertainty[0]))
    if ladder.blind[0]:
        return float(ladder.central.value[0]), float("inf")
    return float(ladder.central.value[0]), _SURE * float(ladder.central.uncertainty[0])
