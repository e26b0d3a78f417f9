"""An activation as a curve: its value and its true slope at any points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from gradcli.core.arrays import Array, Parameters
from gradcli.core.op import Activation
from gradcli.engine.model import COMPLEX_STEP

__all__ = ["Curve", "curve_of"]

_SIZES: Final = 10.0 ** np.linspace(-100, 100, 401)
_ROUNDING: Final = 1e-14


class Curve:
    """An elementwise activation with its options and the numbers it has learned.

    `kinks` are the points where its slope jumps, as far as they are known; `homogeneous` says that
    f(s·x) = s·f(x) for s > 0, which is tried where the op does not state it. Curves are compared
    by identity, see `curve_of`.
    """

    def __init__(self, op: Activation, options: Mapping[str, Any], weights: Parameters) -> None:
        self.op = op
        self.options = options
        self.weights = weights
        traits = op.traits_at(options)
        self.kinks: tuple[float, ...] = () if traits is None else traits.kinks
        self.homogeneous = self._is_homogeneous() if traits is None else traits.homogeneous

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """f(x) and f'(x).

        The slope is taken from the value, by the complex step, and not from the pullback: what is
        expected of a gradient must not rest on the gradient itself (Squire and Trapp 1998).
        """
        y = self.op.evaluate((x + 1j * COMPLEX_STEP,), self.weights, x.ndim, self.options)[0]
        return y.real, y.imag / COMPLEX_STEP

    def _is_homogeneous(self) -> bool:
        with np.errstate(all="ignore"):
            ratios = [self(side * _SIZES)[0] / _SIZES for side in (1.0, -1.0)]
        straight = all(np.ptp(ratio) <= _ROUNDING * abs(ratio[0]) for ratio in ratios)
        return straight and any(ratio[0] for ratio in ratios)


@cache
def _shared(op: Activation, options: tuple[tuple[str, Any], ...], weights: Any) -> Curve:
    learned = {name: np.array(value) for name, value in weights}
    return Curve(op, dict(options), learned)


def curve_of(
    op: Activation, options: Mapping[str, Any] | None = None, weights: Parameters | None = None
) -> Curve:
    """The curve of an elementwise activation, the same one whenever it is asked for again.

    Options that are not given have their defaults, learned numbers their initial values.
    Raises ValueError for an activation that reads several features.
    """
    if not op.elementwise:
        raise ValueError(f"{op.name} is no function of one number")
    options = {**op.defaults(), **(options or {})}
    if weights is None:
        weights = {name: np.array([each.init]) for name, each in op.learned((1,), options).items()}
    known = tuple((name, tuple(np.ravel(value).tolist())) for name, value in weights.items())
    return _shared(op, tuple(options.items()), known)
