"""What is examined: one tensor or definition, with every way to look at its derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from gradcli.analysis.gradcheck.report import Kind
from gradcli.core.arrays import Array, Mask
from gradcli.core.record import Record
from gradcli.engine.ladder import Estimate, Ladder, Probe, climb, position_scale, rungs
from gradcli.engine.noise import FINEST, Noise, jump

if TYPE_CHECKING:
    from gradcli.analysis.gradcheck.mismatch import Branch, Contribution, RowGradients
    from gradcli.analysis.gradcheck.remembered import RememberedLadders

__all__ = ["Large", "Subject"]

_SECOND_LADDER = 0.75  # the steps of the second ladder, as a share of the first's
_HIGH = 8  # times the noise: a stair that is no part of it
_STAIRS = 8  # that a step of the ladder may climb at once; if lower, it is a slope that it climbs


class Large(Record):
    """How to look at a tensor of which every entry would cost too much.

    `numeric(entries)` is the complex-step estimate of some entries, where there is one;
    `along(direction)` the derivative along a direction (E,) and its uncertainty. `sample` is the
    number of entries to check one by one.
    """

    along: Callable[[Array], tuple[float, float]]
    sample: int
    numeric: Callable[[Array], Estimate] | None = None


class Subject(Record):
    """A tensor, its claimed gradient, and oracles for the true one. All arrays are flat (E,).

    `probe` evaluates the real-valued function for the ladder; `numeric` is an estimate by another
    way, which `oracle` names, where there is one. `value` is the function (a scalar, or one per
    entry), `noise(entries)` its absolute noise, `jitter()` how far the claimed gradient moves when
    its arguments move by 2 ulp. `eps` is the precision of the gradient, `eps_f` that in which the
    function is evaluated. `kinks` marks entries known to lie at a kink, `pool` those to check;
    `large` is set where not every entry is to be checked.
    `factors` are named quantities that a wrong factor may be; `variables` the values of a
    definition's variables at each entry; `whole_numbers` says that the gradient was claimed in a
    format that holds nothing else. The last ones serve to say what is wrong: `branches()` are
    conditions of the function at each entry, `contributions()` what the gradient is the sum of,
    `by_row` what each row of a batch adds to it. With `ladders` none is climbed twice.
    Of users' functions `claims(entry, points)` are the claims for an entry with its coordinate
    elsewhere, `own_noise(entries)` their noise along each coordinate by itself, where it is more,
    and `around(direction, away)` slopes along a direction (E,) that share of its size off.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    x: Array
    analytic: Array
    value: Array
    eps: float
    eps_f: float
    probe: Probe
    noise: Callable[[Array], Noise]
    jitter: Callable[[], Array]
    numeric: Estimate | None = None
    kinks: Mask | None = None
    pool: Array | None = None
    large: Large | None = None
    line: int = 0
    factors: tuple[tuple[str, float], ...] = ()
    variables: Mapping[str, Array] = MappingProxyType({})
    branches: Callable[[], tuple[Branch, ...]] = tuple
    whole_numbers: bool = False
    contributions: Callable[[], tuple[Contribution, ...]] = tuple
    by_row: RowGradients | None = None
    oracle: str = "complex"
    ladders: RememberedLadders | None = None
    claims: Callable[[int, Array], Array] | None = None
    own_noise: Callable[[Array], Noise] | None = None
    around: Callable[[Array, float], Estimate] | None = None

    @cached_property
    def rho(self) -> Array:
        return position_scale(self.x)

    def climb(self, entries: Array, part: slice = slice(None), *, again: bool = False) -> Ladder:
        """Real differences at some entries on a ladder of steps, or on a part of its rungs.

        To climb it `again` takes other steps, and a closer look at the noise.
        """
        if self.ladders is not None and part == slice(None):
            return self.ladders.climb(entries, again, lambda missing: self._climb(missing, again))
        return self._climb(entries, again, part)

    def _climb(self, entries: Array, again: bool, part: slice = slice(None)) -> Ladder:
        shift = _SECOND_LADDER if again else 1.0
        measure = self.own_noise if again and self.own_noise is not None else self.noise
        x = self.x[entries]
        scale = self.rho[entries]
        steps = rungs(x, scale, self.eps_f, shift=shift)[part]
        value = np.broadcast_to(self.value, self.x.shape)[entries]
        return climb(self.probe, entries, x, value, steps, measure(entries), self.eps_f, scale)

    def has_stairs(self, entries: Array, ladder: Ladder) -> Mask:
        """Whether the function at some entries, where it is level, jumps further on.

        So do functions whose result is rounded. If that is more than their noise was measured to
        be, their differences say nothing of the slope of what was rounded.
        """
        x = self.x[entries]
        offsets = np.stack([np.zeros(len(x)), ladder.edge])
        finest = FINEST * self.eps_f * self.rho[entries]

        def along(moved: Array) -> Array:
            return self.probe(entries, x + moved)

        found = jump(along, offsets, along(offsets), finest, self.eps_f)
        high = np.maximum(_HIGH * self.noise(entries).near, ladder.rise / _STAIRS)
        stairs: Mask = found > high
        return stairs
