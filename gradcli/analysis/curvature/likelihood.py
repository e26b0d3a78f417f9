"""A loss as the likelihood of its targets: the second moments of its score, given the outputs.

The score of a value of the loss is its gradient by the prediction and by the numbers that the loss
learns. Its moment over targets drawn from the loss's own noise model is the Fisher information of
the outputs; over the targets of the data it is the empirical one (Kunstner, Hennig, Balles, 2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from gradcli.core.arrays import Array, Parameters
from gradcli.engine.network import Network
from gradcli.spec.plan import LossPlan, Plan

__all__ = ["Moments", "no_empirical_fisher", "no_fisher"]

_FINITE = {"events": (0.0, 1.0), "binary": (0.0, 1.0), "signs": (-1.0, 1.0)}
_KEPT = 1 << 22  # numbers: scores of all targets together that are kept between products
_REACH, _NODES = 4.2, 100_000  # in t, for residuals sinh(π/2·sinh(t)); none is 0, a kink perhaps


def no_fisher(plan: Plan) -> str:
    """Why the losses are no likelihood of their targets; empty where they are."""
    if not plan.losses:
        return "there is no loss on the outputs"
    for loss in plan.losses:
        traits = loss.op.traits_at(loss.options)
        if loss.target is None or traits is None or traits.noise is None:
            return f"{loss.op.name} is no likelihood: it states no noise of its targets"
    slots = [loss.slot for loss in plan.losses]
    for loss in plan.losses:
        name, traits = loss.op.name, loss.op.traits_at(loss.options)
        if loss.weight < 0 or slots.count(loss.slot) > 1:
            return f"{name} is not the only loss on its outputs, or is weighted below zero"
        if loss.weighting is not None and loss.weighting.parameters:
            return f"the weight of {name} is learned, which makes it another likelihood"
        reads = loss.op.reads_at(loss.options)
        known = reads in _FINITE or reads in ("labels", "classes")
        by_residual = traits is not None and traits.argument == "residual"
        if not known and not (reads == "numbers" and by_residual):
            return f"{name} reads {reads}, which cannot be drawn from its noise"
    return ""


def no_empirical_fisher(plan: Plan) -> str:
    """Why examples have no gradients of their own in the loss; empty where they have."""
    if not plan.losses:
        return "there is no loss on the outputs"
    for loss in plan.losses:
        if loss.target is None:
            return f"{loss.op.name} is a term without targets"
        if loss.op.couples_rows:
            return f"a value of {loss.op.name} is of several rows together"
        if loss.weighting is not None and loss.weighting.parameters:
            return f"the weight of {loss.op.name} is learned"
    return ""


class Moments:
    """The second moments of the score of one loss, times tangents of what it reads.

    `expected` ones are over targets drawn from the noise model, others over the data's own, there
    with all values of an example summed. Both are weighted as the loss weights its values.
    """

    def __init__(
        self,
        network: Network,
        loss: LossPlan,
        slots: list[Array],
        parameters: Parameters,
        *,
        expected: bool,
    ) -> None:
        self._network = network
        self._loss = loss
        self._p = slots[loss.slot]
        self._own_rank = self._p.ndim if loss.op.elementwise else self._p.ndim - 1
        self._learned = [parameters[full] for full in loss.parameters.values()]
        self._expected = expected
        self._reads = loss.op.reads_at(loss.options)
        self.share = loss.weight / float(np.prod(self._p.shape[: self._own_rank]))
        self._kept: list[tuple[Array, list[Array]]] | None = None

    def times(self, dp: Array, dlearned: list[Array]) -> tuple[Array, list[Array]]:
        """Moment times tangents (k, *p) of the prediction and (k,) of each learned number.

        The result is shaped like the tangents.
        """
        if self._expected and self._reads == "numbers":
            return self._by_residual(dp, dlearned)
        found, sums = np.zeros_like(dp), [np.zeros_like(each) for each in dlearned]
        axes = tuple(range(1, self._own_rank + 1))
        for score, others in self._scores():
            along = self._along(score, others, dp, dlearned)
            found += (self.share * along).reshape(*along.shape, *self._features) * score
            for i, other in enumerate(others):
                sums[i] = sums[i] + self.share * (along * other).sum(axis=axes)
        return found, sums

    @property
    def _features(self) -> tuple[int, ...]:
        """Axes of length one for those of a value's prediction."""
        return (1,) * (self._p.ndim - self._own_rank)

    def _along(self, score: Array, others: list[Array], dp: Array, dlearned: list[Array]) -> Array:
        """Score times tangents, by value (k, *own); the same for all values of one example."""
        own = tuple(range(-(self._p.ndim - self._own_rank), 0)) if self._features else ()
        along = np.asarray((score * dp).sum(axis=own) if own else score * dp)
        for other, dnumber in zip(others, dlearned, strict=True):
            along = along + other * dnumber.reshape(-1, *(1,) * self._own_rank)
        if self._expected:
            return along
        within = tuple(range(2, self._own_rank + 1))
        summed = along.sum(axis=within, keepdims=True) if within else along
        return np.broadcast_to(summed, along.shape)

    def _scores(self) -> Iterator[tuple[Array, list[Array]]]:
        """Scores for each target that there may be, times the root of its probability."""
        if self._kept is not None:
            yield from self._kept
            return
        targets = list(self._targets())
        kept: list[tuple[Array, list[Array]]] | None = None
        if len(targets) * self._p.size <= _KEPT:
            kept = []
        largest = self._log_mass(targets) if self._expected else None
        for y in targets:
            values, score, others = self._run(self._p, y)
            if largest is not None:
                root = np.exp(0.5 * (-values - largest))
                score = score * root.reshape(*root.shape, *self._features)
                others = [other * root for other in others]
            if kept is not None:
                kept.append((score, others))
            yield score, others
        self._kept = kept

    def _targets(self) -> Iterator[Array]:
        if not self._expected:
            assert self._loss.target is not None
            yield self._network.targets[self._loss.target]
        elif self._reads in _FINITE:
            for value in _FINITE[self._reads]:
                yield np.full(self._p.shape, value)
        else:
            for label in range(self._p.shape[-1]):
                yield np.full(self._p.shape[:-1], label)

    def _log_mass(self, targets: list[Array]) -> Array:
        """log Σ exp(-loss) over the targets: the loss is -log of a probability but for this."""
        total: Array | None = None
        for y in targets:
            values = self._run(self._p, y)[0]
            total = -values if total is None else np.logaddexp(total, -values)
        assert total is not None
        return total

    def _run(self, p: Array, y: Array) -> tuple[Array, Array, list[Array]]:
        """Values, and their gradients by the prediction and by each learned number."""
        loss = self._loss
        held = {name: self._network.buffers[full] for name, full in loss.buffers.items()}
        own_rank = p.ndim - len(self._features)
        learned = [number.reshape((1,) * own_rank) for number in self._learned]
        values, pull = loss.op.function(p, y, *learned, **held, **loss.options)
        pulled = pull(np.ones(values.shape))
        score, *others = pulled if isinstance(pulled, tuple) else (pulled,)
        return values, score, [np.broadcast_to(other, values.shape) for other in others]

    @cached_property
    def _by_noise(self) -> Array:
        """Moments of the score of a loss of the residual alone: the same at every prediction."""
        t = np.linspace(-_REACH, _REACH, _NODES)
        inner = np.pi / 2 * np.sinh(t)
        y, measure = np.sinh(inner), np.cosh(inner) * np.cosh(t)
        values, score, others = self._run(np.zeros_like(y), y)
        density = np.exp(values.min() - values) * measure
        scores = np.stack([score, *others])
        weighted = np.where(density > 0, scores * density, 0.0)
        return np.asarray((weighted @ np.where(density > 0, scores, 0.0).T) / density.sum())

    def _by_residual(self, dp: Array, dlearned: list[Array]) -> tuple[Array, list[Array]]:
        moments = self.share * self._by_noise
        columns = [each.reshape(-1, *(1,) * self._own_rank) for each in dlearned]
        tangents = [dp, *columns]
        axes = tuple(range(1, self._own_rank + 1))
        count = float(self._p.size)
        found = sum((m * each for m, each in zip(moments[0], tangents, strict=True)), np.zeros(()))
        sums = []
        for row in moments[1:]:
            own = row[0] * dp.sum(axis=axes)
            rest = sum(count * m * each for m, each in zip(row[1:], dlearned, strict=True))
            sums.append(np.asarray(own + rest))
        return np.asarray(found), sums
