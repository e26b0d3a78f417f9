"""What is seen of a run: the branches that each part of a network takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from gradcli.core.arrays import Mask
from gradcli.core.branches import record_branches

__all__ = ["Place", "Watch"]

Place = tuple[str, int, str]
"""("node", "loss" or "term", its index, the parameter that a term is of)."""


@dataclass(eq=False, repr=False)
class Watch:
    """The branches taken while watching, by what took them: a node, a loss or a penalty.

    `settled` are the units whose kink a patch has settled there.
    """

    conditions: dict[Place, list[Mask]]
    settled: dict[Place, Mask]

    @contextmanager
    def over(self, place: Place, settled: Mask | None) -> Iterator[None]:
        """Note what is taken in the block as taken by a place, and the units settled there."""
        with record_branches() as conditions:
            yield
        self.conditions[place] = conditions
        if settled is not None:
            self.settled[place] = settled

    def flipped(self, base: Watch, replicas: int) -> Mask:
        """Copies (replicas,) in which some branch differs from `base`, the point's own run."""
        flips = np.zeros(replicas, bool)
        for at_point, differs in self._differences(base):
            if differs.ndim > at_point.ndim:
                flips |= differs.any(axis=tuple(range(differs.ndim - at_point.ndim, differs.ndim)))
        return flips

    def differs(self, base: Watch) -> bool:
        """Whether some branch differs from those of another run."""
        return any(bool(differs.any()) for _, differs in self._differences(base))

    def _differences(self, base: Watch) -> Iterator[tuple[Mask, Mask]]:
        """Each condition of `base`, and where that of this run is another one, settled apart."""
        for place, conditions in self.conditions.items():
            mask = self.settled.get(place)
            for at_point, taken in zip(base.conditions[place], conditions, strict=True):
                differs = taken != at_point
                if mask is not None and at_point.shape[: mask.ndim] == mask.shape:
                    differs &= ~mask.reshape(*mask.shape, *(1,) * (at_point.ndim - mask.ndim))
                yield at_point, differs
