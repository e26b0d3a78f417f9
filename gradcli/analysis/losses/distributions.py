"""Entropy, cross-entropy and divergence of two distributions, and a loss of the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from gradcli.analysis.losses.report import Comparison, Share
from gradcli.core.arrays import Array
from gradcli.core.op import Loss, Options
from gradcli.errors import UsageError

__all__ = ["Chances", "compare"]

_MISSES: Final = 1e-6
"""By how much chances may miss a sum of one, as in a spec: the rounding of single precision."""

_IMPOSSIBLE: Final = -1e4
"""A logit whose exponential is zero."""

_EVENTS: Final = ("logit", "probability")


class Chances(NamedTuple):
    """Target chances by class, and predicted ones, or logits of these."""

    targets: Sequence[float]
    predictions: Sequence[float] | None
    logits: Sequence[float] | None


def compare(op: Loss, options: Options, chances: Chances) -> Comparison:
    """Target and predicted chances of the classes, or the two chances of one event.

    In nats: the entropy Σ y·log(1/y), the cross-entropy Σ y·log(1/q), and their difference, the
    Kullback-Leibler divergence of y from q. A temperature of the loss divides logits before they
    become chances. Raises UsageError for numbers that are no chances, for both or none of
    predictions and logits, and for losses of something else.
    """
    targets, predictions, logits = chances
    traits = op.traits_at(options)
    argument = None if traits is None else traits.argument
    if argument not in ("logits", "log-probabilities", *_EVENTS):
        raise UsageError(f"{op.name} does not compare distributions; cross_entropy does")
    event = argument in _EVENTS
    temperature = float(options.get("temperature", 1.0))
    y = _chances("targets", targets, event)
    if predictions is not None and logits is None:
        q = _chances("predictions", predictions, event)
        z = np.log(q)
    elif logits is not None and predictions is None:
        z = _finite("logits", logits, event) / temperature
        z = z - z.max()
        z = z - np.log(np.exp(z).sum())
        q = np.exp(z)
    else:
        raise UsageError("targets are compared with either predictions or logits")
    if len(y) != len(q):
        raise UsageError(f"{len(y)} targets cannot be compared with {len(q)} predictions")
    loss, gradient = _of_loss(op, options, argument, y, z * temperature)
    return _in_nats(y, q, z, loss, gradient)


def _finite(name: str, numbers: Sequence[float], event: bool) -> Array:
    """Numbers by class; of an event the one number given is that of 1, and 0 has zero."""
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise UsageError(f"{name}: expected numbers, one for each class")
    if event and len(numbers) != 1:
        raise UsageError(f"{name}: expected one number, that of the event, not {len(numbers)}")
    if not event and len(numbers) < 2:
        raise UsageError(f"{name}: expected a number for each of two classes or more")
    return np.array([0.0, *numbers] if event else numbers, np.float64)


def _chances(name: str, numbers: Sequence[float], event: bool) -> Array:
    chances = _finite(name, numbers, event)
    if event:
        chances[0] = 1 - chances[1]
    hint = "; for scores that are no chances, write --logits" if name == "predictions" else ""
    if chances.min() < 0:
        raise UsageError(f"{name}: {chances.min():g} is no chance{hint}")
    if abs(chances.sum() - 1) > _MISSES:
        raise UsageError(f"{name}: they sum to {chances.sum():g}, not to 1{hint}")
    return chances


def _of_loss(op: Loss, options: Options, argument: str, y: Array, z: Array) -> tuple[float, Array]:
    """The loss's own value and gradient; infinite where a yet smaller chance would cost more."""
    values = []
    for impossible in (_IMPOSSIBLE, 2 * _IMPOSSIBLE):
        finite = np.maximum(z, impossible)
        if argument in _EVENTS:
            odds = finite[1:] - finite[:1]
            p = np.exp(z[1:]) if argument == "probability" else odds
            value, pull = op.function(p, y[1:], **options)
            slope = np.append(math.nan, pull(np.ones_like(value)))
        else:
            value, pull = op.function(finite[None], _target(op, options, y), **options)
            slope = pull(np.ones_like(value))[0]
        values.append(float(value[0]))
    return (math.inf if values[1] > values[0] + 1 else values[1]), slope


def _target(op: Loss, options: Options, y: Array) -> Array:
    """The target distribution as the loss reads it."""
    if op.reads_at(options) != "labels":
        return y[None]
    if y.max() != 1:
        raise UsageError(f"{op.name} reads labels: one of the targets has to be 1, the others 0")
    return np.array([int(np.argmax(y))])


def _in_nats(y: Array, q: Array, z: Array, loss: float, gradient: Array) -> Comparison:
    entropy = np.where(y > 0, -y * np.log(y), 0.0)
    cross = np.where(y > 0, -y * z, 0.0)
    columns = y, q, -z + 0.0, entropy, cross, cross - entropy, gradient
    shares = tuple(Share(*map(float, row)) for row in zip(*columns, strict=True))
    total = float(entropy.sum()), float(cross.sum())
    return Comparison(*total, float((cross - entropy).sum()), loss, shares)
