"""Functions of arrays at kinks, made straight there along slopes that were chosen.

A coordinate at a kink has a slope on either side. Where a claim chose one in between for every
output that has the kink, the function is replaced, in these outputs, by itself with the coordinate
held at its value, plus the line of that slope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from gradcli.core.arrays import Array, Mask, Parameters, Pullback
from gradcli.core.op import NodeOp, Options, X
from gradcli.core.record import Record
from gradcli.core.traits import LayerTraits
from gradcli.engine.ladder import climb, position_scale, rungs
from gradcli.engine.noise import SPACING, Noise, measure_noise
from gradcli.engine.replicas import chunks

__all__ = ["Evaluate", "Lines", "StraightOp", "find_lines"]

_EPS = float(np.finfo(np.float64).eps)
_COARSE, _FINE = 2.0**-15, 2.0**-21  # steps between which a gap shrinks unless it is a kink's
_CLEAR = 64  # ulps of a value that a gap is seen above,
_CLEAR_OF_NOISE = 8  # and times the noise
_MOST = 1 << 22  # kinked entries times outputs; beyond, no line is laid
_TOLERANCE = 1e-9

Evaluate = Callable[[Mapping[str, Array]], Array]
Pull = Callable[[Array], Mapping[str, Array]]


class Lines(Record):
    """For arrays by name: entries at a kink, their values, and the lines from there.

    `entries` are flat indices, `slopes` (entries, *y) what each puts on the output y, zero where
    `outputs` is false.
    """

    at: Mapping[str, Array]
    entries: Mapping[str, Array]
    slopes: Mapping[str, Array]
    outputs: Mask

    def apply(self, evaluate: Evaluate, arrays: Mapping[str, Array]) -> Array:
        """The function made straight; axes before the arrays' own are replicas."""
        held: dict[str, Array] = dict(arrays)
        moved: Array | float = 0.0
        for name, entries in self.entries.items():
            at, value = self.at[name], arrays[name]
            flat = value.reshape(*value.shape[: value.ndim - at.ndim], -1)
            moved = moved + np.tensordot(
                flat[..., entries] - at.ravel()[entries], self.slopes[name], 1
            )
            held[name] = flat.copy()
            held[name][..., entries] = at.ravel()[entries]
            held[name] = held[name].reshape(value.shape)
        return np.where(self.outputs, evaluate(held) + moved, evaluate(arrays))

    def same_as(self, other: Lines) -> bool:
        """Whether the same coordinates are straight along the same slopes."""
        return self.entries.keys() == other.entries.keys() and all(
            np.array_equal(entries, other.entries[name])
            and np.array_equal(self.slopes[name], other.slopes[name])
            for name, entries in self.entries.items()
        )


class StraightOp(NodeOp, kw_only=True):
    """A node's op along lines; its pullback is the op's own."""

    kind: ClassVar[str] = "layer"
    opaque: ClassVar[bool] = True
    inner: NodeOp
    lines: Lines

    def layer_traits(self, options: Options) -> LayerTraits:
        return self.inner.layer_traits(options)

    def evaluate(
        self, inputs: tuple[Array, ...], parameters: Parameters, rank: int, options: Options
    ) -> tuple[Array, Pullback]:
        def run(arrays: Mapping[str, Array]) -> Array:
            own = {name: value for name, value in arrays.items() if name != X}
            return self.inner.evaluate((arrays[X],), own, rank, options)[0]

        _, pullback = self.inner.evaluate(inputs, parameters, rank, options)
        return self.lines.apply(run, {X: inputs[0], **parameters}), pullback


def find_lines(
    evaluate: Evaluate, at: Mapping[str, Array], y: Array, pull: Pull, rng: np.random.Generator
) -> tuple[bool, Lines | None]:
    """Whether a function sits at a kink, and its lines along the valid slopes that were chosen.

    `evaluate` takes copies of the arrays `at` which it gives y; `pull` is the pullback that was
    claimed there. `rng` chooses the directions in which kinks are looked for and noise is measured.
    """
    search = _Search(evaluate, at, y, rng)
    suspected = {name: search.suspects(name) for name in at} if search.is_suspect() else {}
    entries = {name: own for name, own in suspected.items() if len(own)}
    count = sum(map(len, entries.values()))
    if not count or count * y.size > _MOST:
        return False, None
    outputs = np.flatnonzero(search.bent)
    noise = search.noise(outputs)
    sides = {name: search.sides(name, own, outputs, noise) for name, own in entries.items()}
    kinked = np.logical_or.reduce([found.kink.any(axis=0) for found in sides.values()])
    if not kinked.any():
        return False, None
    chosen = _chosen(pull, y, outputs[kinked], entries)
    straight = np.zeros(y.size, bool)
    straight[outputs[kinked]] = True
    lines: dict[str, tuple[Array, Array]] = {}
    for name, found in sides.items():
        slopes = chosen[name].T
        valid = found.kink.any(axis=1) & found.holds(slopes, kinked)
        if valid.any():
            full = np.zeros((int(valid.sum()), y.size))
            full[:, straight] = slopes[valid]
            lines[name] = entries[name][valid], full.reshape(-1, *y.shape)
    if not lines:
        return True, None
    return True, Lines(
        at,
        {name: own for name, (own, _) in lines.items()},
        {name: slopes for name, (_, slopes) in lines.items()},
        straight.reshape(y.shape),
    )


def _chosen(pull: Pull, y: Array, outputs: Array, entries: Mapping[str, Array]) -> dict[str, Array]:
    """∂output/∂entry as claimed, (outputs, entries) by name: a cotangent an output."""
    found = {name: np.zeros((len(outputs), len(own))) for name, own in entries.items()}
    for row, output in enumerate(outputs):
        cotangent = np.zeros(y.size)
        cotangent[output] = 1.0
        made = pull(cotangent.reshape(y.shape))
        for name, own in entries.items():
            found[name][row] = np.asarray(made[name], float).ravel()[own]
    return found


class _Sides(Record):
    """One-sided slopes (entries, outputs), how unsure they are, and where they differ."""

    low: Array
    high: Array
    doubt: Array
    kink: Mask

    def holds(self, slopes: Array, outputs: Mask) -> Mask:
        """Entries whose slopes (entries, these outputs) lie between the sides in all of them."""
        low, high, doubt = self.low[:, outputs], self.high[:, outputs], self.doubt[:, outputs]
        slack = 3 * doubt + _TOLERANCE * np.maximum(np.abs(low), np.abs(high))
        found: Mask = np.all((slopes >= low - slack) & (slopes <= high + slack), axis=1)
        return found


class _Search:
    """Looks for kinks at a point; `bent` are the outputs (flat) that may have one."""

    def __init__(
        self, evaluate: Evaluate, at: Mapping[str, Array], y: Array, rng: np.random.Generator
    ) -> None:
        self._evaluate = evaluate
        self._at = at
        self._y = y
        self._direction = {
            name: rng.standard_normal(x.shape) * position_scale(x.ravel()).reshape(x.shape)
            for name, x in at.items()
        }
        self._signs = rng.choice((-1.0, 1.0), y.size)
        self._floor = 0.0
        self.bent = np.zeros(y.size, bool)

    def is_suspect(self) -> bool:
        """Whether there may be a kink in anything, found with a few evaluations."""
        if not self._bends(self._direction):
            return False
        self._floor = _CLEAR_OF_NOISE * self.noise(np.arange(self._y.size))
        self.bent[:] = False
        return self._bends(self._direction)

    def suspects(self, name: str) -> Array:
        """The entries of one array that may be at a kink, by halving."""
        found: list[int] = []
        pending = [(0, self._at[name].size)]
        while pending:
            start, stop = pending.pop()
            along = np.zeros(self._at[name].size)
            along[start:stop] = self._direction[name].ravel()[start:stop]
            if not self._bends({name: along.reshape(self._at[name].shape)}):
                continue
            if stop - start == 1:
                found.append(start)
            else:
                middle = (start + stop) // 2
                pending += [(middle, stop), (start, middle)]
        return np.array(found, int)

    def _bends(self, direction: Mapping[str, Array]) -> bool:
        """Whether there is a gap between the sides along a direction that does not shrink."""
        steps = np.array([_COARSE, -_COARSE, _FINE, -_FINE])
        moved = {
            name: self._at[name] + np.multiply.outer(steps, d) for name, d in direction.items()
        }
        with np.errstate(all="ignore"):
            y = self._evaluate({**self._at, **moved}).reshape(4, -1) - self._y.ravel()
            coarse, fine = np.abs(y[0] + y[1]), np.abs(y[2] + y[3])
            floor = _CLEAR * _EPS * np.maximum(np.abs(self._y.ravel()), _FINE)
            clear = fine > np.maximum(floor, self._floor)
            bent = clear & (fine / _FINE > 0.5 * coarse / _COARSE)
        self.bent |= bent
        return bool(bent.any())

    def sides(self, name: str, entries: Array, outputs: Array, noise: float) -> _Sides:
        """The ladder from both sides for each of these entries and outputs."""
        flat = self._at[name].ravel()
        shape = len(entries), len(outputs)
        x = np.repeat(flat[entries], shape[1])
        steps = rungs(x, np.repeat(position_scale(flat)[entries], shape[1]), _EPS)

        def probe(_: Array, points: Array) -> Array:
            found = np.full((len(points), *shape), np.nan)
            for rung, row in enumerate(points[:, :: shape[1]]):
                found[rung] = self._moved(name, entries, row)[:, outputs]
            return found.reshape(points.shape)

        value = np.tile(self._y.ravel()[outputs], shape[0])
        even = Noise.even(np.full(len(x), noise))
        ladder = climb(probe, np.arange(len(x)), x, value, steps, even, _EPS)
        left, right = ladder.left, ladder.right
        return _Sides(
            np.minimum(left.value, right.value).reshape(shape),
            np.maximum(left.value, right.value).reshape(shape),
            (left.uncertainty + right.uncertainty).reshape(shape),
            ladder.kink.reshape(shape),
        )

    def noise(self, outputs: Array) -> float:
        """Noise of these outputs together, along a random direction."""

        def together(y: Array) -> Array:
            flat = y.reshape(*y.shape[: y.ndim - self._y.ndim], -1)
            return np.asarray(flat[..., outputs] @ self._signs[outputs])

        def along(offsets: Array) -> Array:
            moved = {
                name: x + np.multiply.outer(offsets.ravel(), self._direction[name])
                for name, x in self._at.items()
            }
            return together(self._evaluate(moved))[:, None]

        level = measure_noise(along, together(self._y)[None], np.array([SPACING]), _EPS)
        return float(level[0])

    def _moved(self, name: str, entries: Array, values: Array) -> Array:
        """Outputs (entries, y), flat, with each entry of one array at its value alone."""
        x = self._at[name]
        found = np.empty((len(entries), self._y.size))
        for part in chunks(len(entries), 24 * (x.size + self._y.size)):
            count = len(entries[part])
            copies = np.repeat(x.reshape(1, -1), count, axis=0)
            copies[np.arange(count), entries[part]] = values[part]
            with np.errstate(all="ignore"):
                y = self._evaluate({**self._at, name: copies.reshape(count, *x.shape)})
            found[part] = y.reshape(count, -1)
        return found
