"""Examples by how hard they are, when they were used, and what a curriculum lets in."""

from __future__ import annotations

import numpy as np

from gradcli.analysis.training.passes import Passes
from gradcli.analysis.training.report import Hardest
from gradcli.core.arrays import Array, Parameters
from gradcli.core.training_op import Choice

__all__ = ["Examples", "difficulties"]

_SHOWN = 10


def difficulties(passes: Passes, parameters: Parameters) -> Array:
    """The current loss of each example (rows,): what a curriculum takes for its difficulty."""
    rows = np.arange(passes.rows)
    network = passes.network(passes.plan(passes.rows), rows, 0)
    with np.errstate(all="ignore"):
        slots = network.forward(parameters, passes.inputs(rows)).slots
        each = [
            network.summand(position, slots, parameters).by_row * passes.rows
            for position in range(len(network.plan.losses))
        ]
    return np.asarray(sum(each), np.float64)


class Examples:
    """What a run with a curriculum knows of its examples."""

    def __init__(self, curriculum: Choice, passes: Passes) -> None:
        self.curriculum = curriculum
        self.passes = passes
        self.first = np.zeros(0)
        self.now = np.zeros(0)
        self.used = np.zeros(passes.rows, int)
        self.first_used = np.zeros(passes.rows, int)

    def look(self, parameters: Parameters) -> None:
        """Take the losses as they are now."""
        self.now = difficulties(self.passes, parameters)
        if not len(self.first):
            self.first = self.now

    def weights(self, progress: float) -> Array:
        """With which chance each example is drawn, up to a factor."""
        known = np.where(np.isfinite(self.now), self.now, np.finfo(float).max)
        return np.asarray(self.curriculum(known, self.first, progress))

    def use(self, rows: Array, number: int) -> None:
        """Note that a step used these rows."""
        self.used[rows] += 1
        unseen = rows[self.first_used[rows] == 0]
        self.first_used[unseen] = number

    def hardest(self, parameters: Parameters) -> tuple[Hardest, ...]:
        """The examples of the largest loss at the end, the worst first."""
        last = difficulties(self.passes, parameters)
        rows = np.argsort(-last, kind="stable")[:_SHOWN]
        return tuple(
            Hardest(
                int(row),
                float(self.first[row]),
                float(last[row]),
                int(self.used[row]),
                int(self.first_used[row]) or None,
            )
            for row in rows
        )

    @property
    def state(self) -> dict[str, Array]:
        """What a resumed run needs of it."""
        return {
            "first_losses": self.first,
            "losses": self.now,
            "used": self.used.copy(),
            "first_used": self.first_used.copy(),
        }

    def resume(self, state: dict[str, Array]) -> None:
        """Go on from a `state`."""
        self.first, self.now = state["first_losses"], state["losses"]
        self.used, self.first_used = state["used"].astype(int), state["first_used"].astype(int)
