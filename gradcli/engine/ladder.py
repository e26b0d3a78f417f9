"""Numeric derivatives with their own uncertainty: a ladder of differences, extrapolated.

Steps are powers of two in ratio 4, from well above the scale of the point down to a few ulps.
Differences on all rungs are extrapolated to step zero (Richardson's extrapolation by Neville's
scheme; Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", 1982). Each candidate carries an
error estimate from its two parents plus the noise of the function, and a candidate that a smaller
step contradicts is dropped: large steps do see false plateaus. Everything is vectorised over
entries.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record
from gradcli.engine.noise import Noise

__all__ = ["Estimate", "Ladder", "Probe", "climb", "position_scale", "rungs"]

Probe = Callable[[Array, Array], Array]
"""(entries (E,), points (K, E)) -> values (K, E) with that coordinate replaced; NaN where none."""

_RATIO = 4.0
_COLUMNS = 4
_OUTLIER = 8.0  # one rung that far outside the noise contradicts a candidate
_PERSISTENT = 2.0  # and so do two neighbours on the same side this far outside
_CLEAR = 8.0  # a rung tells something of a gap this many times its noise
_KINK_RUNGS = 3  # on which the gap has to be whole
_BLIND = 1e-3
_ROUGH_ULPS = 1024
_STEEP = 1.25  # growth of a slope from rung to rung; a root's is 2, a bounded slope's 1
_STEEP_RUNGS = 6
_STILL_RUNGS = 4
_RISE = 8  # times the noise: the first change of a function that is level, not merely slow
_CELLS = 2_000_000  # array elements of the contradiction test held at once
_MOST_RUNGS = 60
_SMALL = 1e-3  # of the scale: a number this small has a scale of its own
_NEAR = 1 / 4  # of the scale: steps up to which the function has the size that it has here
_HIGHEST = 1000  # exponent of the largest step, so that x ± step is a number


class Estimate(Record):
    """Derivatives (E,) and how far off they may be; an infinite uncertainty means unknown."""

    value: Array
    uncertainty: Array

    def take(self, entries: Array) -> Estimate:
        """The same for some of the entries."""
        return Estimate(self.value[entries], self.uncertainty[entries])


class Ladder(Record):
    """Estimates from both sides together and from each alone.

    `kink` (E,) marks points whose one-sided slopes differ by more than their uncertainties
    explain, by a gap that does not shrink with the step. `blind` (E,) marks points where the noise
    is a good part of all that the function varies over the ladder: small steps drown in it and
    what large steps see need not be the slope, so that nothing can be proven wrong there; or where
    the differences still grow from rung to rung at the smallest steps, as beside a pole or a root.
    `size` (E,) is the largest value of the function near the point, a small part of its scale away,
    and `noise` (E,) its noise there, or the rounding of that if it is more; `rung` (E,) is the last
    step that the central estimate was made of, by its place, and `step` its length. `edge` (E,) is
    where the function first changes, if it is level on the smallest steps, else zero, and `rise` by
    how much it changes first. If it never does, that is where it was last seen, and zero.
    """

    central: Estimate
    left: Estimate
    right: Estimate
    kink: Mask
    blind: Mask
    size: Array
    noise: Array
    rung: Array
    step: Array
    edge: Array
    rise: Array
    evaluations: int

    def take(self, entries: Array) -> Ladder:
        """The same for some of the entries."""
        return Ladder(
            self.central.take(entries),
            self.left.take(entries),
            self.right.take(entries),
            self.kink[entries],
            self.blind[entries],
            self.size[entries],
            self.noise[entries],
            self.rung[entries],
            self.step[entries],
            self.edge[entries],
            self.rise[entries],
            0,
        )


def position_scale(x: Array) -> Array:
    """ρ of each entry: the larger of |x| and the tensor's rms; 1 if all are zero."""
    size = np.abs(x)
    largest = float(size.max(initial=0.0))
    # scaled, so that the squares neither overflow nor vanish
    rms = largest * float(np.sqrt(np.mean((x / largest) ** 2))) if largest else 0.0
    return np.maximum(size, rms or 1.0)


def rungs(x: Array, scale: Array, eps: float, *, shift: float = 1.0) -> Array:
    """Steps (K, E) for the points x (E,): from 4·max(|x|, scale, 1) down to a few ulps of x.

    `scale` is the size at which the function is expected to vary, unless x is far smaller and not
    zero; `shift` moves every rung, for a second ladder with other steps.
    """
    largest = np.maximum(np.maximum(np.abs(x), scale), 1.0)
    top = 4.0 * np.minimum(largest, np.finfo(float).max / 4.0)
    size = np.abs(x)
    is_small = (size > 0) & (size < _SMALL * scale)
    bottom = 16.0 * eps * np.where(is_small, size, np.maximum(size, scale))
    bottom = np.maximum(bottom, np.finfo(float).tiny)
    height = np.max(np.log2(top) - np.log2(bottom), initial=0.0)
    count = int(np.ceil(height / 2)) + 1
    first = np.exp2(np.minimum(np.ceil(np.log2(top)), _HIGHEST))
    steps = first * shift * _RATIO ** -np.arange(min(count, _MOST_RUNGS), dtype=float)[:, None]
    return np.where(steps < bottom / _RATIO, np.nan, steps)


def climb(
    probe: Probe,
    entries: Array,
    x: Array,
    value: Array,
    steps: Array,
    noise: Noise,
    eps: float,
    scale: Array | float = 1.0,
) -> Ladder:
    """Evaluate the function at x ± steps and estimate its derivative for each entry.

    `entries` (E,) names the coordinates to `probe`, x (E,) their values, `value` (E,) the
    function there, `noise` its absolute noise, `eps` the precision in which it is evaluated,
    `scale` the size at which it is expected to vary.
    """
    above, below = x + steps, x - steps
    usable = np.isfinite(steps)
    points = np.concatenate([np.where(usable, side, np.nan) for side in (above, below)])
    f_above, f_below = np.split(probe(entries, points), 2)
    h_above, h_below = above - x, x - below
    with np.errstate(all="ignore"):
        size = np.fmax(np.abs(f_above), np.abs(f_below))
        size = np.where(np.isfinite(size), np.fmax(size, np.abs(value)), np.abs(value))
        # where nothing changes at all, what does may be lost in the rounding of larger numbers
        same_above, same_below = f_above == value, f_below == value
        edge = _edge(same_above, same_below, steps)
        varies = np.fmax(np.abs(f_above - value), np.abs(f_below - value))
        varies = np.where(np.isfinite(varies), varies, 0.0)
        rise = np.where(varies > 0, varies, np.inf).min(axis=0, initial=np.inf)
        still = (edge != 0) & (rise > _RISE * noise.near)
        size = np.where(still, size.max(axis=0, initial=0.0), size)
        level = np.fmax(noise.at(steps), 0.5 * eps * size)
        width = h_above + h_below
        to_right, to_left = (f_above - value) / h_above, (value - f_below) / h_below
        noise_of_side = 2 * level / np.minimum(h_above, h_below)
        central, rung = _extrapolate((f_above - f_below) / width, 2 * level / width, _RATIO**2, eps)
        nearby = np.where((steps <= _NEAR * scale) | still, size, 0.0)
        right, left = _one_sided(to_right, to_left, noise_of_side, eps)
        kink = _kink(left, right, to_right - to_left, noise_of_side)
        variation = varies.max(axis=0, initial=0.0)
        steep = _grows(to_right, noise_of_side) | _grows(to_left, noise_of_side)
    # noise at the level of rounding is no sign of it: the function is merely flat here
    rough = noise.near > _ROUGH_ULPS * eps * np.abs(value)
    drowned = (variation > 0) & (noise.near > _BLIND * variation)
    blind: Mask = (rough & drowned) | steep
    near = np.maximum(nearby.max(axis=0, initial=0.0), np.abs(value))
    last = np.where(same_above & same_below, steps, 0.0).max(axis=0, initial=0.0)
    edge = np.where((edge != 0) & (variation == 0), last, edge)
    edge, rise = (np.where(np.isfinite(each), each, 0.0) for each in (edge, rise))
    step = np.nan_to_num(steps[rung, np.arange(len(rung))])
    own = np.maximum(noise.near, eps * near)
    evaluations = int(2 * usable.sum())
    return Ladder(central, left, right, kink, blind, near, own, rung, step, edge, rise, evaluations)


def _edge(same_above: Mask, same_below: Mask, steps: Array) -> Array:
    """Steps (E,), with their sign, at which the value first changes; infinite if none does.

    Zero where it changes on one of the smallest rungs (K, E) already.
    """
    usable = np.isfinite(steps)
    from_below = np.cumsum(usable[::-1], axis=0)[::-1]
    smallest = usable & (from_below <= _STILL_RUNGS)
    still = np.all((same_above & same_below) | ~smallest, axis=0)
    above = np.where(usable & ~same_above, steps, np.inf).min(axis=0, initial=np.inf)
    below = np.where(usable & ~same_below, steps, np.inf).min(axis=0, initial=np.inf)
    return np.where(still, np.where(above <= below, above, -below), 0.0)


def _grows(slopes: Array, noise: Array) -> Mask:
    """Whether the slopes (K, E) of one side grow steadily over the smallest clear rungs."""
    clear = np.isfinite(slopes) & (_CLEAR * noise < np.abs(slopes))
    from_below = np.cumsum(clear[::-1], axis=0)[::-1]
    smallest = clear & (from_below <= _STEEP_RUNGS)
    pairs = smallest[1:] & smallest[:-1]
    growing = np.abs(slopes[1:]) > _STEEP * np.abs(slopes[:-1])
    enough = pairs.sum(axis=0) == _STEEP_RUNGS - 1
    steep: Mask = enough & np.all(growing | ~pairs, axis=0)
    return steep


def _kink(left: Estimate, right: Estimate, gaps: Array, noise: Array) -> Mask:
    """Whether the gap between the sides is real, and still whole on the smallest clear rungs."""
    gap = right.value - left.value
    doubt = right.uncertainty + left.uncertainty
    real = np.isfinite(doubt) & (np.abs(gap) > 3 * doubt)
    clear = np.isfinite(gaps) & (_CLEAR * noise < np.abs(gap))
    from_below = np.cumsum(clear[::-1], axis=0)[::-1]
    smallest = clear & (from_below <= _KINK_RUNGS)
    whole = np.abs(gaps - gap) <= 0.5 * np.abs(gap)
    kink: Mask = real & smallest.any(axis=0) & np.all(whole | ~smallest, axis=0)
    return kink


def _one_sided(
    to_right: Array, to_left: Array, noise: Array, eps: float
) -> tuple[Estimate, Estimate]:
    """Both sides at once, since for few entries the number of calls is what takes the time."""
    slopes, noises = np.hstack([to_right, to_left]), np.hstack([noise, noise])
    both, _ = _extrapolate(slopes, noises, _RATIO, eps)
    right, left = zip(np.split(both.value, 2), np.split(both.uncertainty, 2), strict=True)
    return Estimate(*right), Estimate(*left)


def _extrapolate(slopes: Array, noise: Array, base: float, eps: float) -> tuple[Estimate, Array]:
    """Best candidate of Neville's scheme for each column of `slopes` (K, E), and its last rung."""
    rung_count, entry_count = slopes.shape
    chunk = max(1, _CELLS // ((_COLUMNS + 1) * rung_count**2))
    value = np.zeros(entry_count)
    uncertainty = np.full(entry_count, np.inf)
    rung = np.zeros(entry_count, int)
    for start in range(0, entry_count, chunk):
        part = slice(start, start + chunk)
        value[part], uncertainty[part], rung[part] = _best(slopes[:, part], noise[:, part], base)
    return Estimate(value, np.maximum(uncertainty, 4 * eps * np.abs(value))), rung


def _best(slopes: Array, noise: Array, base: float) -> tuple[Array, Array, Array]:
    values, errors = _neville(slopes, noise, base)
    errors = np.where(np.isfinite(values) & ~np.isnan(errors), errors, np.inf)
    contradicted = _contradicted(values, errors, slopes, noise, base)
    ranked = np.where(contradicted, np.inf, errors).reshape(-1, slopes.shape[1])
    best = ranked.argmin(axis=0)
    column = np.arange(slopes.shape[1])
    value = values.reshape(ranked.shape)[best, column]
    uncertainty = ranked[best, column]
    return np.where(np.isfinite(value), value, 0.0), uncertainty, best % len(slopes)


def _neville(slopes: Array, noise: Array, base: float) -> tuple[Array, Array]:
    """All candidates (columns, K, E) and their errors; column j removes j powers of the step."""
    values, amplified = [slopes], [noise]
    first = np.full_like(slopes, np.inf)
    first[1:] = np.abs(slopes[1:] - slopes[:-1])
    errors = [first + noise]
    for order in range(1, _COLUMNS + 1):
        weight = base**order
        value = np.full_like(slopes, np.nan)
        error = np.full_like(slopes, np.inf)
        spread = np.full_like(slopes, np.inf)
        fine, coarse = values[-1][1:], values[-1][:-1]
        value[1:] = fine + (fine - coarse) / (weight - 1)
        spread[1:] = (weight * amplified[-1][1:] + amplified[-1][:-1]) / (weight - 1)
        error[1:] = np.maximum(np.abs(value[1:] - fine), np.abs(value[1:] - coarse)) + spread[1:]
        values.append(value)
        amplified.append(spread)
        errors.append(error)
    return np.stack(values), np.stack(errors)


def _contradicted(values: Array, errors: Array, slopes: Array, noise: Array, base: float) -> Mask:
    """Candidates (columns, K, E) that the plain differences on smaller rungs deny."""
    rung_count = slopes.shape[0]
    rung = np.arange(rung_count)
    distance = rung[None, :] - rung[:, None]  # (candidate's rung, tested rung)
    smaller = (distance > 0)[None, :, :, None]
    decay = np.where(distance > 0, base ** -np.maximum(distance, 0).astype(float), 0.0)
    truncation = np.abs(slopes - values)[:, :, None, :] * decay[None, :, :, None]
    gap = slopes[None, None, :, :] - values[:, :, None, :]
    slack = errors[:, :, None, :] + truncation
    outlier = smaller & (np.abs(gap) > slack + _OUTLIER * noise)
    high = smaller & (gap > slack + _PERSISTENT * noise)
    low = smaller & (gap < -slack - _PERSISTENT * noise)
    persistent = (high[:, :, 1:] & high[:, :, :-1]) | (low[:, :, 1:] & low[:, :, :-1])
    denied: Mask = outlier.any(axis=2) | persistent.any(axis=2)
    return denied
