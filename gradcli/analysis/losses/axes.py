"""The variable over which a loss is drawn: what its points are, and which targets are fixed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from gradcli.core.arrays import Array
from gradcli.core.op import Loss, Options
from gradcli.core.record import Record

__all__ = ["EVERYWHERE", "Axis", "Side", "axis_of", "axis_of_groups", "slopes"]

Ends = tuple[float, float]
Examples = tuple[Array, Array | None]

_WINDOW: Final = (-4.0, 4.0)
_WRONG: Final = (-1.0, -10.0, -100.0, -1000.0)
EVERYWHERE: Final = (-math.inf, math.inf)
_EDGE: Final = 5e-3
"""How near the ends of an open interval curves are drawn."""


class Side(Record):
    """One curve: `place` makes of points as many predictions with their targets.

    `component` is the entry of a prediction that moves with the point.
    """

    target: str
    place: Callable[[Array], Examples]
    component: tuple[int, ...] = (0,)


class Axis(Record):
    """`name` is shared by axes that can be drawn together; `over` says what the points are.

    `window` is what is drawn at least, `domain` where there are points at all, and `mistakes` are
    predictions ever farther off.
    """

    name: str
    over: str
    sides: tuple[Side, ...]
    window: Ends = _WINDOW
    domain: Ends = EVERYWHERE
    mistakes: tuple[float, ...] = _WRONG


def _elements(x: Array, target: float) -> Examples:
    """One prediction for each point."""
    return x[:, None], np.full((len(x), 1), target)


def _logits(x: Array, reads: str) -> Examples:
    """Two classes: the target with the logit x, and another with 0."""
    return np.stack([x, np.zeros_like(x)], axis=-1), _first_class(len(x), reads)


def _log_probabilities(x: Array, reads: str) -> Examples:
    """Two classes: the target with the log-probability x, and another with what is left."""
    return np.stack([x, np.log(-np.expm1(x))], axis=-1), _first_class(len(x), reads)


def _first_class(rows: int, reads: str) -> Array | None:
    if reads == "none":
        return None
    return np.tile([1.0, 0.0], (rows, 1)) if reads == "probabilities" else np.zeros(rows, np.int64)


def _targets(name: str, values: tuple[float, ...]) -> tuple[Side, ...]:
    return tuple(Side(f"{name} = {value:g}", partial(_elements, target=value)) for value in values)


def axis_of(argument: str, reads: str, domain: Ends, targets: Ends = EVERYWHERE) -> Axis:
    """The axis of a loss of this argument (see `LossTraits`), or of any numbers p and y.

    `domain` and `targets` are the ends of p and of y.
    """
    match argument:
        case "residual":
            return Axis("residual", "p - y", (Side("", partial(_elements, target=0.0)),))
        case "margin":
            return Axis("score", "y*p", (Side("", partial(_elements, target=1.0)),))
        case "logit":
            return Axis("score", "p", _targets("y", (1.0, 0.0)))
        case "logits" | "scores":
            side = Side("", partial(_logits, reads=reads))
            which = "one of two classes" if reads == "none" else "the target"
            return Axis("score", f"{argument[:-1]} of {which}", (side,))
        case "log-probabilities":
            side = Side("of two classes", partial(_log_probabilities, reads=reads))
            return Axis(
                "log-probability",
                "log-probability of the target",
                (side,),
                (-5.0, -_EDGE),
                (-math.inf, 0.0),
            )
        case "probability":
            sides = _targets("y", (1.0, 0.0))
            chances = (0.1, 0.01, 1e-3, 1e-4)
            return Axis("probability", "p", sides, (_EDGE, 1 - _EDGE), (0.0, 1.0), chances)
    low, high = domain
    window = max(low, _WINDOW[0]), min(high, _WINDOW[1])
    fixed = tuple(dict.fromkeys(min(max(y, targets[0]), targets[1]) for y in (0.0, 1.0)))
    return Axis("prediction", "p", _targets("y", fixed), window, domain, ())


def _group(x: Array, rows: int, moving: int, targets: tuple[float, ...]) -> Examples:
    """Rows with one feature: the first at 0, one at the point's distance, a third one at 1."""
    p = np.zeros((len(x), rows, 1))
    p[:, 1:] = 1.0
    p[:, moving, 0] = x
    return p, np.array(targets) if targets else None


def axis_of_groups(rows: tuple[str, ...]) -> Axis:
    """The axis of a loss on pairs or triples: the distance of one row from the first."""
    count = len(rows)
    if count == 2:
        sides = tuple(
            Side(name, partial(_group, rows=2, moving=1, targets=(target,)), (1, 0))
            for name, target in (("similar", 0.0), ("dissimilar", 1.0))
        )
    else:
        sides = tuple(
            Side(name, partial(_group, rows=count, moving=moving, targets=()), (moving, 0))
            for name, moving in (("positive, negative at 1", 1), ("negative, positive at 1", 2))
        )
    away = (1.0, 10.0, 100.0, 1000.0)
    return Axis("distance", "distance", sides, (0.0, 2.0), (0.0, math.inf), away)


def slopes(op: Loss, options: Options, side: Side, x: Array) -> tuple[Array, Array]:
    """The loss and its derivative by the component that moves, at each of the points."""
    p, y = side.place(x)
    weights = {} if op.weights is None else op.weights(**options)
    learned = (np.full((1,), value) for value in weights.values())
    targets = () if y is None else (y,)
    value, pull = op.function(p, *targets, *learned, **options)
    each = value.reshape(len(x), -1)
    cotangents = pull(np.full_like(value, 1 / each.shape[1]))
    dp = cotangents[0] if isinstance(cotangents, tuple) else cotangents
    return np.asarray(each.mean(axis=1)), np.asarray(dp[(slice(None), *side.component)])
