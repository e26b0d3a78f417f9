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
from gradcli.core.op import NodeOp, Options
from gradcli.core.record import Record
from gradcli.core.traits import LayerTraits
from gradcli.engine.ladder import climb, position_scale, rungs
from gradcli.engine.noise import SPACING, Noise, measure_noise
from gradcli.engine.replicas import chunks

__all__ = ["Evaluate", "Lines", "StraightOp", "X", "find_lines"]

X = "x"
"""What the first input of a node goes by among its parameters."""

_EPS = float(np.finfo(np.float64).eps)
_COARSE, _FINE = 2.0**-10, 2.0**-16  # steps between which a gap shrinks unless it is a kink's
_CLEAR = 64  # ulps of a value that a gap is seen above
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
    claimed there. `rng` chooses the direction along which noise is measured.
    """
    search = _Search(evaluate, at, y)
    suspects = {name: search.suspects(name) for name in at}
    entries = {name: np.flatnonzero(found.any(axis=1)) for name, found in suspects.items()}
    outputs = np.flatnonzero(sum(found.any(axis=0) for found in suspects.values()))
    if not len(outputs):
        return False, None
    noise = search.noise(outputs, rng)
    sides = {
        name: search.sides(name, own, outputs, noise) for name, own in entries.items() if len(own)
    }
    kinked = np.zeros(len(outputs), bool)
    for found in sides.values():
        kinked |= found.kink.any(axis=0)
    if not kinked.any():
        return False, None
    chosen = _chosen(pull, y, outputs[kinked])
    lines: dict[str, tuple[Array, Array]] = {}
    for name, found in sides.items():
        own = entries[name]
        slopes = chosen[name][:, own].T
        valid = found.kink.any(axis=1) & found.holds(slopes, kinked)
        if valid.any():
            full = np.zeros((int(valid.sum()), y.size))
            full[:, outputs[kinked]] = slopes[valid]
            lines[name] = own[valid], full.reshape(-1, *y.shape)
    if not lines:
        return True, None
    straight = np.zeros(y.size, bool)
    straight[outputs[kinked]] = True
    return True, Lines(
        at,
        {name: own for name, (own, _) in lines.items()},
        {name: slopes for name, (_, slopes) in lines.items()},
        straight.reshape(y.shape),
    )


def _chosen(pull: Pull, y: Array, outputs: Array) -> dict[str, Array]:
    """∂output/∂entry as claimed, (outputs, entries) by name: a cotangent an output."""
    rows: dict[str, list[Array]] = {}
    for output in outputs:
        cotangent = np.zeros(y.size)
        cotangent[output] = 1.0
        for name, made in pull(cotangent.reshape(y.shape)).items():
            rows.setdefault(name, []).append(np.asarray(made, float).ravel())
    return {name: np.stack(found) for name, found in rows.items()}


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
    def __init__(self, evaluate: Evaluate, at: Mapping[str, Array], y: Array) -> None:
        self._evaluate = evaluate
        self._at = at
        self._y = y

    def suspects(self, name: str) -> Mask:
        """(entries, outputs) between whose sides there is a gap that does not shrink."""
        x = self._at[name]
        scale = position_scale(x.ravel())
        gaps = []
        for share in (_COARSE, _FINE):
            h = np.exp2(np.floor(np.log2(scale))) * share
            above, below = (
                self._moved(name, np.arange(x.size), x.ravel() + s * h) for s in (1, -1)
            )
            with np.errstate(invalid="ignore"):
                gaps.append(np.abs((above - self._y.ravel()) + (below - self._y.ravel())))
        size = _CLEAR * _EPS * np.maximum(np.abs(self._y.ravel()), _FINE * scale[:, None])
        with np.errstate(invalid="ignore"):
            found: Mask = (gaps[1] > size) & (gaps[1] / _FINE > 0.5 * gaps[0] / _COARSE)
        return found

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

    def noise(self, outputs: Array, rng: np.random.Generator) -> float:
        """Noise of these outputs together, along a random direction."""
        direction = {
            name: (float(np.sqrt(np.mean(x**2))) or 1.0) * rng.standard_normal(x.shape)
            for name, x in self._at.items()
        }
        signs = rng.choice((-1.0, 1.0), len(outputs))

        def together(y: Array) -> Array:
            return np.asarray(
                y.reshape(*y.shape[: y.ndim - self._y.ndim], -1)[..., outputs] @ signs
            )

        def along(offsets: Array) -> Array:
            moved = {
                name: x + np.multiply.outer(offsets.ravel(), direction[name])
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
