"""The numeric side of a network: what its forward says of every gradient, whoever claims what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gradcli.analysis.gradcheck.kinks import SettledKink, settle_kinks
from gradcli.core.arrays import Array
from gradcli.engine.cotangents import EPS, TERM_ULPS
from gradcli.engine.ladder import Estimate
from gradcli.engine.model import INPUTS, Model, generator
from gradcli.engine.noise import SPACING, Noise, measure_noise
from gradcli.engine.numeric import NumericGradients
from gradcli.engine.replicas import Point

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.remembered import RememberedLadders

__all__ = ["ALONG", "OP_ULPS", "Truth", "nudged", "widened"]

OP_ULPS = 8
"""By how many ulps the result of an op may be off, that of several operations."""

_ROUNDING_TRIES = 2

ALONG = 1 + _ROUNDING_TRIES
"""Forward passes that a derivative along a direction takes."""


class Truth:
    """A model's point in float64, the kinks it sits at, its numeric gradients and its noise.

    No pullback has a part in it, except that a kink is settled with the slope that the model chose
    there. So it is the same for every model of the same forward that chooses the same slopes, and
    is worked out once for all of these. `names` are the tensors whose gradients will be asked for.
    """

    def __init__(self, model: Model, seed: int, names: Sequence[str] = ()) -> None:
        self.seed = seed
        self.point = _point_of(model)
        self.settled = settle_kinks(self.point, model, seed)
        if self.settled.branches:  # a value beside a kink is another on the other piece
            self.point = _point_of(model)
        self.settled.install(self.point.network)
        self._numeric = NumericGradients(self.point, seed, names)
        self._gradients: dict[str, Estimate] = {}
        self._noises: dict[str, float] = {}
        self.ladders: dict[str, RememberedLadders] = {}

    def remember_ladders(self) -> None:
        """Keep what real differences tell of each entry, for the next claim."""
        from gradcli.analysis.gradcheck.remembered import RememberedLadders  # many claims are rare

        names = (*self.point.parameters, INPUTS)
        self.ladders = {name: RememberedLadders() for name in names}

    @property
    def kinks(self) -> tuple[SettledKink, ...]:
        return self.settled.kinks

    def serves(self, model: Model) -> bool:
        """Whether this is the truth for another model of the same forward and values too."""
        if not self.settled.contested:
            return True
        return self.settled.same_as(settle_kinks(_point_of(model), model, self.seed))

    def gradient(self, name: str) -> Estimate:
        """The numeric gradient of a tensor, flat; see `oracle`."""
        if name not in self._gradients:
            self._gradients[name] = self._numeric.gradient(name)
        return self._gradients[name]

    def oracle(self, name: str) -> str:
        """What it is from: the complex step, or the ladder where that cannot pass."""
        return "ladder" if self._numeric.passes_opaque(name) else "complex"

    def gradient_at(self, name: str, entries: Array) -> Estimate:
        """The same for some entries only, where all of them would cost too much."""
        return self._numeric.at(name, entries)

    def slope_along(self, name: str, direction: Array) -> tuple[float, float]:
        """The derivative along a direction (E,) in a tensor, and what rounding makes of it."""
        directions = {name: direction.reshape(self.point.tensor(name).shape)}
        value, doubt = self._numeric.slope_along(directions)
        self.point.worked(ALONG * self.point.costs.forward)
        if self._numeric.passes_opaque(name):
            return value, doubt
        rng = generator(self.seed, f"rounding along {name}")
        moves = [TERM_ULPS * EPS * abs(value)]
        for _ in range(_ROUNDING_TRIES):
            with self.point.network.rounded(lambda each: nudged(each, EPS, rng, OP_ULPS)):
                moves.append(abs(self.point.slope_along(directions) - value))
        return value, max(moves)

    def noise(self, name: str) -> Callable[[Array], Noise]:
        """The absolute noise of the loss along a tensor, measured when first asked for."""
        return lambda entries: Noise.even(np.full(len(entries), self._noise_along(name)))

    def _noise_along(self, name: str) -> float:
        if name not in self._noises:
            tensor = self.point.tensor(name)
            rng = generator(self.seed, f"noise of {name}")
            direction = rng.standard_normal(tensor.shape)
            scale = float(np.sqrt(np.mean(tensor**2))) or 1.0
            level = measure_noise(
                lambda offsets: self.point.along(name, direction, offsets.ravel())[:, None],
                np.array([self.point.value]),
                np.array([SPACING * scale]),
                EPS,
            )
            self._noises[name] = float(level[0])
        return self._noises[name]


def nudged(value: Array, eps: float, rng: np.random.Generator, most: float) -> Array:
    """Values off by up to so many ulps of this precision, as other rounding would leave them."""
    ulps = rng.uniform(-most, most, value.shape)
    return (value * (1 + eps * ulps)).astype(value.dtype)


def widened(model: Model) -> Model:
    """The model in float64, with its own values and what it computes of them there."""
    wide = model.in_float64()
    if model.dtype != np.float64 and any(node.op.opaque for node in model.plan.nodes):
        from gradcli.analysis.gradcheck.layers import kept_in_precision  # hardly ever needed

        wide = wide.with_plan(kept_in_precision(model))
    return wide


def _point_of(model: Model) -> Point:
    wide = widened(model)
    return Point(wide.network, wide.parameters, wide.inputs[INPUTS])
