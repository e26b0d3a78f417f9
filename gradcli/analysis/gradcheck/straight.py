"""Vector functions at several kinks at once, made straight along the slopes that were chosen.

Of one output the slope that a backward chose is right between the slopes on either side. Of a sum
of outputs it is then right as well, and need not lie between the sum's sides: each output may bend
at its own sign of the argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gradcli.analysis.gradcheck.callables import Arrays, Callables
from gradcli.core.arrays import Array
from gradcli.core.user_code import USER_ERRORS
from gradcli.diagnostics.finding import Finding
from gradcli.engine.lines import Evaluate, Lines, find_lines
from gradcli.engine.model import generator

__all__ = ["straightened"]


def straightened(callables: Callables) -> tuple[Callables, Finding] | None:
    """The callables along lines at their kinks, with a note; None where there is none to settle.

    They are those of a vector function in float64 whose contracts hold.
    """
    pull = callables.pull
    moving = {name: callables.point[name] for name in callables.wrt}
    if pull is None or any(value.dtype != np.float64 for value in moving.values()):
        return None
    y = pull.output(callables.copies()).astype(float)

    def one(arrays: Mapping[str, Array]) -> Array:
        try:
            return np.asarray(pull.output({**callables.copies(), **arrays}), float)
        except USER_ERRORS:
            return np.full(y.shape, np.nan)

    def evaluate(arrays: Mapping[str, Array]) -> Array:
        replicas = np.broadcast_shapes(
            *(value.shape[: value.ndim - moving[name].ndim] for name, value in arrays.items())
        )
        spread = {
            name: np.broadcast_to(value, (*replicas, *moving[name].shape))
            for name, value in arrays.items()
        }
        made = [one({k: v[at].copy() for k, v in spread.items()}) for at in np.ndindex(replicas)]
        return np.stack(made).reshape(*replicas, *y.shape)

    def claim(g: Array) -> Mapping[str, Array]:
        made = pull.call(callables.copies(), g.astype(pull.cotangent.dtype))
        return {name: np.asarray(made[name], float) for name in moving}

    rng = generator(callables.options.seed, f"noise at the kinks of {callables.where}")
    _, lines = find_lines(evaluate, moving, y, claim, rng)
    return None if lines is None else (_along(callables, lines, evaluate), _note(callables, lines))


def _along(callables: Callables, lines: Lines, evaluate: Evaluate) -> Callables:
    pull = callables.pull
    assert pull is not None

    def value(arrays: Arrays) -> float:
        moving = {name: arrays[name] for name in callables.wrt}
        return float(np.sum(pull.cotangent * lines.apply(evaluate, moving)))

    return replace(callables, value=value, complex_slopes=None)


def _note(callables: Callables, lines: Lines) -> Finding:
    units = np.argwhere(lines.outputs)
    message = (
        f"{len(units)} {'output sits' if len(units) == 1 else 'outputs sit'} exactly at a kink "
        f"(the first at {[int(i) for i in units[0]]}); the slopes chosen are between the one-sided "
        "ones of each output, and what does not pass without them was compared along these"
    )
    found = callables.finding("GC201", message)
    shown = [[int(i) for i in unit] for unit in units[:32]]
    return found.replace(data={"units": shown, "count": len(units)})
