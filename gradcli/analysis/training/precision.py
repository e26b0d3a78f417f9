"""In which number formats a step is computed, and by what the loss is scaled meanwhile."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from gradcli.core.arrays import Array

__all__ = ["LossScale", "to_float16"]

_FIRST: Final = 2.0**16
_FACTOR: Final = 2.0
_PATIENCE: Final = 2000
"""Finite steps in a row after which a dynamic scale is raised, as in PyTorch's GradScaler."""

_LEAST: Final = 2.0**-24


def to_float16(values: Array) -> Array:
    """The values rounded to float16 and back: beyond 65,504 infinite, below 6e-8 zero."""
    with np.errstate(over="ignore"):
        return np.asarray(values.astype(np.float16).astype(values.dtype))


class LossScale:
    """The factor on the loss in mixed precision (Micikevicius et al. 2018).

    A static one stays; a dynamic one starts at 2^16, is halved after a step whose gradient is not
    finite, which is skipped, and doubled after 2,000 finite ones in a row.
    """

    def __init__(self, static: float | None) -> None:
        self.is_dynamic = static is None
        self.value = _FIRST if static is None else static
        self._finite = 0

    def after(self, *, finite: bool) -> None:
        """Learn from a step."""
        if not self.is_dynamic:
            return
        if not finite:
            self.value = max(self.value / _FACTOR, _LEAST)
            self._finite = 0
            return
        self._finite += 1
        if self._finite == _PATIENCE and math.isfinite(self.value * _FACTOR):
            self.value *= _FACTOR
            self._finite = 0

    @property
    def state(self) -> Array:
        """What a resumed run needs of it."""
        return np.array([self.value, self._finite])

    def resume(self, state: Array) -> None:
        """Go on from a `state`."""
        self.value, self._finite = float(state[0]), int(state[1])
