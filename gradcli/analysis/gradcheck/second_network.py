"""The Hessian of a network's loss times a random direction, one tensor's part of it at a time.

The loss's derivative along the direction is the complex step's, from the forward alone, for many
moved copies of a tensor at once. Copies that take another branch than the point are left out: at a
kink the Hessian is that of the branch taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from math import prod

import numpy as np

from gradcli.analysis.gradcheck.budget import within_budget
from gradcli.analysis.gradcheck.options import CheckOptions
from gradcli.analysis.gradcheck.report import Kind
from gradcli.analysis.gradcheck.subject import Subject
from gradcli.core.arrays import Array
from gradcli.engine.ladder import position_scale
from gradcli.engine.model import COMPLEX_STEP, INPUTS, Model, generator
from gradcli.engine.noise import SPACING, Noise, measure_noise
from gradcli.engine.replicas import Point, chunks

__all__ = ["NetworkTwice", "apart"]

_EPS = float(np.finfo(np.float64).eps)
_TRIES = 4
_NEAREST = 1e-11  # relative: a move that changes no branch but where the point is at its edge
_EVALUATIONS = 40  # that an entry takes on average,
_COMPLEX = 4  # each of so many times the work of one with real numbers
_LEAST, _MOST = 4, 32  # entries of a tensor that is too large for all of them


def apart(arrays: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
    """A network's parameters and inputs."""
    parameters = dict(arrays)
    inputs = parameters.pop(INPUTS)
    return parameters, inputs


class NetworkTwice:
    """A network without ops that take real numbers only, and a direction v in its tensors.

    `evaluations` counts the copies of the network that were run.
    """

    def __init__(
        self, model: Model, names: Mapping[str, Kind], v: Mapping[str, Array], options: CheckOptions
    ) -> None:
        self._model = model
        self._names = names
        self._v = v
        self._options = options
        self._tensors = {**model.parameters, INPUTS: model.inputs[INPUTS]}
        self._point = Point(model.network, *apart(self._tensors))
        self.evaluations = 0

    def subject(self, name: str) -> tuple[Subject, CheckOptions]:
        """One tensor's part of the product as a subject, and how many of its entries to check."""
        tensor, plan = self._tensors[name], self._model.plan.parameters.get(name)
        noise = self._noise(name)
        subject = Subject(
            name=name,
            kind=self._names[name],
            shape=tensor.shape,
            x=tensor.ravel(),
            analytic=self._products[0][name].ravel(),
            value=np.asarray(self._value),
            eps=_EPS,
            eps_f=_EPS,
            probe=partial(self._probe, name),
            noise=lambda entries: Noise.even(np.full(len(entries), noise)),
            jitter=lambda: self._jitter(name),
            line=0 if plan is None else plan.line,
        )
        if name in self._whole or self._options.entries is not None:
            return subject, self._options
        return subject, self._options.replace(entries=self._sample)

    def products(self, directions: Mapping[str, Array]) -> dict[str, Array]:
        """The Hessian times another direction, as the gradient's own derivative."""
        return self._turned(self._tensors, directions)

    def _turned(self, at: Mapping[str, Array], v: Mapping[str, Array]) -> dict[str, Array]:
        _, gradients = self._model.value_and_grad_at(*apart(_moved(at, v)))
        return {name: np.imag(gradients[name]) / COMPLEX_STEP for name in self._names}

    @cached_property
    def _products(self) -> list[dict[str, Array]]:
        """Hv at the point, and with every number moved by up to 2 ulp."""
        rng = generator(self._options.seed, "jitter of Hv")
        points = [
            {
                name: x * (1 + _EPS * rng.uniform(-2, 2, x.shape))
                for name, x in self._tensors.items()
            }
            for _ in range(_TRIES)
        ]
        return [self._turned(at, self._v) for at in (self._tensors, *points)]

    def _jitter(self, name: str) -> Array:
        first, *others = (each[name].ravel() for each in self._products)
        move = np.max([np.abs(other - first) for other in others], axis=0)
        return np.where(np.isfinite(move), move, 0.0)

    @cached_property
    def _value(self) -> float:
        return float(self._slopes({}, 1)[0])

    def _slopes(self, copies: Mapping[str, Array], count: int) -> Array:
        """⟨∇L, v⟩ (count,) with copies of some tensors; NaN where a branch flips."""
        self.evaluations += count
        network = self._model.network
        parameters, inputs = apart(_moved({**self._tensors, **copies}, self._v))
        with network.watch() as taken, np.errstate(all="ignore"):
            slots = network.forward(parameters, inputs).slots
            total = network.loss(slots, parameters).total
        flipped = taken.flipped(self._point.branches, count)
        return np.where(flipped, np.nan, np.imag(total) / COMPLEX_STEP + np.zeros(count))

    @property
    def at_bend(self) -> bool:
        """Whether the least move takes another branch: a second derivative may jump here."""
        rng = generator(self._options.seed, "around the point")
        moved = {}
        for name, tensor in self._tensors.items():
            scale = position_scale(tensor.ravel()).reshape(tensor.shape)
            moves = rng.standard_normal((_TRIES, *tensor.shape))
            moved[name] = tensor + _NEAREST * scale * np.concatenate([moves, -moves])
        return bool(np.isnan(self._slopes(moved, 2 * _TRIES)).any())

    @cached_property
    def _cells(self) -> int:
        return sum(prod(node.shape) + node.kept for node in self._model.plan.nodes)

    def _probe(self, name: str, entries: Array, points: Array) -> Array:
        """Slopes (K, E) with single entries (E,) of a tensor replaced by points (K, E)."""
        tensor = self._tensors[name]
        flat = points.ravel()
        owner = np.broadcast_to(entries, points.shape).ravel()
        values = np.full(flat.shape, np.nan)
        wanted = np.flatnonzero(np.isfinite(flat))
        for part in chunks(len(wanted), 64 * (tensor.size + self._cells)):
            picked = wanted[part]
            copies = np.repeat(tensor.reshape(1, -1), len(picked), axis=0)
            copies[np.arange(len(picked)), owner[picked]] = flat[picked]
            moved = {name: copies.reshape(-1, *tensor.shape)}
            values[picked] = self._slopes(moved, len(picked))
        return values.reshape(points.shape)

    def _noise(self, name: str) -> float:
        """Noise of the slope along a random direction in a tensor."""
        tensor = self._tensors[name]
        scale = position_scale(tensor.ravel()).reshape(tensor.shape)
        rng = generator(self._options.seed, f"noise of Hv by {name}")
        along = scale * rng.standard_normal(tensor.shape)

        def slopes(offsets: Array) -> Array:
            copies = tensor + np.multiply.outer(offsets.ravel(), along)
            return self._slopes({name: copies}, offsets.size)[:, None]

        level = measure_noise(slopes, np.array([self._value]), np.array([SPACING]), _EPS)
        return float(level[0])

    @cached_property
    def _entry_cost(self) -> float:
        return float(_EVALUATIONS * _COMPLEX * self._point.costs.forward)

    @cached_property
    def _whole(self) -> frozenset[str]:
        """The tensors of which every entry is checked."""
        costs = {name: {name: self._tensors[name].size * self._entry_cost} for name in self._names}
        return within_budget(costs, self._options.budget)[0]

    @property
    def _sample(self) -> int:
        share = self._options.budget / (self._entry_cost * len(self._names))
        return int(min(max(share, _LEAST), _MOST))


def _moved(arrays: Mapping[str, Array], v: Mapping[str, Array]) -> dict[str, Array]:
    return {
        name: array + 1j * COMPLEX_STEP * v[name] if name in v else array
        for name, array in arrays.items()
    }
